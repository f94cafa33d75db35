"""The meaning of each platform's errors: the kind, the code and a sentence."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from platforms.errors import ErrorKind, PlatformError
from platforms.facebook import errors as facebook
from platforms.instagram import errors as instagram
from platforms.registry import platforms
from platforms.threads import errors as threads
from platforms.tiktok.errors import failed
from tests.platforms.error_shapes import (
    REQUEST_ID,
    Case,
    answer,
    bare,
    discord,
    google,
    graph,
    linkedin,
    mastodon,
    telegram,
)
from tests.platforms.error_tables import AUTH, CASES, IMPERSONATING, REJECTED, TRANSIENT, UNKNOWN

NAME_REQUESTS = {"discord", "facebook", "instagram", "linkedin", "threads", "tiktok", "twitter"}
"""Platforms of which the responses of the table name the request."""
_REFUSED = re.compile(r"\w+ refused(?:: .| with status | without a reason)")


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kinds in CASES.items() for kind in kinds])
def test_an_error_has_a_kind_a_code_and_a_sentence(name: str, kind: str) -> None:
    for response, code in CASES[name][kind]:
        error, said = platforms()[name].read_error(response), (response.status_code, response.text)
        assert (*said, error.kind, error.code) == (*said, REJECTED if kind == UNKNOWN else kind, code)
        assert (*said, bool(_REFUSED.match(error.message))) == (*said, kind == UNKNOWN)
        assert kind == UNKNOWN or error.message.endswith(".")
        assert (error.status, error.request_id) == (response.status_code, REQUEST_ID if name in NAME_REQUESTS else None)


@pytest.mark.parametrize("name", ["facebook", "instagram", "threads"])
def test_the_language_of_metas_words_for_people_changes_no_kind(name: str) -> None:
    for kind, cases in CASES[name].items():
        for response, _ in cases:
            error = response.json()["error"] | {"error_user_msg": "Das geht gerade nicht."}
            found = platforms()[name].read_error(answer(400, {"error": error}))
            assert (response.text, found.kind) == (response.text, REJECTED if kind == UNKNOWN else kind)


def test_every_platform_is_in_the_table() -> None:
    assert CASES.keys() == platforms().keys()


FIELDS = {
    "content": {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 2000 or fewer in length."}]},
    "embeds": {"0": {"title": {"_errors": [{"code": "X", "message": "Too long."}]}}},
}
INVALID = "INVALID_ARGUMENT"
PRECISE = {"detail": "One or more parameters.", "errors": [{"message": "Your media IDs are invalid."}]}
PARSE = "can't parse entities: Unsupported start tag"
LOG_IN = (
    "Facebook has locked the session of the person who connected this Page. Log in at facebook.com with that person's "
    "account, and do what Facebook asks. Reconnect the account if it stays refused."
)
NO_ROLE = (
    "The person who connected this Page may no longer publish to it. Give that person full access to the Page, then "
    "reconnect the account and select the Page."
)
MESSAGES: list[tuple[str, Case, str]] = [
    (
        *("discord", discord(400, 50035, errors=FIELDS)),
        "Discord refused: content: Must be 2000 or fewer in length.; embeds.0.title: Too long.",
    ),
    ("discord", discord(400, 50035, errors={"_errors": [{"message": "No."}]}), "Discord refused: No."),
    ("discord", discord(400, 50035), "Discord refused: its own words"),
    ("facebook", graph(9999, error_user_msg="Do this."), "Facebook refused: Do this."),
    *[("facebook", graph(190, subcode), LOG_IN) for subcode in (459, 464)],
    *[("facebook", case, NO_ROLE) for case in (graph(190, 492), graph(190, words=IMPERSONATING))],
    (
        "googlebusiness",
        google(400, INVALID, field="summary", message="Too long."),
        "Google refused: summary: Too long.",
    ),
    ("googlebusiness", google(400, INVALID, message="No."), "Google refused: No."),
    ("discord", discord(400, 40004), "Sending messages is switched off at Discord for now."),
    ("linkedin", linkedin(400, "INVALID_VALUE_FOR_FIELD"), "LinkedIn refused: its own words"),
    ("mastodon", mastodon(422, "Validation failed: no text"), "Mastodon refused: Validation failed: no text"),
    (
        "mastodon",
        bare(400, {"error": "invalid_grant", "error_description": "It is invalid."}),
        "Mastodon refused: It is invalid.",
    ),
    ("telegram", telegram(400, "Bad Request: brand new"), "Telegram refused: brand new"),
    (
        "telegram",
        telegram(400, f"Bad Request: {PARSE}"),
        "Telegram cannot read the text's markup: Unsupported start tag",
    ),
    ("threads", graph("THREADS_API__LINK_LIMIT_EXCEEDED"), "This post has more links than Threads takes."),
    ("twitter", bare(400, PRECISE), "X refused: Your media IDs are invalid."),
]


@pytest.mark.parametrize(("name", "case", "message"), MESSAGES)
def test_a_precise_answer_of_the_platform_becomes_the_message(name: str, case: Case, message: str) -> None:
    assert platforms()[name].read_error(case[0]).message == message


@pytest.mark.parametrize("status", [404, 301, 307])
@pytest.mark.parametrize("name", ["bluesky", "mastodon"])
def test_an_address_of_another_kind_of_server_is_named_in_the_error(name: str, status: int) -> None:
    headers = {"location": "https://elsewhere.example/"} if status < 400 else {}
    assert "Check it" in platforms()[name].read_error(answer(status, "<html/>", **headers)).message


# The statements of platforms about a post, or a part of one, that they accepted and could not process.
FAILED: list[tuple[Callable[[str], PlatformError], ErrorKind, list[tuple[str, str]]]] = [
    (instagram.processing_error, REJECTED, [("Error: upload has failed with error code 2207026", "2207026")]),
    (instagram.processing_error, REJECTED, [("Error: 2207085 - The video could not be processed.", "2207085")]),
    (instagram.processing_error, TRANSIENT, [("Error: Media download failed, 2207052", "2207052")]),
    (instagram.processing_error, TRANSIENT, [(said, "") for said in ("Error: something new", "", "Error: 22070261")]),
    (threads.processing_error, TRANSIENT, [(code, code) for code in ("FAILED_DOWNLOADING_VIDEO", "UNKNOWN", "")]),
    (
        *(threads.processing_error, REJECTED),
        [
            (code, code)
            for code in (
                *("FAILED_PROCESSING_VIDEO", "FAILED_PROCESSING_AUDIO", "INVALID_ASPEC_RATIO", "INVALID_ASPECT_RATIO"),
                *("INVALID_BIT_RATE", "INVALID_DURATION", "INVALID_FRAME_RATE", "INVALID_AUDIO_CHANNELS"),
                "INVALID_AUDIO_CHANNEL_LAYOUT",
            )
        ],
    ),
    (failed, TRANSIENT, [("internal", "internal")]),
    (failed, AUTH, [("auth_removed", "auth_removed")]),
    (
        *(failed, REJECTED),
        [
            (code, code)
            for code in (
                *("file_format_check_failed", "duration_check_failed", "frame_rate_check_failed", "spam_risk"),
                *("picture_size_check_failed", "spam_risk_text", "publish_cancelled", "video_pull_failed"),
                *("photo_pull_failed", "something_new", ""),
            )
        ],
    ),
]


@pytest.mark.parametrize(("read", "kind", "reasons"), FAILED)
def test_a_failed_post_says_why(
    read: Callable[[str], PlatformError], kind: ErrorKind, reasons: list[tuple[str, str]]
) -> None:
    for said, code in reasons:
        error = read(said)
        assert (said, error.kind, error.code) == (said, kind, code or "unexplained")
        assert error.message
        if read is instagram.processing_error:
            assert instagram.needs_new(error) is (kind is TRANSIENT)


@pytest.mark.parametrize(
    ("module", "gone"),
    [
        (facebook, {(100, 33)}),
        (instagram, {(100, 33), (24, 2207006)}),
        (threads, {(100, 33), (24, None), (24, 4279009)}),
    ],
)
def test_an_id_that_no_longer_exists_is_distinguished_from_other_refusals(
    module: Any, gone: set[tuple[int, int | None]]
) -> None:
    for code, subcode in gone | {(100, None), (2, None)}:
        assert module.is_gone(module.read_error(graph(code, subcode)[0])) is ((code, subcode) in gone)

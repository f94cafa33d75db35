"""The meaning of each platform's errors: the kind, the code, a sentence, and when to try again."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from platforms.errors import LONGEST_LIMIT, LONGEST_TEXT, ErrorKind, PlatformError
from platforms.facebook import errors as facebook
from platforms.instagram import errors as instagram
from platforms.registry import platforms
from platforms.threads import errors as threads
from platforms.tiktok.errors import failed
from tests.platforms.error_shapes import (
    REQUEST_ID,
    WAITS,
    WORDS,
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
from tests.platforms.error_tables import AUTH, CASES, IMPERSONATING, RATE_LIMITED, REJECTED, TRANSIENT, UNKNOWN

KINDS = {
    302: ErrorKind.REJECTED,
    401: ErrorKind.AUTH,
    403: ErrorKind.REJECTED,
    404: ErrorKind.REJECTED,
    408: ErrorKind.TRANSIENT,
    413: ErrorKind.REJECTED,
    429: ErrorKind.RATE_LIMITED,
    500: ErrorKind.TRANSIENT,
    502: ErrorKind.TRANSIENT,
    521: ErrorKind.TRANSIENT,
}
OTHERWISE = {
    **{(name, 302): ErrorKind.TRANSIENT for name in ("facebook", "instagram", "threads", "youtube")},
    **{(name, 403): ErrorKind.AUTH for name in ("googlebusiness", "linkedin", "telegram")},
    **{(name, 404): ErrorKind.AUTH for name in ("googlebusiness", "telegram")},
    ("mastodon", 403): ErrorKind.TRANSIENT,
    ("reddit", 403): ErrorKind.TRANSIENT,
}
"""Statuses that mean something else on one platform."""
NO_OBJECT = ["<html><h1>Bad Gateway</h1></html>", "", "[]", '"x"', "{", "\x00"]
OBJECTS = ['{"error": null}', '{"error": 5}', '{"error": {"errors": [1]}}', '{"errors": 5, "code": []}']
NAMES_STATUSES = {"bluesky", "googlebusiness", "telegram", "tiktok"}
"""Platforms whose codes are words for a status, or are taken from any object."""
NAME_REQUESTS = {"facebook", "instagram", "threads", "tiktok"}
"""Platforms whose modules read the id of the request; of the others the wire reads it."""
_REFUSED = re.compile(r"\w+ refused(?:: .| with status | without a reason)")


def read(name: str, response: httpx.Response) -> PlatformError:
    """Return a platform's error for a response."""
    return platforms()[name].read_error(response)


@pytest.mark.parametrize("name", CASES)
def test_an_error_has_a_kind_a_code_and_a_sentence(name: str) -> None:
    for kind, cases in CASES[name].items():
        for response, code in cases:
            error, sent = read(name, response), (response.status_code, response.text)
            assert (*sent, error.kind, error.code) == (*sent, REJECTED if kind == UNKNOWN else kind, code)
            assert (*sent, bool(_REFUSED.match(error.message))) == (*sent, kind == UNKNOWN)
            assert kind == UNKNOWN or error.message.endswith(".")
            assert error.status == response.status_code
            assert error.request_id == (REQUEST_ID if name in NAME_REQUESTS else None)


@pytest.mark.parametrize("name", CASES)
def test_an_error_without_a_code_is_judged_by_its_status(name: str) -> None:
    for status, kind in KINDS.items():
        # An object from Reddit is its API's own answer; anything else comes from the guard before it.
        for body in NO_OBJECT + OBJECTS * ((name, status) != ("reddit", 403)):
            error = read(name, answer(status, body))
            assert (status, body, error.kind) == (status, body, OTHERWISE.get((name, status), kind))
            assert "<" not in error.message
            assert name in NAMES_STATUSES or error.code == f"http_{status}"


@pytest.mark.parametrize("name", CASES)
def test_an_unknown_refusal_is_quoted_and_cut_to_a_sane_length(name: str) -> None:
    refusal = next(response for response, _ in CASES[name][UNKNOWN] if WORDS in response.text)
    polite, long = (
        read(name, answer(refusal.status_code, refusal.text.replace(WORDS, words)))
        for words in ("Be more polite", "More polite. " * 1000)
    )
    assert polite.kind is ErrorKind.REJECTED
    assert "refused: Be more polite" in polite.message
    assert len(long.message) == LONGEST_TEXT


@pytest.mark.parametrize("name", WAITS)
def test_an_error_says_when_to_come_back(name: str) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=300)
    times = {
        "unix": int(soon.timestamp()),
        "utc": soon.isoformat().replace("+00:00", "Z"),
        "zoneless": soon.replace(tzinfo=None).isoformat(),
    }
    for case, headers, seconds in WAITS[name]:
        sent = {
            header: value.format(**times) if re.match(r"\{[uz]", value) else value for header, value in headers.items()
        }
        wait = read(name, answer(case[0].status_code, case[0].text, **sent)).retry_after
        if sent == headers or wait is None:
            assert (case[0].text, sent, wait) == (case[0].text, sent, seconds and timedelta(seconds=seconds))
        else:
            assert timedelta(seconds=295) < wait <= timedelta(seconds=300)


@pytest.mark.parametrize("name", ["facebook", "instagram", "threads"])
def test_the_language_of_metas_words_for_people_changes_no_kind(name: str) -> None:
    for kind, cases in CASES[name].items():
        for response, _ in cases:
            error = response.json()["error"] | {"error_user_msg": "Das geht gerade nicht."}
            expected = REJECTED if kind == UNKNOWN else kind
            assert (response.text, read(name, answer(400, {"error": error})).kind) == (response.text, expected)


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


def test_a_precise_answer_of_the_platform_becomes_the_message() -> None:
    for name, case, message in MESSAGES:
        assert read(name, case[0]).message == message


@pytest.mark.parametrize("name", ["bluesky", "mastodon"])
def test_an_address_of_another_kind_of_server_is_named_in_the_error(name: str) -> None:
    for status in (404, 301, 307):
        headers = {"location": "https://elsewhere.example/"} if status < 400 else {}
        assert "Check it" in read(name, answer(status, "<html/>", **headers)).message


# The statements of platforms about a post, or a part of one, that they accepted and could not process.
FAILED: list[tuple[Callable[[str], PlatformError], ErrorKind, list[tuple[str, str]]]] = [
    (instagram.processing_error, REJECTED, [("Error: upload has failed with error code 2207026", "2207026")]),
    (instagram.processing_error, REJECTED, [("Error: 2207085 - The video could not be processed.", "2207085")]),
    (instagram.processing_error, TRANSIENT, [("Error: Media download failed, 2207052", "2207052")]),
    (
        instagram.processing_error,
        TRANSIENT,
        [(reason, "") for reason in ("Error: something new", "", "Error: 22070261")],
    ),
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


@pytest.mark.parametrize(("read_reason", "kind", "reasons"), FAILED)
def test_a_failed_post_says_why(
    read_reason: Callable[[str], PlatformError], kind: ErrorKind, reasons: list[tuple[str, str]]
) -> None:
    for reason, code in reasons:
        error = read_reason(reason)
        assert (reason, error.kind, error.code) == (reason, kind, code or "unexplained")
        assert error.message
        if read_reason is instagram.processing_error:
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


def limited(wait: timedelta | None) -> PlatformError:
    return PlatformError(RATE_LIMITED, "Slow down.", code="slow", retry_after=wait)


def test_a_limit_that_takes_hours_is_a_cap() -> None:
    assert limited(None).kind is RATE_LIMITED
    assert limited(LONGEST_LIMIT).kind is RATE_LIMITED
    capped = limited(LONGEST_LIMIT + timedelta(seconds=1))
    assert (capped.kind, str(capped)) == (ErrorKind.CAPPED, "capped (slow)")


def test_texts_of_an_error_are_short_and_printable() -> None:
    error = PlatformError(ErrorKind.REJECTED, "No." * 500, code="bad\nline\x1b[0m" + "x" * 500, request_id="r" * 500)
    assert (len(error.message), len(error.code), len(error.request_id or "")) == (500, 128, 128)
    assert error.code.isprintable()
    assert str(error).isprintable()

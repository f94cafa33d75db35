"""The limits of Threads from both sides, and the kinds of errors."""

from typing import Any

import httpx
import pytest

from domain.post import Media, MediaType
from platforms.base import AccountFacts, Draft
from platforms.errors import ErrorKind, PlatformError
from platforms.threads import PLATFORM
from platforms.threads.errors import error_of, is_gone, processing_error
from platforms.threads.rules import length
from platforms.threads.settings import ThreadsSettings

ACCOUNT = AccountFacts("th_1", "1", "ann")


def media(kind: MediaType, alt_text: str | None = None) -> Media:
    return Media(type=kind, url="https://cdn.example.com/a", alt_text=alt_text)


IMAGE, GIF, VIDEO = (media(kind) for kind in (MediaType.IMAGE, MediaType.GIF, MediaType.VIDEO))


def broken(text: str, *items: Media, **settings: Any) -> list[str]:
    draft = Draft(text, items, ThreadsSettings.model_validate(settings))
    return [violation.error for violation in PLATFORM.check(draft, ACCOUNT)]


@pytest.mark.parametrize(("text", "count"), [("abc", 3), ("é", 1), ("日本", 2), ("🌊", 4), ("👍🏽", 8), ("a🌊b", 6)])
def test_an_emoji_costs_its_bytes(text: str, count: int) -> None:
    assert length(text) == count


def test_a_text_has_500_characters_and_5_links() -> None:
    assert broken("x" * 500) == []
    assert broken("x" * 501) == ["Threads allows 500 characters; this has 501"]
    assert broken("🌊" * 125) == []
    assert broken("🌊" * 126) == ["Threads allows 500 characters; this has 504"]
    links = [f"https://example.com/{number}" for number in range(6)]
    assert broken(" ".join([*links[:5], links[0]])) == []
    assert broken(" ".join(links)) == ["Threads allows 5 different links in a post; this has 6"]


def test_an_attachment_excludes_media_and_other_attachments() -> None:
    poll, link = {"options": ["Yes", "No"]}, "https://example.com"
    assert broken("?", poll=poll) == broken("?", linkAttachment=link) == []
    assert broken("?", IMAGE, poll=poll) == ["Threads takes poll only in a post without media"]
    assert broken("?", IMAGE, linkAttachment=link) == ["Threads takes linkAttachment only in a post without media"]
    assert broken("?", poll=poll, linkAttachment=link) == ["Threads does not take a poll together with linkAttachment"]


def test_the_posts_of_a_thread_are_held_against_the_same_limits() -> None:
    gif = {"type": "gif", "url": "https://cdn.example.com/a.gif"}
    settings = {"threadItems": [{"content": "fine"}, {"content": "x" * 501}, {"mediaItems": [gif]}, {}]}
    found = PLATFORM.check(Draft("first", (), ThreadsSettings.model_validate(settings)), ACCOUNT)
    assert [violation.path for violation in found] == [
        ("threadItems", 1, "content"),
        ("threadItems", 2, "mediaItems"),
        ("threadItems", 3, "content"),
    ]


def refusal(status: int = 400, **error: Any) -> PlatformError:
    body = {"error": {"message": "its own words", "type": "OAuthException", "fbtrace_id": "A6Ltrace", **error}}
    return error_of(httpx.Response(status, json=body))


@pytest.mark.parametrize(
    ("code", "subcode", "kind"),
    [
        (1, None, ErrorKind.TRANSIENT),
        (2, None, ErrorKind.TRANSIENT),
        (24, 4279009, ErrorKind.NOT_READY),
        (4, None, ErrorKind.RATE_LIMITED),
        (17, None, ErrorKind.RATE_LIMITED),
        (32, None, ErrorKind.RATE_LIMITED),
        (613, None, ErrorKind.RATE_LIMITED),
        (10, 4279067, ErrorKind.OPERATOR),
        (100, 4279004, ErrorKind.NOT_READY),
        (-1, 4279047, ErrorKind.REJECTED),
        (190, 463, ErrorKind.AUTH),
        (100, 2207051, ErrorKind.REJECTED),
        (100, 2207052, ErrorKind.TRANSIENT),
        (100, 4279013, ErrorKind.AUTH),
    ],
)
def test_known_codes_have_a_kind_and_a_sentence_of_ours(code: int, subcode: int | None, kind: ErrorKind) -> None:
    error = refusal(code=code, error_subcode=subcode)
    assert (error.kind, error.status, error.request_id) == (kind, 400, "A6Ltrace")
    named = {4279004: "unknown_children"}
    assert error.code == named.get(subcode or 0, f"{code}/{subcode}" if subcode else str(code))
    assert "its own words" not in error.message
    assert error.message.endswith(".")


def test_a_lost_permission_is_reported_by_its_words() -> None:
    said = "Application does not have permission for this action"
    assert refusal(code=10, message=said).kind is ErrorKind.AUTH
    assert refusal(code=10).kind is ErrorKind.REJECTED


def test_a_code_that_is_a_name_is_known_by_it() -> None:
    error = refusal(code="THREADS_API__LINK_LIMIT_EXCEEDED", message="its own words")
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "THREADS_API__LINK_LIMIT_EXCEEDED")
    assert error.message == "This post has more links than Threads takes."
    assert refusal(code="SOMETHING_ELSE").code == "http_400"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"is_transient": False}, ErrorKind.REJECTED),
        ({"is_transient": True}, ErrorKind.TRANSIENT),
        ({}, ErrorKind.TRANSIENT),
    ],
)
def test_an_error_of_threads_own_passes_unless_it_says_otherwise(answer: dict[str, Any], kind: ErrorKind) -> None:
    assert refusal(code=-1, **answer).kind is kind


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("FAILED_DOWNLOADING_VIDEO", ErrorKind.TRANSIENT),
        ("FAILED_PROCESSING_VIDEO", ErrorKind.REJECTED),
        ("FAILED_PROCESSING_AUDIO", ErrorKind.REJECTED),
        ("INVALID_ASPEC_RATIO", ErrorKind.REJECTED),
        ("INVALID_ASPECT_RATIO", ErrorKind.REJECTED),
        ("INVALID_BIT_RATE", ErrorKind.REJECTED),
        ("INVALID_DURATION", ErrorKind.REJECTED),
        ("INVALID_FRAME_RATE", ErrorKind.REJECTED),
        ("INVALID_AUDIO_CHANNELS", ErrorKind.REJECTED),
        ("INVALID_AUDIO_CHANNEL_LAYOUT", ErrorKind.REJECTED),
        ("UNKNOWN", ErrorKind.TRANSIENT),
        ("", ErrorKind.TRANSIENT),
    ],
)
def test_a_failed_container_tells_why(said: str, kind: ErrorKind) -> None:
    error = processing_error(said)
    assert (error.kind, error.code) == (kind, said or "unexplained")


def test_a_missing_container_is_distinguished_from_other_refusals() -> None:
    assert is_gone(refusal(code=24))
    assert is_gone(refusal(code=24, error_subcode=4279009))
    assert is_gone(refusal(code=100, error_subcode=33))
    assert not is_gone(refusal(code=100))
    assert not is_gone(refusal(code=2))

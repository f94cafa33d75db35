"""Mastodon's rules: the length of texts, limits from both sides, and the kinds of errors."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.post import Media, MediaType
from platforms.base import AccountFacts, Draft
from platforms.errors import ErrorKind, PlatformError
from platforms.mastodon import PLATFORM
from platforms.mastodon.errors import MEDIA_GONE, MEDIA_NOT_READY, error_of
from platforms.mastodon.settings import MastodonSettings
from platforms.mastodon.text import comparable, length, shown_text

ACCOUNT = AccountFacts("ma_1", "1@mastodon.example", "ann@mastodon.example")
LARGE = AccountFacts(
    "ma_2", "1", "ann", limits={"characters": 5000, "attachments": 16, "poll_options": 10, "poll_characters": 200}
)


def media(kind: MediaType, alt_text: str | None = None) -> Media:
    return Media(type=kind, url="https://cdn.example.com/a", alt_text=alt_text)


IMAGE, GIF, VIDEO = (media(kind) for kind in (MediaType.IMAGE, MediaType.GIF, MediaType.VIDEO))


def broken(text: str, *items: Media, account: AccountFacts = ACCOUNT, **settings: Any) -> list[str]:
    draft = Draft(text, items, MastodonSettings.model_validate(settings))
    return [violation.error for violation in PLATFORM.check(draft, account)]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("abc", 3),
        ("e\u0301", 1),
        ("👩‍👩‍👧‍👦", 1),
        ("https://a-very-long-address.example/with/a/path?and=a&query=1", 23),
        ("http://a.example", 23),
        ("(https://a.example).", 26),
        ("https://en.wikipedia.org/wiki/A_(b)", 23),
        ("https://a.example https://b.example", 47),
        ("ftp://a.example", 15),
        ("@ann@remote.example", 4),
        ("@ann hi", 7),
        ("mail ann@remote.example", 23),
        ("Hi @ann@remote.example, @bob@b.example:3000!", 14),
    ],
)
def test_links_cost_a_flat_price_and_mentions_their_name_alone(text: str, count: int) -> None:
    assert length(text) == count


def test_a_text_has_500_characters_with_the_warning_before_it() -> None:
    assert broken("x" * 500) == []
    assert broken("x" * 501) == ["Mastodon allows 500 characters; this has 501"]
    assert broken("x" * 490, spoilerText="y" * 10) == []
    assert broken("x" * 490, spoilerText="y" * 11) == ["Mastodon allows 500 characters; this has 501"]
    assert broken("https://example.com/" + "x" * 600 + " " + "y" * 476) == []
    # A link in a content warning counts in full.
    link = "https://example.com/" + "x" * 80
    assert broken("x" * 400, spoilerText=link) == []
    assert broken("x" * 401, spoilerText=link) == ["Mastodon allows 500 characters; this has 501"]


def test_an_accounts_own_server_may_allow_more() -> None:
    assert broken("x" * 5000, account=LARGE) == []
    assert broken("x" * 5001, account=LARGE) == ["Mastodon allows 5,000 characters; this has 5,001"]
    assert broken("", *[IMAGE] * 16, account=LARGE) == []
    assert broken("?", account=LARGE, poll={"options": [f"{number}" * 60 for number in range(10)]}) == []
    small = AccountFacts("ma_3", "1", "ann", limits={"characters_per_url": 30, "description": 10, "poll_shortest": 600})
    assert broken("https://a.example " + "x" * 469, account=small) == []
    assert broken("https://a.example " + "x" * 470, account=small) == ["Mastodon allows 500 characters; this has 501"]
    assert len(broken("", media(MediaType.IMAGE, "x" * 11), account=small)) == 1


def test_polls_have_their_limits() -> None:
    def poll(**changed: Any) -> list[str]:
        return broken("?", poll={"options": ["Yes", "No"], "expiresIn": 300, **changed})

    assert poll() == []
    assert poll(options=["1", "2", "3", "4"], expiresIn=2_629_746) == []
    assert poll(options=["1", "2", "3", "4", "5"]) == ["Mastodon allows 4 answers in a poll; this has 5"]
    assert poll(options=["x" * 50, "y"]) == []
    assert poll(options=["x" * 51, "y"]) == ["Mastodon allows 50 characters in an answer; this has 51"]
    assert poll(options=["x", "x"]) == ["Mastodon does not take the same answer twice"]
    for seconds in (299, 2_629_747):
        assert poll(expiresIn=seconds) == ["Mastodon keeps polls open for 300 to 2,629,746 seconds"]
    assert broken("?", IMAGE, poll={"options": ["Yes", "No"]}) == ["Mastodon does not take a poll together with media"]
    draft = Draft("?", (), MastodonSettings.model_validate({"poll": {"options": ["x" * 51, "y"]}}))
    assert [violation.path for violation in PLATFORM.check(draft, ACCOUNT)] == [("poll", "options", 0)]


@given(st.text(st.sampled_from("ab @.:/#()\nhtps<>&é👩\u200d"), max_size=80))
def test_every_text_is_recognised_in_its_html(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br />")
    assert comparable(shown_text(f"<p>{escaped}</p>", text)) == comparable(text)


def refusal(said: Any, status: int, headers: dict[str, str] | None = None) -> PlatformError:
    return error_of(httpx.Response(status, json={"error": said}, headers=headers))


@pytest.mark.parametrize(
    ("said", "status", "kind", "code"),
    [
        (
            "Cannot attach files that have not finished processing. Try again in a moment!",
            422,
            ErrorKind.NOT_READY,
            MEDIA_NOT_READY,
        ),
        ("Media 1, 2 not found or already attached to another post", 422, ErrorKind.TRANSIENT, MEDIA_GONE),
        ("Media could not be found", 404, ErrorKind.TRANSIENT, MEDIA_GONE),
        ("This method requires an authenticated user", 422, ErrorKind.AUTH, "app_token"),
        ("Validation failed: Text can't be blank", 422, ErrorKind.REJECTED, "http_422"),
        ("Record not found", 404, ErrorKind.REJECTED, "http_404"),
        ("The access token was revoked", 401, ErrorKind.AUTH, "http_401"),
        ("This action is outside the authorized scopes", 403, ErrorKind.AUTH, "http_403"),
        ("Payload too large", 413, ErrorKind.REJECTED, "http_413"),
        ("Too many requests", 429, ErrorKind.RATE_LIMITED, "http_429"),
        ("There was a temporary problem", 503, ErrorKind.TRANSIENT, "http_503"),
    ],
)
def test_refusals_are_distinguished_by_words_and_status(said: str, status: int, kind: ErrorKind, code: str) -> None:
    error = refusal(said, status)
    assert (error.kind, error.code, error.status) == (kind, code, status)


def test_a_refusal_that_says_why_is_reported_in_its_words() -> None:
    assert refusal("Validation failed: Text can't be blank", 422).message.endswith("Text can't be blank")
    detailed = {"error": "invalid_grant", "error_description": "The grant is invalid."}
    assert "The grant is invalid." in error_of(httpx.Response(400, json=detailed)).message


def test_the_wait_is_the_servers_own() -> None:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    for reset in (
        soon.isoformat().replace("+00:00", "Z"),
        soon.replace(tzinfo=None).isoformat(),
        str(int(soon.timestamp())),
    ):
        wait = refusal("Too many requests", 429, {"x-ratelimit-reset": reset}).retry_after
        assert wait is not None
        assert timedelta(minutes=4) < wait <= timedelta(minutes=5)
    assert refusal("x", 429, {"x-ratelimit-reset": "2020-01-01T00:00:00Z"}).retry_after == timedelta(seconds=1)
    assert refusal("x", 429, {"retry-after": "30"}).retry_after == timedelta(seconds=30)
    for reset in ("soon", "9" * 30, ""):
        assert refusal("x", 429, {"x-ratelimit-reset": reset}).retry_after is None
    assert refusal("x", 500, {"retry-after": "30"}).retry_after is None

"""Errors that Reddit would report are found before anything is sent; each has a kind and a message."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from domain.post import Media, MediaType
from platforms.base import AccountFacts, Draft
from platforms.errors import DUPLICATE, ErrorKind
from platforms.reddit import PLATFORM
from platforms.reddit.errors import error_within
from platforms.reddit.rules import RedditPostType, post_type_of
from platforms.reddit.settings import RedditSettings
from platforms.rules import Violation

ACCOUNT = AccountFacts("rd_1", "1", "someone")
TEST = {"subreddit": "test"}
URL = "https://example.com"


def media(kind: MediaType, count: int = 1) -> tuple[Media, ...]:
    return tuple(Media(type=kind, url=f"https://cdn.example.com/{at}") for at in range(count))


def draft(text: str = "text", items: tuple[Media, ...] = (), **settings: Any) -> Draft[RedditSettings]:
    return Draft(text, items, RedditSettings.model_validate({**TEST, **settings}))


def check(text: str = "text", items: tuple[Media, ...] = (), **settings: Any) -> list[Violation]:
    return PLATFORM.check(draft(text, items, **settings), ACCOUNT)


@pytest.mark.parametrize(
    ("text", "settings", "parts"),
    [
        ("x" * 40_000, {"title": "T"}, []),
        ("x" * 40_001, {"title": "T"}, ["content"]),
        ("x" * 300, {}, []),
        ("x" * 301, {}, ["content"]),
        ("x" * 300 + "\n" + "y" * 1000, {}, []),
        ("", {"title": "T"}, []),
        ("", {}, ["content"]),
        (" \n ", {}, ["content"]),
        ("text", {"title": " "}, ["platformSpecificData"]),
    ],
)
def test_titles_and_texts_have_their_limits(text: str, settings: dict[str, Any], parts: list[str]) -> None:
    assert [violation.part for violation in check(text, **settings)] == parts


@pytest.mark.parametrize(
    ("items", "settings", "post_type", "path"),
    [
        ((), {}, RedditPostType.SELF, None),
        ((), {"url": URL}, RedditPostType.LINK, None),
        ((), {"url": URL, "forceSelf": True}, RedditPostType.SELF, None),
        (media(MediaType.IMAGE), {}, RedditPostType.IMAGE, None),
        (media(MediaType.IMAGE, 2), {}, RedditPostType.GALLERY, None),
        (media(MediaType.IMAGE), {"url": URL}, RedditPostType.IMAGE, "url"),
        (media(MediaType.IMAGE), {"forceSelf": True}, RedditPostType.IMAGE, "forceSelf"),
    ],
)
def test_media_and_settings_decide_the_post_type(
    items: tuple[Media, ...], settings: dict[str, Any], post_type: RedditPostType, path: str | None
) -> None:
    assert post_type_of(draft(items=items, **settings)) is post_type
    assert [violation.path for violation in check(items=items, **settings)] == ([(path,)] if path else [])


@pytest.mark.parametrize("given", ["test", "r/test", "/r/test"])
def test_a_subreddit_goes_by_its_name(given: str) -> None:
    assert RedditSettings.model_validate({"subreddit": given}).subreddit == "test"


@pytest.mark.parametrize("given", ["u_some-user", "/r/u_Some_User", "u_" + "x" * 20])
def test_a_profile_takes_posts_as_a_subreddit_does(given: str) -> None:
    assert RedditSettings.model_validate({"subreddit": given}).subreddit == given.rpartition("/")[2]


def answer(status: int, body: Any, **headers: str) -> httpx.Response:
    content: dict[str, Any] = {"text": body} if isinstance(body, str) else {"json": body}
    request = httpx.Request("POST", "https://oauth.reddit.com/api/submit")
    return httpx.Response(status, request=request, headers=headers, **content)


@pytest.mark.parametrize(
    ("response", "kind", "code"),
    [
        (answer(401, {"message": "Unauthorized", "error": 401}), ErrorKind.AUTH, "http_401"),
        (
            answer(403, {"message": "Forbidden"}, **{"www-authenticate": 'Bearer error="insufficient_scope"'}),
            ErrorKind.AUTH,
            "http_403",
        ),
        (answer(403, {"message": "Forbidden", "error": 403}), ErrorKind.REJECTED, "http_403"),
        (answer(403, "<html>blocked by network security</html>"), ErrorKind.TRANSIENT, "http_403"),
        (
            answer(400, {"reason": "BAD_JSON", "explanation": "that is not right.", "fields": ["kind"]}),
            ErrorKind.REJECTED,
            "BAD_JSON",
        ),
        (
            answer(400, {"json": {"errors": [["RATELIMIT", "try again in 5 milliseconds.", "ratelimit"]]}}),
            ErrorKind.RATE_LIMITED,
            "RATELIMIT",
        ),
        (answer(400, {"json": {"errors": [["ALREADY_SUB", "that link", "url"]]}}), ErrorKind.REJECTED, DUPLICATE),
        (answer(403, {"message": "Forbidden", "error": 403, "reason": "private"}), ErrorKind.REJECTED, "private"),
        (answer(404, {"message": "Not Found", "error": 404}), ErrorKind.REJECTED, "http_404"),
        (answer(429, ""), ErrorKind.RATE_LIMITED, "http_429"),
        (answer(408, ""), ErrorKind.TRANSIENT, "http_408"),
        (answer(500, {}), ErrorKind.TRANSIENT, "http_500"),
        (answer(502, "<html>"), ErrorKind.TRANSIENT, "http_502"),
        (answer(503, [1]), ErrorKind.TRANSIENT, "http_503"),
        (answer(400, ""), ErrorKind.REJECTED, "http_400"),
    ],
)
def test_statuses_have_a_kind_and_a_code(response: httpx.Response, kind: ErrorKind, code: str) -> None:
    error = PLATFORM.error_of(response)
    assert (error.kind, error.code, error.status) == (kind, code, response.status_code)
    assert error.message.endswith(".") or "Not Found" in error.message


@pytest.mark.parametrize(
    ("code", "kind"),
    [(code, ErrorKind.RATE_LIMITED) for code in ("RATELIMIT", "SUBREDDIT_RATELIMIT", "QUOTA_FILLED")]
    + [("USER_REQUIRED", ErrorKind.AUTH)]
    + [
        (code, ErrorKind.REJECTED)
        for code in (
            "BANNED_FROM_SUBREDDIT", "IN_TIMEOUT", "SUBREDDIT_NO_ACCESS", "SUBREDDIT_NOEXIST", "SUBREDDIT_NOTALLOWED",
            "SUBREDDIT_REQUIRED", "BAD_SR_NAME", "NO_SELFS", "NO_LINKS", "NO_TEXT", "TOO_LONG", "BAD_URL", "NO_URL",
            "DOMAIN_BANNED", "INVALID_OPTION", "TOO_SHORT", "INVALID_SCHEME", "BAD_CAPTCHA", "IMAGES_NOTALLOWED",
            "SUBMIT_VALIDATION_BODY_REQUIRED",
        )
    ],
)  # fmt: skip
def test_each_error_in_a_successful_response_has_a_kind(code: str, kind: ErrorKind) -> None:
    body = {"json": {"errors": [[code, "its own words", "sr"]]}}
    error = error_within(body, answer(200, body))
    assert error is not None
    assert (error.kind, error.code, error.status) == (kind, code, 200)
    assert error.message.endswith(".") or "its own words" in error.message


def test_a_known_link_is_a_duplicate() -> None:
    body = {"json": {"errors": [["ALREADY_SUB", "that link has already been submitted", "url"]]}}
    error = error_within(body, answer(200, body))
    assert error is not None
    assert (error.kind, error.code) == (ErrorKind.REJECTED, DUPLICATE)


@pytest.mark.parametrize("body", [{}, {"json": {}}, {"json": {"errors": []}}, {"json": [1]}])
def test_an_answer_without_errors_is_none(body: dict[str, Any]) -> None:
    assert error_within(body, answer(200, body)) is None


@pytest.mark.parametrize(
    ("inner", "seconds"),
    [
        ({"errors": [["RATELIMIT", "", ""]], "ratelimit": 538.1}, 539),
        ({"errors": [["RATELIMIT", "you are doing that too much. try again in 9 minutes.", ""]]}, 540),
        ({"errors": [["RATELIMIT", "try again in 1 hour.", ""]]}, 3600),
        ({"errors": [["RATELIMIT", "Take a break for 40 seconds", ""]]}, 40),
        ({"errors": ["RATELIMIT"]}, 600),
    ],
)
def test_a_throttle_says_when_to_come_back(inner: dict[str, Any], seconds: int) -> None:
    error = error_within({"json": inner}, answer(200, {}))
    assert error is not None
    assert error.retry_after == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({}, 600), ({"x-ratelimit-reset": "287"}, 287), ({"retry-after": "7.5", "x-ratelimit-reset": "287"}, 7.5)],
)
def test_a_rate_limit_says_when_to_come_back(headers: dict[str, str], seconds: float) -> None:
    assert PLATFORM.error_of(answer(429, "", **headers)).retry_after == timedelta(seconds=seconds)

"""Errors that Pinterest would report are found before anything is sent; each has a kind and a message."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from domain.post import Media, MediaType
from platforms.base import AccountFacts, Draft
from platforms.errors import ErrorKind
from platforms.pinterest import PLATFORM
from platforms.pinterest.errors import UNFETCHED
from platforms.pinterest.settings import PinterestSettings
from platforms.rules import Violation

ACCOUNT = AccountFacts("pi_1", "1", "someone")
BOARD = {"boardId": "549755885175"}


def media(kind: MediaType, count: int = 1, alt_text: str | None = None) -> tuple[Media, ...]:
    return tuple(Media(type=kind, url=f"https://cdn.example.com/{at}", alt_text=alt_text) for at in range(count))


def check(text: str = "text", items: tuple[Media, ...] = media(MediaType.IMAGE), **settings: Any) -> list[Violation]:
    return PLATFORM.check(Draft(text, items, PinterestSettings.model_validate({**BOARD, **settings})), ACCOUNT)


@pytest.mark.parametrize(
    ("items", "settings", "path"),
    [
        (media(MediaType.VIDEO), {"coverImageKeyFrameTime": 0}, None),
        (media(MediaType.VIDEO), {"coverImageUrl": "https://e.com/a.jpg"}, None),
        (
            media(MediaType.VIDEO),
            {"coverImageUrl": "https://e.com/a.jpg", "coverImageKeyFrameTime": 0},
            "coverImageKeyFrameTime",
        ),
        (media(MediaType.IMAGE), {"coverImageKeyFrameTime": 0}, "coverImageKeyFrameTime"),
        (media(MediaType.IMAGE), {"coverImageUrl": "https://e.com/a.jpg"}, "coverImageUrl"),
    ],
)
def test_a_cover_is_a_videos(items: tuple[Media, ...], settings: dict[str, Any], path: str | None) -> None:
    assert [violation.path for violation in check(items=items, **settings)] == ([(path,)] if path else [])


def test_alt_texts_of_several_images_count_together_with_the_line_breaks_between() -> None:
    assert check(items=media(MediaType.IMAGE, 2, alt_text="x" * 249)) == []
    (violation,) = check(items=media(MediaType.IMAGE, 2, alt_text="x" * 250))
    assert violation.part == "mediaItems"


def answer(status: int, body: Any, **headers: str) -> httpx.Response:
    content: dict[str, Any] = {"text": body} if isinstance(body, str) else {"json": body}
    request = httpx.Request("POST", "https://api.pinterest.com/v5/pins")
    return httpx.Response(status, request=request, headers=headers, **content)


def said(status: int, code: int, message: str = "Because.") -> httpx.Response:
    return answer(status, {"code": code, "message": message})


@pytest.mark.parametrize(
    ("response", "kind", "code"),
    [
        (said(400, 1, "Invalid title"), ErrorKind.REJECTED, "1"),
        (said(400, 1, "'x' does not match '^\\d+$' at board_id"), ErrorKind.REJECTED, "1"),
        (said(400, 235, "Unable to reach the URL. Please check"), ErrorKind.TRANSIENT, UNFETCHED),
        (said(401, 2, "Authentication failed."), ErrorKind.AUTH, "2"),
        (said(401, 3), ErrorKind.AUTH, "3"),
        (said(403, 7, "You are not authorized to access that resource"), ErrorKind.AUTH, "7"),
        (said(403, 29, "You are not permitted to access that resource."), ErrorKind.REJECTED, "29"),
        (
            said(403, 29, "Apps with Trial access may not create Pins in production … use API Sandbox …"),
            ErrorKind.OPERATOR,
            "29",
        ),
        (said(401, 3, "Your token does not have sufficient permissions."), ErrorKind.AUTH, "3"),
        (said(401, 3, "consumer type is not supported"), ErrorKind.OPERATOR, "3"),
        (said(403, 29, "You are not permitted to access that board"), ErrorKind.REJECTED, "29"),
        (said(403, 235, "Blocked as spam"), ErrorKind.REJECTED, "235"),
        (said(404, 40, "Board not found."), ErrorKind.REJECTED, "40"),
        (said(429, 8), ErrorKind.RATE_LIMITED, "8"),
        (said(500, 0), ErrorKind.TRANSIENT, "0"),
        (answer(502, "<html>"), ErrorKind.TRANSIENT, "http_502"),
        (answer(408, ""), ErrorKind.TRANSIENT, "http_408"),
        (answer(400, [1]), ErrorKind.REJECTED, "http_400"),
    ],
)
def test_refusals_have_a_kind_and_a_code(response: httpx.Response, kind: ErrorKind, code: str) -> None:
    error = PLATFORM.error_of(response)
    assert (error.kind, error.code, error.status) == (kind, code, response.status_code)
    assert error.message


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({}, 60), ({"x-ratelimit-reset": "12"}, 12), ({"retry-after": "7", "x-ratelimit-reset": "12"}, 7)]
    + [({"x-ratelimit-reset": value}, 60) for value in ("soon", "0", "1770000000")],
)
def test_a_rate_limit_says_when_to_come_back(headers: dict[str, str], seconds: int) -> None:
    assert PLATFORM.error_of(answer(429, "", **headers)).retry_after == timedelta(seconds=seconds)

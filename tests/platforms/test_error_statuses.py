"""Error responses of every platform: judged by their status if they name no code, and quoted if they explain more."""

from typing import Any

import httpx
import pytest

from platforms.errors import LONGEST_TEXT, ErrorKind, PlatformError
from platforms.registry import platforms

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


def error_of(name: str, status: int, **content: Any) -> PlatformError:
    request = httpx.Request("POST", "https://api.example/posts")
    return platforms()[name].read_error(httpx.Response(status, request=request, **content))


@pytest.mark.parametrize("status", KINDS)
@pytest.mark.parametrize("name", platforms())
@pytest.mark.one_in(4)
def test_an_error_without_a_code_is_judged_by_its_status(name: str, status: int) -> None:
    # An object from Reddit is its API's own answer; anything else comes from the guard before it.
    bodies = NO_OBJECT + OBJECTS * ((name, status) != ("reddit", 403))
    for body in bodies:
        error = error_of(name, status, text=body)
        assert (body, error.kind) == (body, OTHERWISE.get((name, status), KINDS[status]))
        assert "<" not in error.message
        assert name in NAMES_STATUSES or error.code == f"http_{status}"


WORDS: dict[str, Any] = {
    "bluesky": {"error": "InvalidRecord", "message": "{}"},
    "discord": {"code": 99999, "message": "{}"},
    "facebook": {"error": {"code": 9999, "message": "{}"}},
    "googlebusiness": {"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": "{}"}},
    "instagram": {"error": {"code": 100, "error_user_msg": "{}"}},
    "linkedin": {"status": 400, "code": "INVALID_VALUE_FOR_FIELD", "message": "{}"},
    "mastodon": {"error": "{}"},
    "pinterest": {"code": 1, "message": "{}"},
    "reddit": {"reason": "BAD_JSON", "explanation": "{}"},
    "telegram": {"ok": False, "error_code": 400, "description": "Bad Request: {}"},
    "threads": {"error": {"code": 100, "error_user_msg": "{}"}},
    "tiktok": {"error": {"code": "something_new", "message": "{}"}},
    "twitter": {"title": "Invalid Request", "detail": "{}", "type": "https://api.x.com/2/problems/invalid-request"},
    "youtube": {"error": {"code": 400, "message": "{}", "errors": [{"reason": "somethingNew"}]}},
}
"""A refusal with a code of no known meaning, in the shape of each platform."""


@pytest.mark.parametrize("name", platforms())
def test_an_unknown_refusal_is_quoted_and_cut_to_a_sane_length(name: str) -> None:
    def said(words: str) -> PlatformError:
        return error_of(name, 400, content=httpx.Response(200, json=WORDS[name]).text.replace("{}", words))

    assert said("Be more polite").kind is ErrorKind.REJECTED
    assert "refused: Be more polite" in said("Be more polite").message
    assert len(said("More polite. " * 1000).message) == LONGEST_TEXT

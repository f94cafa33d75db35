"""What each refusal of Telegram means."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from platforms.errors import Kind, PlatformError
from platforms.telegram.errors import ChatMovedError, error_of


def refusal(status: int, description: str, **parameters: Any) -> PlatformError:
    body = {"ok": False, "error_code": status, "description": description}
    return error_of(httpx.Response(status, json=body | ({"parameters": parameters} if parameters else {})))


@pytest.mark.parametrize(
    ("status", "description", "kind"),
    [
        (401, "Unauthorized", Kind.AUTH),
        (404, "Not Found", Kind.AUTH),
        (400, "Bad Request: chat not found", Kind.AUTH),
        (403, "Forbidden: bot was blocked by the user", Kind.AUTH),
        (403, "Forbidden: bot was kicked from the channel chat", Kind.AUTH),
        (403, "Forbidden: bot is not a member of the channel chat", Kind.AUTH),
        (403, "Forbidden: something new", Kind.AUTH),
        (400, "Bad Request: not enough rights to send photos to the chat", Kind.AUTH),
        (400, "Bad Request: CHAT_WRITE_FORBIDDEN", Kind.AUTH),
        (400, "Bad Request: message is too long", Kind.REJECTED),
        (400, "Bad Request: message caption is too long", Kind.REJECTED),
        (400, "Bad Request: message text is empty", Kind.REJECTED),
        (400, "Bad Request: PHOTO_INVALID_DIMENSIONS", Kind.REJECTED),
        (400, "Bad Request: IMAGE_PROCESS_FAILED", Kind.REJECTED),
        (400, "Bad Request: file is too big", Kind.REJECTED),
        (400, "Bad Request: message thread not found", Kind.REJECTED),
        (400, 'Bad Request: can\'t parse entities: Unsupported start tag "x" at byte offset 0', Kind.REJECTED),
        (413, "Request Entity Too Large", Kind.REJECTED),
        (413, "", Kind.REJECTED),
        (400, "Bad Request: brand new", Kind.REJECTED),
        (500, "Internal Server Error", Kind.TRANSIENT),
        (502, "Bad Gateway", Kind.TRANSIENT),
        (504, "Gateway Timeout", Kind.TRANSIENT),
        (429, "Too Many Requests: retry after 17", Kind.RATE_LIMITED),
    ],
)
def test_refusals_have_a_kind_and_a_sentence(status: int, description: str, kind: Kind) -> None:
    error = refusal(status, description)
    assert (error.kind, error.code, error.status) == (kind, str(status), status)
    assert error.message.endswith((".", "0", "new"))


def test_own_words_are_kept_where_ours_say_less() -> None:
    assert refusal(400, "Bad Request: brand new").message == "Telegram refused: brand new"
    assert "Unsupported start tag" in refusal(400, "Bad Request: can't parse entities: Unsupported start tag").message


def test_the_wait_is_in_the_body() -> None:
    assert refusal(429, "Too Many Requests: retry after 17", retry_after=17).retry_after == timedelta(seconds=17)
    assert refusal(429, "Too Many Requests").retry_after is None
    assert refusal(400, "Bad Request", retry_after=17).retry_after is None


def test_a_chat_that_moved_tells_where() -> None:
    error = refusal(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-100123)
    assert isinstance(error, ChatMovedError)
    assert (error.kind, error.chat_id) == (Kind.AUTH, -100123)


@pytest.mark.parametrize("content", [b"<html>Bad Gateway</html>", b"", b"[]", b'{"parameters": 1}'])
def test_what_is_no_json_goes_by_its_status(content: bytes) -> None:
    assert error_of(httpx.Response(502, content=content)).kind is Kind.TRANSIENT
    assert error_of(httpx.Response(400, content=content)).kind is Kind.REJECTED
    assert error_of(httpx.Response(302, content=content)).kind is Kind.REJECTED

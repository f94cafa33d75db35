"""The meaning of each error of Telegram."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from platforms.errors import ErrorKind, PlatformError
from platforms.telegram.errors import ChatMovedError, error_of


def refusal(status: int, description: str, **parameters: Any) -> PlatformError:
    body = {"ok": False, "error_code": status, "description": description}
    return error_of(httpx.Response(status, json=body | ({"parameters": parameters} if parameters else {})))


@pytest.mark.parametrize(
    ("status", "description", "kind"),
    [
        (401, "Unauthorized", ErrorKind.AUTH),
        (404, "Not Found", ErrorKind.AUTH),
        (400, "Bad Request: chat not found", ErrorKind.AUTH),
        (403, "Forbidden: bot was blocked by the user", ErrorKind.AUTH),
        (403, "Forbidden: bot was kicked from the channel chat", ErrorKind.AUTH),
        (403, "Forbidden: bot is not a member of the channel chat", ErrorKind.AUTH),
        (403, "Forbidden: something new", ErrorKind.AUTH),
        (400, "Bad Request: not enough rights to send photos to the chat", ErrorKind.AUTH),
        (400, "Bad Request: CHAT_WRITE_FORBIDDEN", ErrorKind.AUTH),
        (400, "Bad Request: message is too long", ErrorKind.REJECTED),
        (400, "Bad Request: message caption is too long", ErrorKind.REJECTED),
        (400, "Bad Request: message text is empty", ErrorKind.REJECTED),
        (400, "Bad Request: PHOTO_INVALID_DIMENSIONS", ErrorKind.REJECTED),
        (400, "Bad Request: IMAGE_PROCESS_FAILED", ErrorKind.REJECTED),
        (400, "Bad Request: file is too big", ErrorKind.REJECTED),
        (400, "Bad Request: message thread not found", ErrorKind.REJECTED),
        (400, 'Bad Request: can\'t parse entities: Unsupported start tag "x" at byte offset 0', ErrorKind.REJECTED),
        (413, "Request Entity Too Large", ErrorKind.REJECTED),
        (413, "", ErrorKind.REJECTED),
        (400, "Bad Request: brand new", ErrorKind.REJECTED),
        (500, "Internal Server Error", ErrorKind.TRANSIENT),
        (502, "Bad Gateway", ErrorKind.TRANSIENT),
        (504, "Gateway Timeout", ErrorKind.TRANSIENT),
        (429, "Too Many Requests: retry after 17", ErrorKind.RATE_LIMITED),
    ],
)
def test_refusals_have_a_kind_and_a_sentence(status: int, description: str, kind: ErrorKind) -> None:
    error = refusal(status, description)
    assert (error.kind, error.code, error.status) == (kind, str(status), status)
    assert error.message.endswith((".", "0", "new"))


def test_the_platforms_words_are_kept_if_ours_say_less() -> None:
    assert refusal(400, "Bad Request: brand new").message == "Telegram refused: brand new"
    assert "Unsupported start tag" in refusal(400, "Bad Request: can't parse entities: Unsupported start tag").message


def test_the_wait_is_in_the_body() -> None:
    assert refusal(429, "Too Many Requests: retry after 17", retry_after=17).retry_after == timedelta(seconds=17)
    assert refusal(429, "Too Many Requests").retry_after is None
    assert refusal(400, "Bad Request", retry_after=17).retry_after is None


def test_a_moved_chat_names_its_new_id() -> None:
    error = refusal(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-100123)
    assert isinstance(error, ChatMovedError)
    assert (error.kind, error.chat_id) == (ErrorKind.AUTH, -100123)

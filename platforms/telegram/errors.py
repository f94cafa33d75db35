"""The mapping of Telegram's error responses to kinds of PlatformError and messages for people."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx

from platforms.errors import ErrorKind, Meaning, Meanings, PlatformError
from platforms.http.refusals import Refusals
from platforms.http.untrusted import wait
from platforms.http.wire import json_object

_TOKEN = "Telegram does not know this bot's token. Connect the account again with the token from BotFather."  # noqa: S105
_ACCESS = "The bot may not publish in this chat. Add it again and let it post."
_LIMITED = "Telegram is limiting how much this bot may send right now."
_TOO_LARGE = "A file is too large for Telegram (10 MB photos, 50 MB videos)."

_FLOOD_WAIT = timedelta(seconds=60)
"""Telegram names no time for an album that it refused as a whole; reports of bots mention a minute."""
_WORDS: tuple[tuple[str, Meaning], ...] = (
    (
        r"failed to send message #\d+",
        (
            ErrorKind.UNCONFIRMED,
            "Telegram published only a part of the album. Look at the chat, and delete or complete it there.",
        ),
    ),
    (r"group send failed", (ErrorKind.RATE_LIMITED, _LIMITED)),
    (
        r"chat not found",
        (ErrorKind.AUTH, "Telegram does not find the chat. Check its name, and that the bot is in it."),
    ),
    (r"bot was (blocked|kicked)|bot is not a member|user is deactivated", (ErrorKind.AUTH, _ACCESS)),
    (
        r"not enough rights|CHAT_WRITE_FORBIDDEN|CHAT_ADMIN_REQUIRED|need administrator rights|have no rights",
        (ErrorKind.AUTH, _ACCESS),
    ),
    (
        r"caption is too long",
        (ErrorKind.REJECTED, "The text is too long for Telegram beside media (1,024 characters)."),
    ),
    (r"message is too long", (ErrorKind.REJECTED, "The text is too long for Telegram (4,096 characters).")),
    (r"text is empty|text must be non-empty", (ErrorKind.REJECTED, "Telegram finds no text to publish in this post.")),
    (r"message thread not found", (ErrorKind.REJECTED, "Telegram does not find the topic that messageThreadId names.")),
    (r"PHOTO_INVALID_DIMENSIONS", (ErrorKind.REJECTED, "The photo's shape is none that Telegram takes.")),
    (r"file is too big|entity too large", (ErrorKind.REJECTED, _TOO_LARGE)),
    (
        r"IMAGE_PROCESS_FAILED|wrong type of|can't parse media",
        (ErrorKind.REJECTED, "Telegram cannot read a media file."),
    ),
)
"""Parts of Telegram's `description`; sources: its server's code and the reports of many bots."""
_MEANINGS = Meanings(
    "Telegram",
    others={
        403: (ErrorKind.AUTH, _ACCESS),
        413: (ErrorKind.REJECTED, _TOO_LARGE),
        429: (ErrorKind.RATE_LIMITED, _LIMITED),
    },
    words=_WORDS,
)


class ChatMovedError(PlatformError):
    """Error: a group has become a supergroup. Nothing was published, and the chat's id is `chat_id` from now on."""

    def __init__(self, chat_id: int, status: int) -> None:
        message = "This group has become another chat at Telegram. Connect it again."
        super().__init__(ErrorKind.AUTH, message, code="chat_moved", status=status)
        self.chat_id = chat_id


_BY_NUMBER = frozenset({401, 403, 404, 413, 429})


def _trusts(body: Mapping[str, Any], error: PlatformError) -> bool:
    message = str(body.get("description") or "")
    if error.kind is ErrorKind.UNCONFIRMED:
        return False
    is_known = _MEANINGS.by_words(message) is not None or "can't parse" in message
    return is_known or isinstance(error, ChatMovedError) or body.get("error_code") in _BY_NUMBER


REFUSALS = Refusals(
    lambda body, _: body.get("ok") is False and body.keys() <= {"ok", "error_code", "description", "parameters"},
    _trusts,
)
"""Source: core.telegram.org/bots/api#making-requests."""


def read_error(response: httpx.Response) -> PlatformError:
    """Map an error response to a PlatformError."""
    return refusal(json_object(response), response.status_code)


def refusal(body: dict[str, Any], status: int) -> PlatformError:
    """Return the error of a refusal's body. No text of Telegram's contains the token: only the address does."""
    error_code, message = body.get("error_code"), str(body.get("description") or "")
    number = error_code if isinstance(error_code, int) else status
    parameters = body.get("parameters")
    parameters = parameters if isinstance(parameters, dict) else {}
    moved, retry_after = parameters.get("migrate_to_chat_id"), wait(parameters.get("retry_after"))
    if isinstance(moved, int):
        return ChatMovedError(moved, status)
    kind, sentence = _meaning(number, message)
    if kind is ErrorKind.RATE_LIMITED and number != httpx.codes.TOO_MANY_REQUESTS:
        retry_after = _FLOOD_WAIT
    wait_for = retry_after if kind is ErrorKind.RATE_LIMITED else None
    return PlatformError(kind, sentence, code=str(number), status=status, retry_after=wait_for)


def _meaning(number: int, message: str) -> Meaning:
    if number in {408, 429} or number >= 500:
        return _MEANINGS.by_status(number, message)
    # A malformed token makes an address that Telegram does not know.
    if number == 401 or (number == 404 and message in {"Not Found", ""}):
        return ErrorKind.AUTH, _TOKEN
    if parsed := re.search(r"can't parse entities: (.+)", message):
        return ErrorKind.REJECTED, f"Telegram cannot read the text's markup: {parsed[1]}"
    return _MEANINGS.by_words(message) or _MEANINGS.by_status(number, message.removeprefix("Bad Request: "))

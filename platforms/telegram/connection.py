"""A bot's connection to Telegram. Its token is part of every request's path, so no address must ever be shown."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx

from platforms.base import Connection
from platforms.errors import unreadable
from platforms.http.multipart import FilePart, MultipartForm, post_form
from platforms.http.wire import json_object
from platforms.telegram.errors import refusal
from platforms.telegram.settings import TelegramCredentials

TelegramConnection = Connection[TelegramCredentials]


async def ask(connection: TelegramConnection, method: str, **fields: Any) -> dict[str, Any]:
    """Call a method that changes nothing; return its result."""
    result = _result(connection, await connection.wire.send("POST", _path(connection, method), json=fields))
    if isinstance(result, dict):
        return result
    raise unreadable("Telegram")


async def ask_list(connection: TelegramConnection, method: str, **fields: Any) -> list[dict[str, Any]]:
    """Call a method that returns a list and changes nothing that others see; return the list."""
    result = _result(connection, await connection.wire.send("POST", _path(connection, method), json=fields))
    if isinstance(result, list):
        return [item for item in result if isinstance(item, dict)]
    raise unreadable("Telegram")


async def send(
    connection: TelegramConnection, method: str, fields: Mapping[str, Any], parts: Sequence[FilePart]
) -> list[dict[str, Any]]:
    """Call the one method that publishes; return the messages that it made."""
    if parts:
        form = MultipartForm({name: _encoded(value) for name, value in fields.items()}, parts)
        answer = await post_form(connection.wire, _path(connection, method), form, public=True)
    else:
        answer = await connection.wire.send("POST", _path(connection, method), json=dict(fields), public=True)
    result = _result(connection, answer, public=True)
    messages = result if isinstance(result, list) else [result]
    if messages and all(isinstance(message, dict) and message.get("message_id") for message in messages):
        return messages
    raise unreadable("Telegram", public=True)


async def remove(connection: TelegramConnection, message: int, chat: str | None = None) -> None:
    """Delete a message of a chat, by default of the account's."""
    chat_id = chat or connection.account.user_id
    await connection.wire.send(
        "POST", _path(connection, "deleteMessage"), json={"chat_id": chat_id, "message_id": message}
    )


def _path(connection: TelegramConnection, method: str) -> str:
    return f"/bot{quote(connection.credentials.access_token.get_secret_value(), safe=':')}/{method}"


def _result(connection: TelegramConnection, answer: httpx.Response, *, public: bool = False) -> Any:
    body = json_object(answer)
    if body.get("ok") is False:
        raise connection.wire.outcome(answer, refusal(body, answer.status_code), public=public)
    if "result" not in body:
        raise unreadable("Telegram", public=public)
    return body["result"]


def _encoded(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)

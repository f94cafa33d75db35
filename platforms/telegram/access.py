"""Access to Telegram's chats: calls of a bot, and the codes that prove who may publish in a chat."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import SecretStr

from platforms.access.bots import OF_APP, CodeConnector, CodePost, Inbox, require_bot_token
from platforms.access.connector import Connect, RemovalAdvice
from platforms.access.registered_apps import App
from platforms.base import Connection, PublishContext
from platforms.errors import PlatformError, unreadable
from platforms.http.multipart import FilePart, MultipartForm, post_form
from platforms.http.wire import json_object
from platforms.telegram.errors import refusal
from platforms.telegram.rules import TelegramCredentials, TelegramSettings

TelegramConnection = Connection[TelegramCredentials]
TelegramContext = PublishContext[TelegramSettings]


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


_CODE = re.compile(r"(?:/start(?:@\w{1,32})?\s+)?([0-9a-f]{32})")
_MOST_UPDATES = 100
_ADMINS = {"creator", "administrator"}
_NO_CHAT = "0"
"""The placeholder for the chat while none is known yet."""


class TelegramConnector(CodeConnector[TelegramCredentials]):
    """The operator's bot. Source: core.telegram.org/bots/api, getUpdates and getChatMember.

    Only one service may ask for a bot's updates, and only while no webhook is set for the bot. Unverified: that the
    link opens the choice of a channel.
    """

    name = "telegram"

    def removal_advice(self, credentials: TelegramCredentials | None) -> RemovalAdvice:
        """Return how a bot loses its access."""
        return RemovalAdvice("To end it there, too, remove the bot from the chat's administrators and members.")

    async def invite(self, connect: Connect, app: App) -> str:
        """Return where a person adds the bot to a channel. Raises PlatformError."""
        connection = connect(self.credentials_at(app, _NO_CHAT))
        bot = await ask(connection, "getMe")
        page = connection.wire.address(self.platform.base_url, f"https://t.me/{bot.get('username')}")
        return f"{page}?startchannel&admin=post_messages"

    async def inbox(self, connect: Connect, app: App) -> Inbox:
        """Return the codes that were posted in the bot's chats. Raises PlatformError."""
        require_bot_token(app, self.label)
        connection = connect(self.credentials_at(app, _NO_CHAT))
        asked = {"timeout": 0, "limit": _MOST_UPDATES, "allowed_updates": ["message", "channel_post"]}
        try:
            updates = await ask_list(connection, "getUpdates", **asked)
        except PlatformError as error:
            if error.status != 409:
                raise
            # Another process asks at this moment and gets the same updates.
            return Inbox(())
        last = max(
            (update["update_id"] for update in updates if isinstance(update.get("update_id"), int)), default=None
        )

        async def forget() -> None:
            if last is not None:
                await ask_list(connection, "getUpdates", **asked | {"offset": last + 1, "limit": 1})

        return Inbox(tuple(_posts(updates)), forget)

    async def may_connect(self, connect: Connect, app: App, post: CodePost) -> bool:
        """Return whether the author of the code may decide for the chat. Raises PlatformError."""
        if post.author is None:
            return True
        connection = connect(self.credentials_at(app, post.place))
        member = await ask(connection, "getChatMember", chat_id=post.place, user_id=int(post.author))
        return member.get("status") in _ADMINS

    async def remove_code_post(self, connect: Connect, app: App, post: CodePost) -> None:
        """Delete the post with the code, if the bot may. Raises PlatformError."""
        await remove(connect(self.credentials_at(app, post.place)), post.message, post.place)

    def credentials_at(self, app: App, place: str) -> TelegramCredentials:
        """Return the credentials of a chat that the operator's bot was added to."""
        return TelegramCredentials(access_token=SecretStr(OF_APP), user_id=place, client_id=app.client_id)


def _posts(updates: Sequence[dict[str, Any]]) -> list[CodePost]:
    """Return the posts that consist of a code. In a channel only those who may post write; in a group anyone may."""
    posts = []
    for update in updates:
        in_channel = update.get("channel_post")
        message = in_channel or update.get("message") or {}
        chat, author = message.get("chat") or {}, message.get("from") or {}
        match = _CODE.fullmatch(str(message.get("text") or "").strip())
        if match is None or chat.get("type") not in {"channel", "group", "supergroup"}:
            continue
        # An administrator who posts anonymously posts as the group.
        as_chat = in_channel or (message.get("sender_chat") or {}).get("id") == chat.get("id")
        if as_chat or isinstance(author.get("id"), int):
            user = None if as_chat else str(author["id"])
            posts.append(CodePost(match[1], str(chat.get("id")), user, int(message.get("message_id") or 0)))
    return posts


CONNECTOR = TelegramConnector()

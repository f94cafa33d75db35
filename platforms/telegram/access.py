"""Access to Telegram's chats with this service's bot: someone who may post in a chat posts a code there.

A chat's id proves nothing, because anyone may write it down, and the same bot serves all workspaces. The code is the
proof.
"""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr

from platforms.access.bots import OF_APP, require_bot_token
from platforms.access.connector import Connect, RemovalAdvice
from platforms.access.posted_codes import CodeConnector, CodePost, Inbox
from platforms.access.registered_apps import App
from platforms.errors import PlatformError
from platforms.telegram.connection import ask, ask_list, remove
from platforms.telegram.settings import TelegramCredentials

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

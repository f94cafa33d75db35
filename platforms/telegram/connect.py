"""The connector for Telegram's chats with this service's bot: someone who may post in a chat posts a code there.

A chat's id proves nothing, because anyone may write it down, and the same bot serves all workspaces. The code is the
proof.
"""

import re
from collections.abc import Sequence
from typing import Any

from pydantic import SecretStr

from platforms.access.bots import OF_APP, token_of
from platforms.access.codes_posted import CodePost, Inbox
from platforms.access.connect import Connect, Connector
from platforms.access.registered_apps import App
from platforms.errors import PlatformError
from platforms.http.wire import Wire
from platforms.telegram.connection import ask, ask_list, remove
from platforms.telegram.settings import TelegramCredentials

_CODE = re.compile(r"(?:/start(?:@\w{1,32})?\s+)?([0-9a-f]{32})")
_MOST_UPDATES = 100
_ADMINS = {"creator", "administrator"}
_NO_CHAT = "0"
"""The placeholder for the chat while none is known yet."""


class TelegramConnector(Connector[TelegramCredentials]):
    """The operator's bot. Source: core.telegram.org/bots/api, getUpdates and getChatMember.

    Only one service may ask for a bot's updates, and only while no webhook is set for the bot. Unverified: that the
    link opens the choice of a channel.
    """

    name = "telegram"
    authorize = "https://t.me/"
    token = ""
    scopes = ()
    pkce = False
    needs_app = False
    by_code = True

    def to_remove(self, credentials: TelegramCredentials | None) -> str:
        """Return how a bot loses its access."""
        return "To end it there, too, remove the bot from the chat's administrators and members."

    async def invite(self, wire: Wire, connect: Connect, app: App) -> str:
        """Return where a person adds the bot to a channel. Raises PlatformError."""
        bot = await ask(connect(credentials_for(app, _NO_CHAT)), "getMe")
        return f"{self.at(wire, self.authorize + str(bot.get('username')))}?startchannel&admin=post_messages"

    async def inbox(self, connect: Connect, app: App) -> Inbox:
        """Return the codes that were posted in the bot's chats. Raises PlatformError."""
        token_of(app, self.platform.label)
        connection = connect(credentials_for(app, _NO_CHAT))
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
        connection = connect(credentials_for(app, post.place))
        member = await ask(connection, "getChatMember", chat_id=post.place, user_id=int(post.author))
        return member.get("status") in _ADMINS

    async def remove_code_post(self, connect: Connect, app: App, post: CodePost) -> None:
        """Delete the post with the code, if the bot may. Raises PlatformError."""
        await remove(connect(credentials_for(app, post.place)), post.message, post.place)

    def credentials_at(self, app: App, place: str) -> TelegramCredentials:
        """Return the credentials of a chat."""
        return credentials_for(app, place)


def credentials_for(app: App, chat: str) -> TelegramCredentials:
    """Return the credentials of a chat that the operator's bot was added to."""
    return TelegramCredentials(access_token=SecretStr(OF_APP), user_id=chat, client_id=app.client_id)


def _posts(updates: Sequence[dict[str, Any]]) -> list[CodePost]:
    """Return the posts that consist of a code. In a channel only those who may post write; in a group anyone may."""
    found = []
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
            by = None if as_chat else str(author["id"])
            found.append(CodePost(match[1], str(chat.get("id")), by, int(message.get("message_id") or 0)))
    return found


CONNECTOR = TelegramConnector()

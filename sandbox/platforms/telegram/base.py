"""Telegram's answers, its bots, and their chats and rights there."""

import hashlib
import html
import math
import re
from abc import ABC
from http.client import responses
from typing import Any

import msgspec

from sandbox.accounts import Account
from sandbox.fake_platform import FakePlatform, route
from sandbox.wire import Answer, MalformedBodyError, RefusedError, Request
from sandbox.world import World

SHARED_BOT, SHARED_BOT_NAME = "1000000001:sandbox-bot-token", "sandbox_bot"
"""The token of the shared app's bot."""

_TOKEN = re.compile(r"^/bot[^/]*")


def refusal(status: int, description: str, **parameters: int) -> Answer:
    """Return an error in Telegram's form."""
    body: dict[str, Any] = {"ok": False, "error_code": status, "description": description}
    return Answer.json(body | {"parameters": parameters} if parameters else body, status)


def bad(description: str) -> RefusedError:
    """Refuse a request with status 400."""
    return RefusedError(refusal(400, f"Bad Request: {description}"))


def done(result: object) -> Answer:
    """Return a successful response."""
    return Answer.json({"ok": True, "result": result})


ADMIN, MEMBER = 7001, 7002
"""The people in every chat: one administrator and one member."""
_FIRST_MESSAGE = 900_001


class Chat(msgspec.Struct):
    """A chat to which the shared bot was added, and whether it may post there."""

    user_id: str
    kind: str
    may_post: bool


def _page(message: str = "") -> str:
    """Return the page of a person's Telegram; it posts to its own address."""
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox of Telegram: a channel</title>
<meta name="viewport" content="width=device-width"><meta name="referrer" content="same-origin">
<body style="font: 16px system-ui; max-width: 32rem; margin: 3rem auto; padding: 0 1rem"><main>
<h1>Sandbox of Telegram</h1><p>{html.escape(message)}</p>
<form method="post"><p><label>Channel <input name="chat" value="newcomer" required></label></p>
<p><label><input type="checkbox" name="rights" value="yes" checked> The bot is an administrator</label></p>
<p><label>Text <input name="text" size="40" required></label></p>
<p><button>Post in the channel</button></p></form></main></body></html>"""


def bot(account: Account) -> dict[str, object]:
    """Describe the account's bot; its number is made from the chat's number."""
    number = int(account.user_id) % 9_000_000_000 + 1_000_000_000
    return {"id": number, "is_bot": True, "first_name": account.username, "username": f"{account.username}_bot"}


class FakeBot(FakePlatform, ABC):
    """State, methods and chats of all of Telegram's routes. An account's chat is a channel that its bot administers."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.chats = world.collection(self.platform, "chat", Chat)
        self._updates: list[dict[str, Any]] = []
        self._newest_read = 0

    def failure(self, status: int, message: str | None = None) -> Answer:
        """Return the response to a failure, by its status alone."""
        return refusal(status, message or responses.get(status, "Error"))

    def refused_content(self) -> Answer:
        """Return the response to a post that does not pass validation."""
        return refusal(400, "Bad Request: message text is empty")

    def unauthorized(self) -> Answer:
        """Return the response to an unknown token."""
        return refusal(401, "Unauthorized")

    def rate_limited(self, seconds: float) -> Answer:
        """Return the response to a reached limit; the wait is in whole seconds, in the body only."""
        wait = math.ceil(seconds)
        return refusal(429, f"Too Many Requests: retry after {wait}", retry_after=wait)

    def logged_path(self, path: str) -> str:
        """Mask the token, which is part of the path."""
        return _TOKEN.sub("/bot***", path)

    def token(self, request: Request) -> str:
        """Return the token from the path."""
        return request.params.get("token", "")

    def own_chat(self, account: Account, chat: object) -> None:
        """Refuse any chat but the account's own; groups that moved are named by `-100` and their number."""
        if str(chat or "") == "":
            raise bad("chat_id is empty")
        if str(chat) not in {account.user_id, f"-100{account.user_id}", f"@{account.username}"}:
            raise bad("chat not found")

    @route("POST", "/bot{token}/getUpdates", "auth")
    async def updates(self, request: Request) -> Answer:
        """Return the posted messages; an `offset` removes all updates before it."""
        values = parameters(request)
        values.get("timeout")
        if self.token(request) != SHARED_BOT:
            raise RefusedError(self.unauthorized())
        offset, allowed = int(values.get("offset") or 0), values.get("allowed_updates") or ["message", "channel_post"]
        if offset:
            self._updates = [update for update in self._updates if update["update_id"] >= offset]
        allowed_updates = [update for update in self._updates if set(allowed) & set(update)]
        return done(allowed_updates[: int(values.get("limit") or 100)])

    @route("GET", f"/{SHARED_BOT_NAME}", "auth")
    async def page(self, request: Request) -> Answer:
        """Return the page on which a person adds the bot to a chat and posts there."""
        for name in ("startchannel", "admin"):
            request.query.get(name)
        return Answer.text(_page())

    @route("POST", f"/{SHARED_BOT_NAME}", "auth")
    async def post(self, request: Request) -> Answer:
        """Add the bot to a chat, and post a text there as its owner, or as `author`."""
        for name in ("startchannel", "admin"):
            request.query.get(name)
        form = request.form()
        name, kind = str(form.get("chat") or "newcomer").lstrip("@"), str(form.get("kind") or "channel")
        author = int(str(form.get("author") or ADMIN))
        chat = self._chat(name)
        self.chats.put(chat.user_id, Chat(chat.user_id, kind, form.get("rights") == "yes"))
        self._newest_read += 1
        message = {
            "message_id": _FIRST_MESSAGE + self._newest_read,
            "chat": self.chat(chat),
            "text": str(form.get("text", "")),
        }
        if kind == "channel":
            update = {"channel_post": message | {"sender_chat": self.chat(chat)}}
        else:
            update = {"message": message | {"from": {"id": author, "is_bot": False, "first_name": "Ada"}}}
        self._updates.append({"update_id": self._newest_read, **update})
        return Answer.text(_page(f"Posted in {name}."))

    def chat(self, account: Account) -> dict[str, object]:
        """Describe the account's chat."""
        known = self.chats.get(account.user_id)
        kind, number = known.kind if known else "channel", int(account.user_id)
        return {"id": number, "title": account.username, "username": account.username, "type": kind}

    def rights(self, account: Account, user: object) -> dict[str, object] | None:
        """Return a person's rights in a chat of the shared bot; None in other chats."""
        known = self.chats.get(account.user_id)
        if known is None or str(user) not in {str(ADMIN), str(MEMBER), SHARED_BOT.partition(":")[0]}:
            return None
        if str(user) == str(MEMBER):
            return {"status": "member"}
        if str(user) == str(ADMIN):
            return {"status": "creator"}
        if known.kind == "channel":
            return {"status": "administrator", "can_post_messages": known.may_post, "can_delete_messages": True}
        return {"status": "member" if known.may_post else "left"}

    def _chat(self, name: str) -> Account:
        known = (
            account for account in self.world.accounts if (account.platform, account.username) == (self.platform, name)
        )
        number = str(10**9 + int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]) % (8 * 10**9))
        return next(known, None) or self.new_account(number, name[:32])

    def account(self, request: Request) -> Account:
        """Return the account that the bot belongs to. The shared bot acts for the chat that the request names."""
        if self.token(request) != SHARED_BOT:
            return super().account(request)
        chat = str(parameters(request).get("chat_id") or "").removeprefix("-100").lstrip("@")
        accounts = (account for account in self.world.accounts if account.platform == self.platform)
        account = next((account for account in accounts if chat in {account.user_id, account.username}), None)
        if account is None or self.chats.get(account.user_id) is None:
            raise bad("chat not found")
        return account

    @route("GET", "/bot{token}/getMe", "auth")
    @route("POST", "/bot{token}/getMe", "auth")
    async def me(self, request: Request) -> Answer:
        """Return the account that the token belongs to."""
        if self.token(request) == SHARED_BOT:
            number = int(SHARED_BOT.partition(":")[0])
            return done({"id": number, "is_bot": True, "first_name": "Sandbox", "username": SHARED_BOT_NAME})
        return done(bot(self.account(request)))

    @route("GET", "/bot{token}/getChat", "auth")
    @route("POST", "/bot{token}/getChat", "auth")
    async def one_chat(self, request: Request) -> Answer:
        """Describe a chat by number or name."""
        account = self.account(request)
        self.own_chat(account, parameters(request).get("chat_id"))
        return done({**self.chat(account), "accent_color_id": 0, "max_reaction_count": 11})

    @route("GET", "/bot{token}/getChatMember", "auth")
    @route("POST", "/bot{token}/getChatMember", "auth")
    async def member(self, request: Request) -> Answer:
        """Return the bot's rights in the chat."""
        account, values = self.account(request), parameters(request)
        self.own_chat(account, values.get("chat_id"))
        if self.token(request) == SHARED_BOT:
            member = self.rights(account, values.get("user_id"))
            if member is None:
                raise bad("member not found")
            return done({**member, "user": {"id": values.get("user_id")}})
        rights = {"can_post_messages": True, "can_edit_messages": True, "can_delete_messages": True}
        return done({"status": "administrator", "user": bot(account), "can_be_edited": False, **rights})


def parameters(request: Request) -> dict[str, Any]:
    """Merge the parameters of query and body (form or JSON); the body takes precedence."""
    try:
        return request.parameters()
    except MalformedBodyError as error:
        raise bad("request body can't be read") from error

"""Telegram's answers, its addresses of bots and its names of chats."""

import math
import re
from abc import ABC
from http.client import responses
from typing import Any

from sandbox.accounts import Account
from sandbox.fake_platform import FakePlatform
from sandbox.wire import Answer, MalformedBodyError, RefusedError, Request

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


class FakeBot(FakePlatform, ABC):
    """State and methods of all of Telegram's routes. An account's chat is a channel that its bot administers."""

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

    def chat(self, account: Account) -> dict[str, object]:
        """Describe the account's chat."""
        number = int(account.user_id)
        return {"id": number, "title": account.username, "username": account.username, "type": "channel"}


def parameters(request: Request) -> dict[str, Any]:
    """Merge the parameters of query and body (form or JSON); the body takes precedence."""
    if not request.body:
        return request.merged()
    try:
        return request.merged(request.json() if request.is_json else request.form())
    except MalformedBodyError as error:
        raise bad("request body can't be read") from error

"""Discord's errors, ids and limits, and how it distinguishes bots from webhooks."""

import math
import re
from abc import ABC
from contextlib import suppress
from http.client import responses
from typing import Any

import msgspec

from sandbox.accounts import Account
from sandbox.fake_platform import FakePlatform, Route
from sandbox.ids import Snowflakes
from sandbox.posts import PublicPost, iso_milliseconds
from sandbox.wire import Answer, RefusedError, Request
from sandbox.world import World

EPOCH_MILLISECONDS = 1_420_070_400_000
REQUESTS, SECONDS = 5, 5
"""Per account and route, unverified: Discord gives its limits in headers only and may change them at any time."""
GUILD, OTHER_GUILD = "41771983423143937", "81384788765712384"
"""The server of all accounts, and another one with the same bots, whose channels' numbers begin with 999."""

SHARED_BOT = "sandbox-bot-token"
"""The token of the shared app's bot: it is in the servers to which people have added it."""
SHARED_BOT_ID = "100000000000000001"

_VERSION = re.compile(r"^/(?:api/)?v\d+(?=/)")
_WEBHOOK = re.compile(r"(/webhooks/\d+/)[^/]+")
_SNOWFLAKE = re.compile(r"[1-9]\d{15,19}")


def error(status: int, code: int, message: str, **more: Any) -> Answer:
    """Return an error in Discord's form."""
    return Answer.json({"message": message, "code": code, **more}, status)


def refused(status: int, code: int, message: str) -> RefusedError:
    """Refuse a request."""
    return RefusedError(error(status, code, message))


def invalid(field: str, code: str, message: str) -> RefusedError:
    """Refuse one field of a body; Discord nests the errors by field."""
    faults: dict[str, Any] = {"_errors": [{"code": code, "message": message}]}
    for name in reversed(field.split(".")):
        faults = {name: faults}
    return RefusedError(error(400, 50035, "Invalid Form Body", errors=faults))


class Place(msgspec.Struct):
    """A channel with its server, or a webhook with its channel, made by an authorization."""

    number: str
    within: str
    name: str = ""


class FakeGuild(FakePlatform, ABC):
    """State and methods of all of Discord's routes. An account is a channel of one guild, or a webhook in it."""

    conditions = {  # noqa: RUF012
        "history_hidden": "The bot may not read the channel's history: lists are empty, without an error.",
        "no_rights": "The bot may not send messages in the channel.",
        "text_rewritten": "Characters of a text are shown otherwise than they were sent.",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.ids = Snowflakes(world.now, EPOCH_MILLISECONDS)
        self.hooks = world.collection(self.platform, "hook", Place)
        self.channels = world.collection(self.platform, "channel", Place)

    def failure(self, status: int, message: str | None = None) -> Answer:
        """Return the response to a failure, by its status alone."""
        return error(status, 0, f"{status}: {message or responses.get(status, 'Error')}")

    def refused_content(self) -> Answer:
        """Return the response to a post that does not pass validation."""
        return error(400, 50035, "Invalid Form Body")

    def unauthorized(self) -> Answer:
        """Return the response to an unknown token."""
        return self.failure(401)

    def token_expired(self) -> Answer:
        """Return the response to a token that was reset."""
        return error(401, 50014, "Invalid authentication token")

    def rate_limited(self, seconds: float) -> Answer:
        """Return the response to a reached limit: whole seconds in the header, the exact wait in the body."""
        body = {"message": "You are being rate limited.", "retry_after": round(seconds, 3), "global": False}
        headers = {"Retry-After": str(math.ceil(seconds)), "X-RateLimit-Scope": "user"}
        return Answer.json(body, 429, headers).with_headers(self._counted(0, seconds))

    def inner_path(self, path: str) -> str:
        """Strip the version."""
        return _VERSION.sub("", path)

    def logged_path(self, path: str) -> str:
        """Mask the token of a webhook, which is part of its path."""
        return _WEBHOOK.sub(r"\1***", path)

    def token(self, request: Request) -> str:
        """Return a bot's token from the header."""
        scheme, _, token = request.header("authorization").partition(" ")
        return token.strip() if scheme == "Bot" else ""

    def account(self, request: Request) -> Account:
        """Return the account that the bot belongs to. The shared bot acts for the channel that the request names."""
        if self.token(request) != SHARED_BOT:
            return super().account(request)
        channel = request.params.get("id", "")
        account = self.world.accounts.by_user(self.platform, channel) if self.channels.get(channel) else None
        if account is None:
            raise refused(404, 10003, "Unknown Channel")
        return account

    def bot(self, request: Request) -> dict[str, Any]:
        """Describe the bot of a request."""
        if self.token(request) != SHARED_BOT:
            return bot(self.account(request))
        return {"id": SHARED_BOT_ID, "username": "sandbox", "discriminator": "0001", "avatar": None, "bot": True}

    def hook_channel(self, webhook: str) -> str:
        """Return the channel of a webhook, which follows from its number unless an authorization made the webhook."""
        hook = self.hooks.get(webhook)
        return hook.within if hook else str(int(webhook) + 1)

    def channel_guild(self, channel: str) -> str:
        """Return the server that a channel or thread belongs to."""
        described = self.channels.get(channel)
        return described.within if described else OTHER_GUILD if channel.startswith("999") else GUILD

    def channel(self, request: Request) -> tuple[Account, str]:
        """Return the account of the bot, and the channel. Any number that could be one counts as a thread."""
        account, channel = self.account(request), request.params["id"]
        if channel != account.user_id and (
            not _SNOWFLAKE.fullmatch(channel) or self.world.accounts.by_user(self.platform, channel) is not None
        ):
            raise refused(404, 10003, "Unknown Channel")
        return account, channel

    def account_id(self, request: Request) -> str | None:
        """Return the account's id; webhooks are recognised by their address."""
        if "token" not in request.params:
            return super().account_id(request)
        with suppress(RefusedError):
            return self.webhook(request).account_id
        return None

    def webhook(self, request: Request) -> Account:
        """Return the account of the webhook."""
        account = self.world.accounts.by_token(self.platform, request.params["token"])
        number = request.params["id"]
        if account is None or not self._is_own_hook(number, account):
            raise refused(404, 10015, "Unknown Webhook")
        return account

    def _is_own_hook(self, number: str, account: Account) -> bool:
        """Return whether a webhook is an account's: its first one, or one that replaced that in the same channel."""
        first = account.user_id.removeprefix("webhook-")
        hooks = self.hooks.get(first), self.hooks.get(number)
        return first == number or (None not in hooks and len({hook.within for hook in hooks if hook}) == 1)

    async def serve(self, route: Route, request: Request) -> Answer:
        """Count the request, and report the count in the answer's headers."""
        if "/oauth2/" in request.path:
            return await route.handler(request)
        key = (self.platform, request.method, self.inner_path(request.path))
        window = self.world.windows.take(key, REQUESTS, SECONDS)
        seconds = window.resets_at - self.world.now()
        if not window.allowed:
            return self.rate_limited(seconds)
        try:
            answer = await route.handler(request)
        except RefusedError as error:
            answer = error.answer
        return answer.with_headers(self._counted(window.remaining, seconds))

    def described(self, post: PublicPost) -> dict[str, Any]:
        """Return a message as Discord shows it; only the answer to its creation has the nonce."""
        detail = post.detail
        hook = {"webhook_id": detail["webhook"]} if detail["webhook"] else {}
        return {
            "id": post.platform_post_id,
            "type": 0,
            "channel_id": detail["channel"],
            "content": self._content(post),
            "author": detail["author"],
            "attachments": detail["attachments"],
            "embeds": detail["embeds"],
            **_poll(detail.get("poll")),
            "flags": detail["flags"],
            "tts": detail["tts"],
            "timestamp": iso_milliseconds(post.created_at).replace("Z", "000+00:00"),
            "edited_timestamp": None,
            "mentions": [],
            "mention_roles": [],
            "mention_everyone": False,
            "pinned": False,
            "components": [],
            **hook,
        }

    def _content(self, post: PublicPost) -> str:
        rewritten = self.world.conditions.holds(self.platform, "text_rewritten", post.account_id)
        return post.text.strip().replace("\u2026", "...") if rewritten else post.text.strip()

    def _counted(self, remaining: int, seconds: float) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(REQUESTS),
            "X-RateLimit-Remaining": str(remaining),
            "X-RateLimit-Reset": f"{self.world.now() + seconds:.3f}",
            "X-RateLimit-Reset-After": f"{seconds:.3f}",
            "X-RateLimit-Bucket": "80c17d2f203122d936070c88c8d10f33",
        }


def bot(account: Account) -> dict[str, Any]:
    """Describe an account's bot."""
    number = str(10**17 + int(re.sub(r"\D", "", account.user_id) or 0) % 10**17)
    return {"id": number, "username": account.username, "discriminator": "0001", "avatar": None, "bot": True}


def _poll(poll: dict[str, Any] | None) -> dict[str, Any]:
    if poll is None:
        return {}
    answers = [{"answer_id": number, "poll_media": {"text": text}} for number, text in enumerate(poll["options"], 1)]
    return {"poll": {"question": {"text": poll["question"]}, "answers": answers, "layout_type": 1}}

"""Discord's page of consent, which makes a webhook in a channel or adds the app's bot to a server."""

import hashlib
import math
import re
import secrets
from abc import ABC
from contextlib import suppress
from http.client import responses
from typing import Any

import msgspec

from sandbox.accounts import Account
from sandbox.authorization import ConsentRules, OAuthError, basic_client
from sandbox.fake_platform import FakePlatform, Route, route
from sandbox.journal import Snowflakes
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


_SECONDS = 604_800
_SCOPES = frozenset(("webhook.incoming", "bot", "identify"))
_TEXT, _NEWS, _FORUM = 0, 5, 15
_SEND, _ALL = 1 << 11, str((1 << 10) | (1 << 11) | (1 << 14) | (1 << 15) | (1 << 16))


class FakeGuild(FakePlatform, ABC):
    """State, methods and authorization of all of Discord's routes. An account is a channel or a webhook in it."""

    # Discord does not document how long a code is valid.
    consent = ConsentRules(
        "/oauth2/authorize", _SCOPES, code_seconds=600, pkce="none", optional_parameters=("permissions",)
    )
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

    def gate(self, route: Route, request: Request) -> dict[str, str]:
        """Count the request, and report the count in the answer's headers."""
        if "/oauth2/" in request.path:
            return {}
        key = (self.platform, request.method, self.inner_path(request.path))
        window = self.world.windows.take(key, REQUESTS, SECONDS)
        self.admit(window)
        return self._counted(window.remaining, window.resets_at - self.world.now())

    def malformed(self, reason: str) -> Answer:
        """Return the response to a body that is no JSON."""
        return error(400, 50109, "The request body contains invalid JSON.")

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

    @route("POST", "/api/oauth2/token", "auth")
    async def redeem(self, request: Request) -> Answer:
        """Exchange a code; the answer has the new webhook, or the server."""
        form = request.form()
        if form.get("grant_type") != "authorization_code":
            return Answer.json({"error": "unsupported_grant_type"}, 400)
        try:
            account, scopes = self.authorization_server.redeem(form, basic_client(request), self.world.now())
        except OAuthError as problem:
            return self.oauth_refused(problem)
        answer: dict[str, object] = {
            "token_type": "Bearer",
            "access_token": secrets.token_urlsafe(24),
            "scope": " ".join(scopes),
            "expires_in": _SECONDS,
            "refresh_token": secrets.token_urlsafe(24),
        }
        if "webhook.incoming" in scopes:
            answer["webhook"] = self._new_webhook(account)
        if "bot" in scopes:
            answer["guild"] = {"id": self._guild(account), "name": account.username}
        return Answer.json(answer)

    @route("DELETE", "/webhooks/{id}/{token}", "delete")
    async def remove_webhook(self, request: Request) -> Answer:
        """Delete a webhook; only its token is needed.

        The API deletes a webhook that a newer one in the same channel replaces, and keeps the account's id. So the next
        webhook there, and what it has published, now belongs to the account of the deleted one.
        """
        account, number = self.webhook(request), request.params["id"]
        self.world.accounts.revoke_for_app(self.platform, request.params["token"])
        channel = self.hook_channel(number)
        newer = (hook.number for hook in self.hooks if hook.within == channel and int(hook.number) > int(number))
        successor = self.world.accounts.by_user(self.platform, f"webhook-{next(newer, '')}")
        if successor is not None:
            self.world.accounts.move_tokens(successor, account)
            self.world.posts.move(successor, account)
        return Answer(204)

    @route("GET", "/guilds/{guild}/channels", "auth")
    async def list_channels(self, request: Request) -> Answer:
        """List a server's channels."""
        channels = []
        for channel, kind in zip(self._own(request), (_TEXT, _NEWS, _TEXT, _FORUM), strict=True):
            closed = [{"id": channel.within, "type": 0, "allow": "0", "deny": str(_SEND)}]
            overwrites = closed if channel.name == "staff" else []
            shown = {"id": channel.number, "type": kind, "guild_id": channel.within, "name": channel.name}
            channels.append({**shown, "permission_overwrites": overwrites})
        return Answer.json(channels)

    @route("GET", "/guilds/{guild}/roles", "auth")
    async def list_roles(self, request: Request) -> Answer:
        """List a server's roles; the role of all members has the server's number."""
        guild = self._own(request)[0].within
        return Answer.json([{"id": guild, "name": "@everyone", "permissions": _ALL}])

    @route("GET", "/guilds/{guild}/members/{user}", "auth")
    async def member(self, request: Request) -> Answer:
        """Return the bot as a member of the server."""
        self._own(request)
        own = self.bot(request)["id"]
        if request.params["user"] != own:
            raise refused(404, 10007, "Unknown Member")
        return Answer.json({"user": {"id": own, "bot": True}, "roles": []})

    def _own(self, request: Request) -> list[Place]:
        """Return the channels of a server to which the bot was added. A bot of its own is in the one server of all."""
        if self.token(request) != SHARED_BOT:
            account, guild = self.account(request), request.params["guild"]
            if guild != self.channel_guild(account.user_id):
                raise refused(403, 50001, "Missing Access")
            others = (Place(_number(f"{name} {guild}"), guild, name) for name in ("news", "staff", "forum"))
            return [Place(account.user_id, guild, "general"), *others]
        channels = [channel for channel in self.channels if channel.within == request.params["guild"]]
        if not channels:
            raise refused(404, 10004, "Unknown Guild")
        return channels

    def _new_webhook(self, account: Account) -> dict[str, object]:
        """Make a webhook in the channel that the person has named."""
        number, token, channel = self.ids.next(), secrets.token_urlsafe(48), _number(f"channel {account.username}")
        self.hooks.put(number, Place(number, channel))
        self.new_account(f"webhook-{number}", account.username, token)
        shown = {"id": number, "token": token, "type": 1, "channel_id": channel, "name": account.username}
        return {**shown, "guild_id": self.channel_guild(channel), "avatar": None, "application_id": SHARED_BOT_ID}

    def _guild(self, account: Account) -> str:
        """Add the bot to the server that the person has named."""
        guild = _number(f"guild {account.username}")
        for name in ("general", "news", "staff", "forum"):
            number = _number(f"{name} {account.username}")
            if self.channels.get(number) is None:
                self.channels.put(number, Place(number, guild, name))
                self.new_account(number, name)
        return guild


def bot(account: Account) -> dict[str, Any]:
    """Describe an account's bot."""
    number = str(10**17 + int(re.sub(r"\D", "", account.user_id) or 0) % 10**17)
    return {"id": number, "username": account.username, "discriminator": "0001", "avatar": None, "bot": True}


def _poll(poll: dict[str, Any] | None) -> dict[str, Any]:
    if poll is None:
        return {}
    answers = [{"answer_id": number, "poll_media": {"text": text}} for number, text in enumerate(poll["options"], 1)]
    return {"poll": {"question": {"text": poll["question"]}, "answers": answers, "layout_type": 1}}


def _number(seed: str) -> str:
    """Return a snowflake, always the same for the same seed."""
    return str(10**17 + int.from_bytes(hashlib.sha256(seed.encode()).digest()[:7]) % (8 * 10**17))

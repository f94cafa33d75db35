"""Discord's page of consent, which makes a webhook in a channel or adds the app's bot to a server."""

import hashlib
import secrets

from sandbox.accounts import Account
from sandbox.authorization import ConsentRules, OAuthError, basic_client
from sandbox.fake_platform import route
from sandbox.platforms.discord.base import SHARED_BOT, SHARED_BOT_ID, FakeGuild, Place, refused
from sandbox.wire import Answer, Request

_SECONDS = 604_800
_SCOPES = frozenset(("webhook.incoming", "bot", "identify"))
_TEXT, _NEWS, _FORUM = 0, 5, 15
_SEND, _ALL = 1 << 11, str((1 << 10) | (1 << 11) | (1 << 14) | (1 << 15) | (1 << 16))


class ConsentRoutes(FakeGuild):
    """The routes of codes, of webhooks as their owners see them, and of a bot's servers.

    The name that a person enters on the page is that of the channel, or of the server for a bot.
    """

    # Discord does not document how long a code is valid.
    consent = ConsentRules(
        "/oauth2/authorize", _SCOPES, code_seconds=600, pkce="none", optional_parameters=("permissions",)
    )

    @route("POST", "/api/oauth2/token", "auth")
    async def redeem(self, request: Request) -> Answer:
        """Exchange a code; the answer has the new webhook, or the server."""
        form = request.form()
        if form.get("grant_type") != "authorization_code":
            return Answer.json({"error": "unsupported_grant_type"}, 400)
        try:
            account, scopes = self.authorization_server.redeem(form, basic_client(request), self.world.now())
        except OAuthError as problem:
            body = {"error": problem.code, "error_description": problem.description}
            return Answer.json(body, 401 if problem.code == "invalid_client" else 400)
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


def _number(seed: str) -> str:
    """Return a snowflake, always the same for the same seed."""
    return str(10**17 + int.from_bytes(hashlib.sha256(seed.encode()).digest()[:7]) % (8 * 10**17))

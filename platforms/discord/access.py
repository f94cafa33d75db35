"""Access to Discord's channels: a webhook that a person makes for a channel, or this service's bot."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import httpx
from pydantic import SecretStr

from platforms.access.bots import OF_APP, require_bot_token
from platforms.access.connector import AccountAliases, Candidate, Connect, RemovalAdvice
from platforms.access.consent import Ends, OAuthConnector
from platforms.access.grants import Grant
from platforms.access.registered_apps import App
from platforms.access.token_endpoint import ClientAuth, TokenEndpoint
from platforms.base import Connection, Identity
from platforms.discord.channels import EMBED, HISTORY, NEEDED, text_channels
from platforms.discord.connection import USER_AGENT, get, home, webhook_path
from platforms.discord.settings import WEBHOOK, DiscordCredentials
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import Wire

_ASKED = NEEDED | EMBED | HISTORY
"""The permissions that the bot asks for. Reading the history finds messages whose response was lost."""
_GONE = frozenset({httpx.codes.NOT_FOUND})
_MAY_NOT = "The bot may not publish here. Let it view the channel, send messages and attach files."
ENDPOINT = TokenEndpoint(
    "https://discord.com/api/oauth2/token",
    auth=ClientAuth.BASIC_WITH_SECRET,
    # Discord demands it in every request.
    headers=lambda _: {"User-Agent": USER_AGENT},
)


class DiscordConnector(OAuthConnector[DiscordCredentials], AccountAliases[DiscordCredentials]):
    """Discord's authorization. Source: Discord's API document, topics/oauth2.

    Every authorization of a webhook makes a new one. So a reconnected account keeps its id and uses the new webhook if
    that is in the same channel, and the old one is deleted.
    """

    name = "discord"
    consent_page = "https://discord.com/oauth2/authorize"
    endpoint = ENDPOINT
    scopes = ("webhook.incoming",)
    pkce = False
    options = {"kind": ("webhook", "bot")}  # noqa: RUF012
    revoked_tokens = ("access_token",)
    # Each authorization makes a webhook of its own.
    ends = Ends.AUTHORIZATION

    def can_revoke(self, credentials: DiscordCredentials) -> bool:
        """Return whether this service's authorization made the webhook; a person may use any other elsewhere."""
        return credentials.webhook is not None and credentials.made_by is not None

    def aliases(self, credentials: DiscordCredentials) -> Collection[str]:
        """Return the user id that an account has if its owner gives the address of this webhook."""
        return (f"{WEBHOOK}{credentials.webhook}",)

    def removal_advice(self, credentials: DiscordCredentials | None) -> RemovalAdvice:
        """Return how a webhook or a bot is removed."""
        if credentials is None or credentials.webhook:
            sentence = "To end it there, too, delete the webhook in the channel's settings: Integrations, Webhooks."
            return RemovalAdvice(sentence)
        return RemovalAdvice("To end it there, too, remove the bot from the server's members.")

    async def revoke(self, wire: Wire, app: App, credentials: DiscordCredentials) -> None:
        """Delete the webhook, which needs only its token. Raises PlatformError."""
        await wire.send("DELETE", webhook_path(credentials), headers={"User-Agent": USER_AGENT}, accept=_GONE)

    def requested_scopes(self, app: App, options: Mapping[str, str]) -> Sequence[str]:
        """Return the permissions to ask for. `identify` is included only so that Discord issues a code."""
        return ("bot", "identify") if options.get("kind") == "bot" else self.scopes

    def consent_address(
        self, wire: Wire, app: App, redirect_uri: str, challenge: str, options: Mapping[str, str]
    ) -> str:
        """Return where a person chooses a channel, or a server for the bot. Raises PlatformError without a bot."""
        address = super().consent_address(wire, app, redirect_uri, challenge, options)
        if options.get("kind") != "bot":
            return address
        require_bot_token(app, self.label)
        return f"{address}&permissions={_ASKED}"

    def read_grant(self, answer: Mapping[str, Any]) -> Grant:
        """Keep the webhook or the server. The person's own tokens expire, and nothing here needs them."""
        grant = super().read_grant(answer)
        more = {name: answer[name] for name in ("webhook", "guild") if isinstance(answer.get(name), dict)}
        return Grant(grant.access_token, scopes=grant.scopes, more=more)

    def missing_scopes(self, app: App, grant: Grant, options: Mapping[str, str]) -> list[str]:
        """Return nothing: the response names the webhook or server that was granted."""
        return []

    async def candidates(
        self, connect: Connect, app: App, grant: Grant, options: Mapping[str, str]
    ) -> list[Candidate[DiscordCredentials]]:
        """Return the webhook, or the channels of the server to which the person has added the bot."""
        if options.get("kind") == "bot":
            return await self._channels(connect, app, str((grant.more.get("guild") or {}).get("id") or ""))
        credentials, hook = self.granted_credentials(app, grant, options), grant.more.get("webhook") or {}
        name = str(hook.get("name") or "")
        identity = Identity(credentials.user_id, name)
        return [Candidate(credentials.user_id, name, "webhook", credentials, name, identity=identity)]

    def granted_credentials(self, app: App, grant: Grant, options: Mapping[str, str]) -> DiscordCredentials:
        """Return the credentials of the new webhook. Raises PlatformError if there is none: a bot joins a server."""
        hook = grant.more.get("webhook") or {}
        number, token = str(hook.get("id") or ""), str(hook.get("token") or "")
        if not number.isdecimal() or not token:
            raise PlatformError(ErrorKind.REJECTED, "Discord made no webhook. Connect again.", code="no_webhook")
        return DiscordCredentials(
            access_token=SecretStr(token),
            user_id=f"{WEBHOOK}{number}",
            in_channel=str(hook.get("channel_id") or "") or None,
            made_by=app.client_id,
        )

    async def as_stored(
        self, connect: Connect, candidate: Candidate[DiscordCredentials], stored: DiscordCredentials
    ) -> Candidate[DiscordCredentials]:
        """Return a new webhook as the known account, if it is in the same channel."""
        new, old = candidate.credentials, stored
        if new.webhook is None or old.webhook is None or new.in_channel is None:
            return candidate
        if (old.in_channel or await _webhook_channel(connect(old))) != new.in_channel:
            return candidate
        credentials = new.model_copy(update={"user_id": old.user_id, "replaced_by": new.webhook})
        return replace(
            candidate, id=old.user_id, credentials=credentials, identity=Identity(old.user_id, candidate.name)
        )

    async def _channels(self, connect: Connect, app: App, guild: str) -> list[Candidate[DiscordCredentials]]:
        """Return the text channels of a server. The token response names the server, so the person may use it."""
        require_bot_token(app, self.label)
        if not guild.isdecimal():
            raise PlatformError(ErrorKind.REJECTED, "The bot was added to no server. Connect again.", code="no_guild")
        channels = await text_channels(connect(_bot_credentials(app, guild)), guild)
        return [
            Candidate(
                channel.number,
                f"#{channel.name}",
                "channel",
                _bot_credentials(app, channel.number),
                channel.name,
                reason=None if channel.is_open else _MAY_NOT,
                identity=Identity(channel.number, channel.name),
            )
            for channel in channels
        ]


def _bot_credentials(app: App, channel: str) -> DiscordCredentials:
    return DiscordCredentials(access_token=SecretStr(OF_APP), user_id=channel, client_id=app.client_id)


async def _webhook_channel(connection: Connection[DiscordCredentials]) -> str | None:
    """Return the channel of a webhook; None if Discord does not say."""
    try:
        return str((await get(connection, home(connection))).get("channel_id") or "") or None
    except PlatformError:
        return None


CONNECTOR = DiscordConnector()

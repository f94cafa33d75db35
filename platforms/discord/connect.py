"""The connector for Discord's channels: a webhook that a person makes for a channel, or this service's bot."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import httpx
from pydantic import SecretStr

from platforms.access.bots import OF_APP, token_of
from platforms.access.connect import Candidate, Connect, Connector, Ends, Grant
from platforms.access.registered_apps import App
from platforms.base import Connection, Identity
from platforms.discord.connection import USER_AGENT, get, headers_of, home, webhook_path
from platforms.discord.settings import WEBHOOK, DiscordCredentials
from platforms.errors import ErrorKind, PlatformError
from platforms.http.answers import parse
from platforms.http.wire import Wire, segment

_VIEW, _SEND, _EMBED, _ATTACH, _HISTORY = 1 << 10, 1 << 11, 1 << 14, 1 << 15, 1 << 16
_ADMINISTRATOR = 1 << 3
_NEEDED = _VIEW | _SEND | _ATTACH
_ASKED = _NEEDED | _EMBED | _HISTORY
"""The permissions that the bot asks for. Reading the history finds messages whose response was lost."""
_TEXT_CHANNELS = {0, 5}
"""Text and announcement channels. Source: Discord's API document, channel types."""
_GONE = frozenset({httpx.codes.NOT_FOUND})
_MAY_NOT = "The bot may not publish here. Let it view the channel, send messages and attach files."


class DiscordConnector(Connector[DiscordCredentials]):
    """Discord's authorization. Source: Discord's API document, topics/oauth2.

    Every authorization of a webhook makes a new one. So a reconnected account keeps its id and uses the new webhook if
    that is in the same channel, and the old one is deleted.
    """

    name = "discord"
    authorize = "https://discord.com/oauth2/authorize"
    token = "https://discord.com/api/oauth2/token"  # noqa: S105 - an address
    scopes = ("webhook.incoming",)
    pkce = False
    basic = True
    options = {"kind": ("webhook", "bot")}  # noqa: RUF012
    needs_app = False
    revoked_tokens = ("access_token",)
    # Each authorization makes a webhook of its own.
    ends = Ends.AUTHORIZATION

    def can_revoke(self, credentials: DiscordCredentials) -> bool:
        """Return whether this service's authorization made the webhook; a person may use any other elsewhere."""
        return credentials.webhook is not None and credentials.made_by is not None

    def user_ids(self, credentials: DiscordCredentials) -> Collection[str]:
        """Return the user id that an account has if its owner gives the address of this webhook."""
        return (f"{WEBHOOK}{credentials.webhook}",)

    def to_remove(self, credentials: DiscordCredentials | None) -> str:
        """Return how a webhook or a bot is removed."""
        if credentials is None or credentials.webhook:
            return "To end it there, too, delete the webhook in the channel's settings: Integrations, Webhooks."
        return "To end it there, too, remove the bot from the server's members."

    async def revoke(self, wire: Wire, app: App, credentials: DiscordCredentials) -> None:
        """Delete the webhook, which needs only its token. Raises PlatformError."""
        await wire.send("DELETE", webhook_path(credentials), headers={"User-Agent": USER_AGENT}, accept=_GONE)

    def wanted(self, app: App, options: Mapping[str, str]) -> Sequence[str]:
        """Return the permissions to ask for. `identify` is included only so that Discord issues a code."""
        return ("bot", "identify") if options.get("kind") == "bot" else self.scopes

    def address(self, wire: Wire, app: App, redirect_uri: str, challenge: str, options: Mapping[str, str]) -> str:
        """Return where a person chooses a channel, or a server for the bot. Raises PlatformError without a bot."""
        address = super().address(wire, app, redirect_uri, challenge, options)
        if options.get("kind") != "bot":
            return address
        token_of(app, self.platform.label)
        return f"{address}&permissions={_ASKED}"

    def headers(self, app: App) -> dict[str, str]:
        """Return the header that Discord demands in every request."""
        return {"User-Agent": USER_AGENT}

    def grant(self, wire: Wire, answer: Mapping[str, Any]) -> Grant:
        """Keep the webhook or the server. The person's own tokens expire, and nothing here needs them."""
        read = super().grant(wire, answer)
        more = {name: answer[name] for name in ("webhook", "guild") if isinstance(answer.get(name), dict)}
        return Grant(read.access_token, scopes=read.scopes, more=more)

    def missing(self, app: App, grant: Grant, options: Mapping[str, str]) -> list[str]:
        """Return nothing: the response names the webhook or server that was granted."""
        return []

    async def candidates(
        self, connect: Connect, app: App, grant: Grant, options: Mapping[str, str]
    ) -> list[Candidate[DiscordCredentials]]:
        """Return the webhook, or the channels of the server to which the person has added the bot."""
        if options.get("kind") == "bot":
            return await self._channels(connect, app, str((grant.more.get("guild") or {}).get("id") or ""))
        credentials, hook = self.granted(app, grant, options), grant.more.get("webhook") or {}
        name = str(hook.get("name") or "")
        identity = Identity(credentials.user_id, name)
        return [Candidate(credentials.user_id, name, "webhook", credentials, name, identity=identity)]

    def granted(self, app: App, grant: Grant, options: Mapping[str, str]) -> DiscordCredentials:
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

    async def match_stored(
        self, connect: Connect, candidate: Candidate[DiscordCredentials], stored: DiscordCredentials
    ) -> Candidate[DiscordCredentials]:
        """Return a new webhook as the known account, if it is in the same channel."""
        new, old = candidate.credentials, stored
        if new.webhook is None or old.webhook is None or new.in_channel is None:
            return candidate
        if (old.in_channel or await _channel_of(connect(old))) != new.in_channel:
            return candidate
        kept = new.model_copy(update={"user_id": old.user_id, "replaced_by": new.webhook})
        return replace(candidate, id=old.user_id, credentials=kept, identity=Identity(old.user_id, candidate.name))

    async def _channels(self, connect: Connect, app: App, guild: str) -> list[Candidate[DiscordCredentials]]:
        """Return the text channels of a server. The token response names the server, so the person may use it."""
        token_of(app, self.platform.label)
        if not guild.isdecimal():
            raise PlatformError(ErrorKind.REJECTED, "The bot was added to no server. Connect again.", code="no_guild")
        connection = connect(_of_bot(app, guild))
        bot = await get(connection, "/users/@me")
        member = await _object(connection, f"/guilds/{segment(guild)}/members/{segment(bot['id'])}")
        roles = {str(each.get("id")): each for each in await _listed(connection, f"/guilds/{segment(guild)}/roles")}
        own = [guild, *map(str, member.get("roles") or [])]
        found = []
        for channel in await _listed(connection, f"/guilds/{segment(guild)}/channels"):
            number, name = str(channel.get("id") or ""), str(channel.get("name") or "")
            if channel.get("type") not in _TEXT_CHANNELS or not number.isdecimal():
                continue
            may = _permissions(own, str(bot["id"]), roles, channel.get("permission_overwrites") or [])
            found.append(
                Candidate(
                    number,
                    f"#{name}",
                    "channel",
                    _of_bot(app, number),
                    name,
                    reason=None if may & _NEEDED == _NEEDED else _MAY_NOT,
                    identity=Identity(number, name),
                )
            )
        return found


def _of_bot(app: App, channel: str) -> DiscordCredentials:
    return DiscordCredentials(access_token=SecretStr(OF_APP), user_id=channel, client_id=app.client_id)


def _permissions(
    own: Sequence[str], bot: str, roles: Mapping[str, Mapping[str, Any]], overwrites: Iterable[Mapping[str, Any]]
) -> int:
    """Return the permissions of a bot with its `own` roles in a channel; the first role is @everyone.

    Source: Discord's API document, topics/permissions. The roles' permissions are united. Then the channel's overwrites
    change them: those of @everyone, of the roles together and of the member.
    """
    may = 0
    for each in own:
        may |= _bits(roles.get(each, {}).get("permissions"))
    if may & _ADMINISTRATOR:
        return ~0
    by_id = {str(each.get("id")): each for each in overwrites if isinstance(each, dict)}
    for group in ([own[0]], own[1:], [bot]):
        applied = [by_id[each] for each in group if each in by_id]
        for overwrite in applied:
            may &= ~_bits(overwrite.get("deny"))
        for overwrite in applied:
            may |= _bits(overwrite.get("allow"))
    return may


def _bits(text: Any) -> int:
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 40 else 0


async def _channel_of(connection: Connection[DiscordCredentials]) -> str | None:
    """Return the channel of a webhook; None if Discord does not say."""
    try:
        return str((await get(connection, home(connection))).get("channel_id") or "") or None
    except PlatformError:
        return None


async def _object(connection: Connection[DiscordCredentials], path: str) -> Mapping[str, Any]:
    found = parse(await connection.wire.send("GET", path, headers=headers_of(connection)))
    return found if isinstance(found, dict) else {}


async def _listed(connection: Connection[DiscordCredentials], path: str) -> list[Mapping[str, Any]]:
    found = parse(await connection.wire.send("GET", path, headers=headers_of(connection)))
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


CONNECTOR = DiscordConnector()

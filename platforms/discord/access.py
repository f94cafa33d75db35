"""Access to Discord's channels: a webhook that a person makes for a channel, or a bot, which may be this service's."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import httpx
from pydantic import SecretStr

from platforms.access.bots import OF_APP, require_bot_token
from platforms.access.connector import AccountAliases, Candidate, Connect, RemovalAdvice
from platforms.access.consent import Ends, OAuthConnector
from platforms.access.registered_apps import App
from platforms.access.renewal import Grant
from platforms.access.token_endpoint import ClientAuth, TokenEndpoint
from platforms.base import Identity
from platforms.capabilities import Choices, ListedSetting, bounded
from platforms.discord.rules import WEBHOOK, DiscordConnection, DiscordCredentials
from platforms.errors import ErrorKind, PlatformError, unreadable
from platforms.http.answers import ListAt, parse
from platforms.http.wire import Wire, json_object, segment

USER_AGENT = "DiscordBot (https://socialsyncer.example, 0.2.0)"
"""The form of user agent that Discord's reference page demands; Discord blocks others."""


def request_headers(connection: DiscordConnection) -> dict[str, str]:
    """Return the headers of every request; a webhook carries its token in the path instead."""
    agent = {"User-Agent": USER_AGENT}
    return agent if connection.credentials.webhook else agent | {"Authorization": f"Bot {_token(connection)}"}


def home(connection: DiscordConnection) -> str:
    """Return the path of the account: its webhook or its channel."""
    credentials = connection.credentials
    return webhook_path(credentials) if credentials.webhook else channel_path(credentials.user_id)


def webhook_path(credentials: DiscordCredentials) -> str:
    """Return the path of a webhook, with its token."""
    return f"/webhooks/{segment(credentials.webhook)}/{segment(credentials.access_token.get_secret_value())}"


def channel_path(channel: object) -> str:
    """Return the path of a channel."""
    return f"/channels/{segment(channel)}"


async def get(connection: DiscordConnection, path: str, **params: str) -> dict[str, Any]:
    """Read one object. Raises PlatformError if it has no id."""
    answer = await connection.wire.send("GET", path, headers=request_headers(connection), params=params)
    return with_id(answer)


async def messages(connection: DiscordConnection, channel: str, after: str, limit: int) -> list[dict[str, Any]]:
    """Read the messages of a channel after an id, newest first. Raises PlatformError if the response is no list."""
    query = {"after": after, "limit": str(limit)}
    answer = await connection.wire.send(
        *("GET", f"{channel_path(channel)}/messages"),
        headers=request_headers(connection),
        params=query,
        listed=ListAt(),
    )
    page = parse(answer)
    if isinstance(page, list) and all(
        isinstance(message, dict) and str(message.get("id")).isdecimal() for message in page
    ):
        return page
    raise unreadable("Discord")


def with_id(answer: httpx.Response, *, public: bool = False) -> dict[str, Any]:
    """Return the object of a response. Raises PlatformError if there is none."""
    body = json_object(answer)
    if isinstance(body.get("id"), str) and body["id"]:
        return body
    raise unreadable("Discord", public=public)


def _token(connection: DiscordConnection) -> str:
    return connection.credentials.access_token.get_secret_value()


LISTED = {"channelId": ListedSetting()}
VIEW, SEND, EMBED, ATTACH, HISTORY = 1 << 10, 1 << 11, 1 << 14, 1 << 15, 1 << 16
_ADMINISTRATOR = 1 << 3
NEEDED = VIEW | SEND | ATTACH
_TEXT_CHANNELS = {0, 5}
"""Text and announcement channels. Source: Discord's API document, channel types."""


@dataclass(frozen=True, slots=True)
class TextChannel:
    """A channel of a server, and whether the bot may publish there."""

    number: str
    name: str
    is_open: bool


async def list_channels(connection: DiscordConnection) -> Choices:
    """Return the channels of the account's server in which its bot may publish. Raises PlatformError."""
    if connection.credentials.webhook:
        message = "A webhook publishes to its own channel only: channelId is for bots."
        raise PlatformError(ErrorKind.REJECTED, message, code="channel_type")
    guild = str((await get(connection, home(connection))).get("guild_id") or "")
    channels = await text_channels(connection, guild) if guild.isdecimal() else []
    return bounded((channel.number, f"#{channel.name}") for channel in channels if channel.is_open)


async def text_channels(connection: DiscordConnection, guild: str) -> list[TextChannel]:
    """Return the text channels of a server to which the bot was added. Raises PlatformError."""
    bot = await get(connection, "/users/@me")
    member = await _read_object(connection, f"/guilds/{segment(guild)}/members/{segment(bot['id'])}")
    roles = {str(role.get("id")): role for role in await _read_list(connection, f"/guilds/{segment(guild)}/roles")}
    own = [guild, *map(str, member.get("roles") or [])]
    channels = []
    for channel in await _read_list(connection, f"/guilds/{segment(guild)}/channels"):
        number, name = str(channel.get("id") or ""), str(channel.get("name") or "")
        if channel.get("type") in _TEXT_CHANNELS and number.isdecimal():
            may = _permissions(own, str(bot["id"]), roles, channel.get("permission_overwrites") or [])
            channels.append(TextChannel(number, name, may & NEEDED == NEEDED))
    return channels


def _permissions(
    own: Sequence[str], bot: str, roles: Mapping[str, Mapping[str, Any]], overwrites: Iterable[Mapping[str, Any]]
) -> int:
    """Return the permissions of a bot with its `own` roles in a channel; the first role is @everyone.

    Source: Discord's API document, topics/permissions. The roles' permissions are united. Then the channel's overwrites
    change them: those of @everyone, of the roles together and of the member.
    """
    may = 0
    for role in own:
        may |= _bits(roles.get(role, {}).get("permissions"))
    if may & _ADMINISTRATOR:
        return ~0
    by_id = {str(overwrite.get("id")): overwrite for overwrite in overwrites if isinstance(overwrite, dict)}
    for group in ([own[0]], own[1:], [bot]):
        applied = [by_id[name] for name in group if name in by_id]
        for overwrite in applied:
            may &= ~_bits(overwrite.get("deny"))
        for overwrite in applied:
            may |= _bits(overwrite.get("allow"))
    return may


def _bits(text: Any) -> int:
    return int(text) if isinstance(text, str) and text.isdecimal() and len(text) < 40 else 0


async def _read_object(connection: DiscordConnection, path: str) -> Mapping[str, Any]:
    answer = parse(await connection.wire.send("GET", path, headers=request_headers(connection)))
    return answer if isinstance(answer, dict) else {}


async def _read_list(connection: DiscordConnection, path: str) -> list[Mapping[str, Any]]:
    answer = parse(await connection.wire.send("GET", path, headers=request_headers(connection)))
    return [item for item in answer if isinstance(item, dict)] if isinstance(answer, list) else []


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


async def _webhook_channel(connection: DiscordConnection) -> str | None:
    """Return the channel of a webhook; None if Discord does not say."""
    try:
        return str((await get(connection, home(connection))).get("channel_id") or "") or None
    except PlatformError:
        return None


CONNECTOR = DiscordConnector()

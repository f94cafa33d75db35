"""The text channels of a server, and what the bot may do in each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from platforms.choices import Choices, ListedSetting, bounded
from platforms.discord.connection import DiscordConnection, get, home, request_headers
from platforms.errors import ErrorKind, PlatformError
from platforms.http.answers import parse
from platforms.http.wire import segment

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


async def choices(connection: DiscordConnection) -> Choices:
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

"""An account's connection to Discord: a bot's token in the header, or a webhook whose URL holds its token."""

from typing import Any

import httpx

from platforms.base import Connection
from platforms.discord.settings import DiscordCredentials
from platforms.errors import unreadable
from platforms.http.answers import ListAt, parse
from platforms.http.wire import json_object, segment

USER_AGENT = "DiscordBot (https://socialsyncer.example, 0.2.0)"
"""The form of user agent that Discord's reference page demands; Discord blocks others."""

DiscordConnection = Connection[DiscordCredentials]


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

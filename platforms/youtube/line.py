"""A channel's line to YouTube: each request carries its token, an expired one is renewed once."""

from typing import Any

import httpx
from pydantic import SecretStr

from platforms.base import Connection
from platforms.errors import Kind, NetworkError
from platforms.youtube.errors import json_of
from platforms.youtube.settings import YouTubeCredentials

BASE_URL = "https://youtube.googleapis.com"
TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105
"""A host of its own; a base URL that stands in for YouTube's serves `/token` too."""

Line = Connection[YouTubeCredentials]


async def send(line: Line, method: str, path: str, **options: Any) -> httpx.Response:
    """Return YouTube's answer. Raises NetworkError."""
    used, headers = line.credentials, options.pop("headers", {})
    try:
        return await line.wire.send(method, path, headers=headers | _bearer(used), **options)
    except NetworkError as error:
        if error.status != 401 or error.code == "youtubeSignupRequired" or used.refresh_token is None:
            raise
    if line.credentials is used:  # else a request beside this one has renewed them
        line.credentials = await line.refresh(lambda current: _renew(line, current))
    return await line.wire.send(method, path, headers=headers | _bearer(line.credentials), **options)


async def read(line: Line, resource: str, **params: str) -> list[dict[str, Any]]:
    """Return the items of a list. Raises NetworkError where it is none: that must not pass for an empty one."""
    answer = json_of(await send(line, "GET", f"/youtube/v3/{resource}", params=params))
    items = answer.get("items", [] if str(answer.get("kind", "")).endswith("ListResponse") else None)
    if isinstance(items, list):
        return items
    raise NetworkError(Kind.TRANSIENT, "YouTube answered in a way that cannot be read.", code="unreadable_answer")


def _bearer(credentials: YouTubeCredentials) -> dict[str, str]:
    return {"Authorization": f"Bearer {credentials.access_token.get_secret_value()}"}


async def _renew(line: Line, current: YouTubeCredentials) -> YouTubeCredentials:
    """Ask for a new access token; the refresh token stays good."""
    if current.refresh_token is None:
        raise NetworkError(Kind.AUTH, "This channel's access to YouTube has ended. Reconnect it.", code="no_refresh")
    form = {"grant_type": "refresh_token", "refresh_token": current.refresh_token.get_secret_value()}
    if current.client_id:
        form["client_id"] = current.client_id
    if current.client_secret:
        form["client_secret"] = current.client_secret.get_secret_value()
    url = TOKEN_URL if line.wire.base_url == BASE_URL else "/token"
    answer = json_of(await line.wire.send("POST", url, data=form))
    if not isinstance(answer.get("access_token"), str):
        raise NetworkError(Kind.TRANSIENT, "Google renewed this access without a token.", code="unreadable_answer")
    return current.model_copy(update={"access_token": SecretStr(answer["access_token"])})

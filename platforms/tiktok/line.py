"""An account's line to TikTok: each request carries its token, an expired one is renewed once, 200 may be an error."""

from typing import Any

import httpx
from pydantic import SecretStr

from platforms.base import Connection
from platforms.errors import Kind, NetworkError
from platforms.tiktok.errors import error_of, json_of
from platforms.tiktok.settings import TikTokCredentials

Line = Connection[TikTokCredentials]


async def call(line: Line, path: str, body: dict[str, Any] | None = None, *, public: bool = False) -> dict[str, Any]:
    """Return the data of TikTok's answer to a POST. `public` marks the request that may make a post public."""
    return await _renewing(line, "POST", path, public=public, json=body or {})


async def read(line: Line, path: str, **params: str) -> dict[str, Any]:
    """Return the data of TikTok's answer to a GET."""
    return await _renewing(line, "GET", path, params=params)


async def _renewing(line: Line, method: str, path: str, **options: Any) -> dict[str, Any]:
    used = line.credentials
    try:
        return await _send(line, method, path, **options)
    except NetworkError as error:
        if error.code != "access_token_invalid" or used.refresh_token is None:
            raise
    if line.credentials is used:  # else a request beside this one has renewed them
        line.credentials = await line.refresh(lambda current: _renew(line, current))
    return await _send(line, method, path, **options)


async def _send(line: Line, method: str, path: str, *, public: bool = False, **options: Any) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {line.credentials.access_token.get_secret_value()}"}
    response = await line.wire.send(method, path, public=public, headers=headers, **options)
    body = json_of(response)
    data, error = body.get("data"), body.get("error")
    if isinstance(error, dict) and error.get("code") not in {None, "ok"}:
        refusal = error_of(response)
        raise refusal.as_unclear() if public and refusal.kind is Kind.TRANSIENT else refusal
    if not isinstance(data, dict):
        kind = Kind.UNCLEAR if public else Kind.TRANSIENT
        raise NetworkError(kind, "TikTok answered in a way that cannot be read.", code="unreadable_answer")
    return data


async def _renew(line: Line, current: TikTokCredentials) -> TikTokCredentials:
    """Trade the refresh token, which may be another one afterwards, for new tokens."""
    if current.refresh_token is None:
        raise NetworkError(Kind.AUTH, "This account's access to TikTok has ended. Reconnect it.", code="no_refresh")
    secret = current.client_secret.get_secret_value() if current.client_secret else ""
    form = {
        "client_key": current.client_key or "",
        "client_secret": secret,
        "grant_type": "refresh_token",
        "refresh_token": current.refresh_token.get_secret_value(),
    }
    response: httpx.Response = await line.wire.send("POST", "/v2/oauth/token/", data=form)
    answer = json_of(response)
    if not isinstance(answer.get("access_token"), str):
        # OAuth's errors come with status 200 here as well.
        raise error_of(response)
    return current.model_copy(
        update={
            "access_token": SecretStr(answer["access_token"]),
            "refresh_token": SecretStr(answer["refresh_token"])
            if answer.get("refresh_token")
            else current.refresh_token,
        }
    )

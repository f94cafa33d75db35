"""An account's line to X: each request carries its token, an expired one is renewed once, errors are told apart."""

from typing import Any

import httpx

from platforms.base import Connection
from platforms.errors import Kind, NetworkError
from platforms.multipart import Form
from platforms.twitter.errors import json_of, problem_error
from platforms.twitter.settings import TwitterCredentials

Line = Connection[TwitterCredentials]


async def call(line: Line, method: str, path: str, *, public: bool = False, **options: Any) -> dict[str, Any]:
    """Return X's answer, whole. `public` marks the request that makes or changes a post. Raises NetworkError."""
    response = await _send(line, method, path, public=public, **options)
    body = json_of(response)
    problems = body.get("errors")
    if not body.get("data") and isinstance(problems, list) and problems and isinstance(problems[0], dict):
        error = problem_error(problems[0], response)
        raise error.as_unclear() if public and error.kind is Kind.TRANSIENT else error
    return body


def data_of(body: dict[str, Any], *, public: bool = False) -> dict[str, Any]:
    """Return the one thing that an answer is about, which has an id. Raises NetworkError where there is none."""
    data = body.get("data")
    if isinstance(data, dict) and isinstance(data.get("id"), str) and data["id"]:
        return data
    kind = Kind.UNCLEAR if public else Kind.TRANSIENT
    raise NetworkError(kind, "X answered in a way that cannot be read.", code="unreadable_answer")


async def _send(
    line: Line, method: str, path: str, *, public: bool = False, form: Form | None = None, **options: Any
) -> httpx.Response:
    used, headers = line.credentials, form.headers if form else {}
    if form:
        options["content"] = form
    try:
        return await line.wire.send(method, path, public=public, headers=headers | _bearer(used), **options)
    except NetworkError as error:
        if error.status != 401 or used.refresh_token is None:
            raise
    if line.credentials is used:  # else a request beside this one has renewed them
        line.credentials = await line.refresh(lambda current: _renew(line, current))
    return await line.wire.send(method, path, public=public, headers=headers | _bearer(line.credentials), **options)


def _bearer(credentials: TwitterCredentials) -> dict[str, str]:
    return {"Authorization": f"Bearer {credentials.access_token.get_secret_value()}"}


async def _renew(line: Line, current: TwitterCredentials) -> TwitterCredentials:
    """Trade the refresh token, which X accepts once, for new tokens."""
    if current.refresh_token is None:
        raise NetworkError(Kind.AUTH, "This account's access to X has ended. Reconnect the account.", code="no_refresh")
    form = {"grant_type": "refresh_token", "refresh_token": current.refresh_token.get_secret_value()}
    auth: httpx.BasicAuth | None = None
    if current.client_id:
        if current.client_secret:
            auth = httpx.BasicAuth(current.client_id, current.client_secret.get_secret_value())
        else:
            form["client_id"] = current.client_id
    answer = json_of(await line.wire.send("POST", "/2/oauth2/token", data=form, auth=auth))
    if not isinstance(answer.get("access_token"), str):
        raise NetworkError(Kind.AUTH, "X renewed this account's access without a token.", code="unreadable_answer")
    return TwitterCredentials(
        access_token=answer["access_token"],
        refresh_token=answer.get("refresh_token") or current.refresh_token,
        client_id=current.client_id,
        client_secret=current.client_secret,
    )

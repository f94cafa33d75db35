"""An account's connection to X: each request carries its token, and an expired one is renewed once."""

from collections.abc import Mapping
from typing import Any

import httpx

from platforms.access import oauth
from platforms.access.renewal import Renewed
from platforms.base import Connection
from platforms.errors import unreadable
from platforms.http.multipart import MultipartForm
from platforms.http.token_endpoint import refuses_grant
from platforms.http.wire import json_object
from platforms.twitter.errors import problem_error
from platforms.twitter.settings import TwitterCredentials

TwitterConnection = Connection[TwitterCredentials]


async def call(
    connection: TwitterConnection, method: str, path: str, *, public: bool = False, **options: Any
) -> dict[str, Any]:
    """Return X's whole response. `public` marks the request that makes or changes a post. Raises PlatformError."""
    response = await _send(connection, method, path, public=public, **options)
    body = json_object(response)
    problems = body.get("errors")
    if not body.get("data") and isinstance(problems, list) and problems and isinstance(problems[0], dict):
        raise connection.wire.outcome(response, problem_error(problems[0], response), public=public)
    return body


def data_of(body: dict[str, Any], *, public: bool = False) -> dict[str, Any]:
    """Return the object of a response, which has an id. Raises PlatformError if there is none."""
    data = body.get("data")
    if isinstance(data, dict) and isinstance(data.get("id"), str) and data["id"]:
        return data
    raise unreadable("X", public=public)


async def _send(
    connection: TwitterConnection, method: str, path: str, *, form: MultipartForm | None = None, **options: Any
) -> httpx.Response:
    more = form.headers if form else {}
    if form:
        options["content"] = form
    return await oauth.send(connection, method, path, headers=lambda used: more | oauth.bearer(used), **options)


async def renew(connection: TwitterConnection) -> Renewed[TwitterCredentials]:
    """Exchange the refresh token, which X accepts once; only an app with a secret identifies itself by HTTP Basic."""
    basic = connection.credentials.client_secret is not None
    return await oauth.renewed(connection, "/2/oauth2/token", basic=basic, grant_ended=_grant_ended)


def _grant_ended(answer: Mapping[str, Any]) -> bool:
    """Return whether the refresh token is dead, not the request wrong: X calls both `invalid_request`.

    The message shows which; source: responses that several public clients have in their tests.
    """
    said = str(answer.get("error_description"))
    return refuses_grant(answer) or (answer.get("error") == "invalid_request" and "for the token was invalid" in said)

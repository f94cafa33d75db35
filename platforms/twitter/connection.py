"""An account's connection to X: each request carries its token, and an expired one is renewed once."""

from typing import Any

import httpx

from platforms.access import oauth
from platforms.base import Connection
from platforms.errors import unreadable
from platforms.http.multipart import MultipartForm
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


def require_object(body: dict[str, Any], *, public: bool = False) -> dict[str, Any]:
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

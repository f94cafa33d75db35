"""An account's connection to Reddit: each request names the app, and an expired token is renewed once."""

from typing import Any

import httpx

from platforms.access import oauth
from platforms.base import Connection
from platforms.http.wire import json_object
from platforms.reddit.errors import error_within
from platforms.reddit.settings import RedditCredentials

BASE_URL = "https://oauth.reddit.com"
APP, VERSION = "socialsyncer", "0.1"

RedditConnection = Connection[RedditCredentials]


async def call(
    connection: RedditConnection, method: str, path: str, *, public: bool = False, **options: Any
) -> dict[str, Any]:
    """Return Reddit's response. `public` marks the request that makes a post.

    Raises PlatformError, also for errors in a response with status 200.
    """
    response = await send(connection, method, path, public=public, **options)
    body = json_object(response)
    if error := error_within(body, response):
        raise connection.wire.outcome(response, error, public=public)
    return body


async def send(connection: RedditConnection, method: str, path: str, **options: Any) -> httpx.Response:
    """Return Reddit's response, whose body may still report an error. Raises PlatformError."""
    agent = user_agent(connection)

    def headers(credentials: RedditCredentials) -> dict[str, str]:
        return {"Authorization": f"bearer {credentials.access_token.get_secret_value()}", "User-Agent": agent}

    return await oauth.send(connection, method, path, headers=headers, **options)


def user_agent(connection: RedditConnection) -> str:
    """Return the user agent that names the app. Reddit refuses the default names of HTTP libraries."""
    named = connection.credentials.user_agent
    return (
        named or f"web:{connection.credentials.client_id or APP}:{VERSION} (by /u/{connection.account.username or APP})"
    )

"""Access to accounts of X: OAuth 2.0 with PKCE, refresh tokens that work once, and requests with a token."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from platforms.access import oauth
from platforms.access.consent import OAuthConnector
from platforms.access.renewal import Reuse, TokenRules
from platforms.access.token_endpoint import ClientAuth, TokenEndpoint, refuses_grant
from platforms.base import Connection, PublishContext
from platforms.errors import unreadable
from platforms.http.wire import json_object
from platforms.twitter.errors import problem_error
from platforms.twitter.rules import TwitterCredentials, TwitterSettings

TOKENS = TokenRules(
    lifetime=timedelta(hours=2),
    reuse=Reuse.ENDS_GRANT,
    lead=timedelta(minutes=10),
    refresh_lifetime=timedelta(days=180),
    renew_after=timedelta(days=30),
)
"""X: 2 hours by its documentation. That a second use ends the grant, and that a refresh token is valid for six months,
was seen by others."""


def _refuses_grant(answer: Mapping[str, Any]) -> bool:
    """Return whether the refresh token is dead, not the request wrong: X calls both `invalid_request`.

    The message shows which; source: responses that several public clients have in their tests.
    """
    message = str(answer.get("error_description"))
    is_token_invalid = answer.get("error") == "invalid_request" and "for the token was invalid" in message
    return refuses_grant(answer) or is_token_invalid


ENDPOINT = TokenEndpoint(
    "https://api.x.com/2/oauth2/token",
    revocation="https://api.x.com/2/oauth2/revoke",
    # Only an app with a secret identifies itself by HTTP Basic.
    auth=ClientAuth.BASIC_WITH_SECRET,
    refuses_grant=_refuses_grant,
)


class TwitterConnector(OAuthConnector[TwitterCredentials]):
    """X's authorization. Source: docs.x.com, fundamentals/authentication/oauth-2-0."""

    name = "twitter"
    settings_page = "X: Settings, Security and account access, Apps and sessions, Connected apps"
    consent_page = "https://x.com/i/oauth2/authorize"
    endpoint = ENDPOINT
    scopes = ("tweet.read", "tweet.write", "users.read", "media.write", "offline.access")
    optional_scopes = frozenset({"offline.access"})
    later_scopes = ("tweet.moderate.write",)
    code_lifetime = "30 seconds"
    # Each read costs the operator money.
    check_interval = timedelta(days=1)


CONNECTOR = TwitterConnector()


TwitterConnection = Connection[TwitterCredentials]
TwitterContext = PublishContext[TwitterSettings]


async def call(
    connection: TwitterConnection, method: str, path: str, *, public: bool = False, **options: Any
) -> dict[str, Any]:
    """Return X's whole response. `public` marks the request that makes or changes a post. Raises PlatformError."""
    response = await oauth.send(connection, method, path, public=public, **options)
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

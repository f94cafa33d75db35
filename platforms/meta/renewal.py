"""The renewal of the long-lived user tokens of Instagram and Threads, which have no refresh tokens."""

from collections.abc import Mapping
from typing import Any, TypeVar

import httpx
from pydantic import SecretStr

from platforms.access.renewal import Renewed, lifetimes_of
from platforms.base import Connection
from platforms.errors import ErrorKind, PlatformError
from platforms.http.token_endpoint import ask
from platforms.meta.credentials import MetaCredentials

M = TypeVar("M", bound=MetaCredentials)

_PATH = "/refresh_access_token"
_GRANT_ENDED = 190
"""The Graph API's code for a token that has ended or was revoked."""


async def renew_long_lived(connection: Connection[M], grant_type: str) -> Renewed[M]:
    """Exchange a token that is at least 24 hours old and has not ended for one that is valid for 60 more days.

    The token is sent in a header, as with all other calls, so that no log on the way contains it. The reference shows
    it in the query: it is sent there if the header is refused. Raises PlatformError.
    """
    token, params = connection.credentials.access_token.get_secret_value(), {"grant_type": grant_type}
    try:
        answer = await ask(
            connection.wire,
            "GET",
            _PATH,
            grant_ended=_grant_ended,
            params=params,
            headers={"Authorization": f"Bearer {token}"},
        )
    except PlatformError as error:
        if error.status != httpx.codes.BAD_REQUEST or error.kind is not ErrorKind.TRANSIENT:
            raise
        answer = await ask(
            connection.wire, "GET", _PATH, grant_ended=_grant_ended, params={**params, "access_token": token}
        )
    renewed = connection.credentials.model_copy(update={"access_token": SecretStr(answer["access_token"])})
    return Renewed(renewed, lifetimes_of(answer))


def _grant_ended(answer: Mapping[str, Any]) -> bool:
    error = answer.get("error")
    return isinstance(error, dict) and error.get("code") == _GRANT_ENDED

"""Meta's report on a token, in the same form on Facebook and on Threads.

Source: developers.facebook.com/docs/facebook-login/guides/access-tokens/debugging, and the sample app of the Threads
API.
"""

from collections.abc import Mapping
from typing import Any

from platforms.access.inspection import Inspection, reported_end
from platforms.access.renewal import reported_lifetimes
from platforms.base import Connection
from platforms.errors import ErrorKind, PlatformError, unreadable
from platforms.http.wire import json_object
from platforms.meta.credentials import MetaCredentials, app_proof


async def debugged(connection: Connection[Any], path: str, asking: str) -> tuple[Inspection, Mapping[str, Any]]:
    """Return Meta's report on an account's token, requested with the token `asking`, which may be the same one.

    The reference shows the token in the query only; this service logs no such address. Raises PlatformError, kind
    `auth` if the token is not valid.
    """
    credentials: MetaCredentials = connection.credentials
    token = credentials.access_token.get_secret_value()
    params = {"input_token": token} | (app_proof(credentials) if asking == token else {})
    response = await connection.wire.send("GET", path, params=params, headers={"Authorization": f"Bearer {asking}"})
    data = json_object(response).get("data")
    if not isinstance(data, dict) or not isinstance(data.get("is_valid"), bool):
        raise unreadable(connection.wire.label)
    if not data["is_valid"]:
        message = f"{connection.wire.label} no longer accepts this account's connection. Reconnect the account."
        raise PlatformError(ErrorKind.AUTH, message, code="token_invalid")
    return Inspection(
        reported_lifetimes({"scope": data.get("scopes")}).scopes, reported_end(data.get("expires_at"))
    ), data


def granted_targets(data: Mapping[str, Any], scope: str) -> set[str] | None:
    """Return the ids for which a permission was granted; None if it was granted for all, or if that is not known."""
    granular = data.get("granular_scopes")
    for grant in granular if isinstance(granular, list) else ():
        if isinstance(grant, dict) and grant.get("scope") == scope and isinstance(grant.get("target_ids"), list):
            return {str(target) for target in grant["target_ids"]}
    return None

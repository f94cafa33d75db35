"""The responses of token endpoints: new tokens, and which refusals concern the account.

Its owner must reconnect only if this account's own token is refused. An app that the platform does not know, a limit, a
failure of the platform's own and pages of gateways say nothing of the account.
"""

from collections.abc import Callable, Mapping
from typing import Any

import httpx
import structlog

from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import Wire, json_object

log = structlog.get_logger(__name__)

Answer = Mapping[str, Any]
GrantEnded = Callable[[Answer], bool]
"""Returns whether the body of a refusal says that the account's own token is no longer accepted."""

OF_THE_APP = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"})
"""Codes of RFC 6749 about the app or about its request, not about the account's grant."""
UNREADABLE = "unreadable_answer"

_NOT_THE_ACCOUNTS = frozenset(
    {ErrorKind.TRANSIENT, ErrorKind.NOT_READY, ErrorKind.RATE_LIMITED, ErrorKind.CAPPED, ErrorKind.OPERATOR}
)


def refuses_grant(answer: Answer) -> bool:
    """Return whether a response is RFC 6749's refusal of a refresh token: used, revoked or too old."""
    return answer.get("error") == "invalid_grant"


async def ask(
    wire: Wire, method: str, url: str, *, grant_ended: GrantEnded = refuses_grant, **options: Any
) -> dict[str, Any]:
    """Return the response to one request for tokens; its `access_token` is a text that is not empty.

    Raises PlatformError as `refusal_of` says. Some platforms send refusals with status 200.
    """
    response = await wire.send(
        method, url, read_error=lambda refused: refusal_of(wire, refused, grant_ended), **options
    )
    answer = json_object(response)
    token = answer.get("access_token")
    if isinstance(token, str) and token:
        return answer
    raise refusal_of(wire, response, grant_ended)


def refusal_of(wire: Wire, response: httpx.Response, grant_ended: GrantEnded = refuses_grant) -> PlatformError:
    """Return the error for a response without tokens.

    - the platform refuses this token (`grant_ended`): `auth`, the account must be reconnected;
    - it refuses the app's id or secret, or answers 401 to anything else: `operator`;
    - the platform's own mapping yields a temporary, rate-limited or operator error: that one;
    - anything else (HTML, no token, an unknown code): `transient`.
    """
    label, status, answer = wire.label, response.status_code, json_object(response)
    code = _code(answer) or (UNREADABLE if response.is_success else f"http_{status}")
    if grant_ended(answer):
        message = f"{label} no longer accepts this account's connection. Reconnect the account."
        return PlatformError(ErrorKind.AUTH, message, code=code, status=status)
    if code in OF_THE_APP or status == httpx.codes.UNAUTHORIZED:
        message = f"{label} does not accept this service's client id and secret. Check the app's credentials."
        return PlatformError(ErrorKind.OPERATOR, message, code=code, status=status)
    own = wire.read_error(response)
    if not response.is_success and own.kind in _NOT_THE_ACCOUNTS:
        return own
    if response.is_client_error:
        # Either the request was wrong, which is a mistake of ours, or the platform has changed.
        log.warning("token_endpoint.refused", platform=label, status=status, code=code)
    message = f"{label} could not renew the account's access right now."
    return PlatformError(ErrorKind.TRANSIENT, message, code=code, status=status)


def _code(answer: Answer) -> str | None:
    """Return the code of a refusal: RFC 6749's `error`, the Graph API's `error.code` or Pinterest's `code`."""
    error = answer.get("error")
    if isinstance(error, dict):
        error = error.get("code")
    code = answer.get("code") if error is None else error
    return str(code) if isinstance(code, str | int) and not isinstance(code, bool) and code != "" else None

"""The token endpoint of a platform: how an app exchanges codes and renews and revokes tokens, and what refusals mean.

An account's owner must reconnect only if this account's own token is refused. An app that the platform does not know, a
limit, a failure of the platform's own and pages of gateways say nothing of the account.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import httpx
import structlog

from platforms.access.registered_apps import App
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import Wire, json_object

log = structlog.get_logger(__name__)

Answer = Mapping[str, Any]
Refuses = Callable[[Answer], bool]
"""Returns whether the body of a refusal says that one thing is not accepted: the grant, the code or the app."""

CODE_REJECTED = "code_rejected"
"""Our code for a refusal of the authorization code itself."""
UNREADABLE = "unreadable_answer"

_ABOUT_APPS = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"})
"""Codes of RFC 6749 about the app or about its request, not about the account's grant."""
_ABOUT_CODES = frozenset({"invalid_grant", "invalid_request"})
_NOT_THE_ACCOUNTS = frozenset(
    {ErrorKind.TRANSIENT, ErrorKind.NOT_READY, ErrorKind.RATE_LIMITED, ErrorKind.CAPPED, ErrorKind.OPERATOR}
)


class ClientAuth(Enum):
    """The way in which an app identifies itself at a token endpoint."""

    FORM = auto()
    """Its id is in the form, and its secret, if it has one."""
    BASIC = auto()
    """By HTTP Basic, with an empty password if it has no secret."""
    BASIC_WITH_SECRET = auto()
    """By HTTP Basic if it has a secret; otherwise its id is in the form."""


def refuses_grant(answer: Answer) -> bool:
    """Return whether a response is RFC 6749's refusal of a refresh token: used, revoked or too old."""
    return answer.get("error") == "invalid_grant"


def refuses_code(answer: Answer) -> bool:
    """Return whether a response in the terms of RFC 6749 says that the code is at fault."""
    return refusal_code(answer) in _ABOUT_CODES


def refuses_app(answer: Answer) -> bool:
    """Return whether a response in the terms of RFC 6749 says that the app is at fault."""
    return refusal_code(answer) in _ABOUT_APPS


def _no_headers(_: App) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """A platform's token endpoint, described once for codes, renewals and revocations."""

    url: str
    revocation: str | None = None
    """The address that revokes tokens; None if there is none, or if revoking does not end the access."""
    auth: ClientAuth = ClientAuth.FORM
    id_field: str = "client_id"
    """The field of the form that names the app."""
    headers: Callable[[App], Mapping[str, str]] = _no_headers
    """Returns the headers that the platform wants with requests of an app."""
    refuses_grant: Refuses = refuses_grant
    refuses_code: Refuses = refuses_code
    refuses_app: Refuses = refuses_app

    async def post(
        self,
        wire: Wire,
        platform_url: str,
        app: App,
        form: Mapping[str, str],
        *,
        url: str | None = None,
        **options: Any,
    ) -> httpx.Response:
        """Return the response to one request of an app, as `Wire.send` does; `url` replaces the endpoint's own.

        `platform_url` is the platform's usual base URL. Raises PlatformError.
        """
        headers, fields = dict(self.headers(app)), dict(form)
        if self.auth is ClientAuth.BASIC or (self.auth is ClientAuth.BASIC_WITH_SECRET and app.secret):
            headers["Authorization"] = f"Basic {b64encode(f'{app.client_id}:{app.secret}'.encode()).decode()}"
        else:
            own = {self.id_field: app.client_id, "client_secret": app.secret}
            fields |= {name: value for name, value in own.items() if value}
        address = wire.address(platform_url, url or self.url)
        return await wire.send("POST", address, data=fields, headers=headers, **options)

    def code_refusal(self, label: str, status: int, answer: Answer) -> PlatformError:
        """Return the error for a refused code: of the code, of the app or temporary. It repeats nothing of `answer`."""
        if self.refuses_app(answer) or status == httpx.codes.UNAUTHORIZED:
            message = f"{label} does not accept this service's client id and secret. Its operator must check them."
            return PlatformError(ErrorKind.OPERATOR, message, code="app_refused", status=status)
        if self.refuses_code(answer) and 400 <= status < 500 and status != httpx.codes.TOO_MANY_REQUESTS:
            return PlatformError(
                ErrorKind.REJECTED, f"{label} does not accept this code.", code=CODE_REJECTED, status=status
            )
        message = f"{label} could not say right now whether it accepts this code."
        return PlatformError(ErrorKind.TRANSIENT, message, code=UNREADABLE, status=status)

    def grant_refusal(self, wire: Wire, response: httpx.Response) -> PlatformError:
        """Return the error for a response to a renewal without tokens.

        - the platform refuses this token (`refuses_grant`): `auth`, the account must be reconnected;
        - it refuses the app's id or secret, or answers 401 to anything else: `operator`;
        - the platform's own mapping yields a temporary, rate-limited or operator error: that one;
        - anything else (HTML, no token, an unknown code): `transient`.
        """
        label, status, answer = wire.label, response.status_code, json_object(response)
        code = refusal_code(answer) or (UNREADABLE if response.is_success else f"http_{status}")
        if self.refuses_grant(answer):
            message = f"{label} no longer accepts this account's connection. Reconnect the account."
            return PlatformError(ErrorKind.AUTH, message, code=code, status=status)
        if self.refuses_app(answer) or status == httpx.codes.UNAUTHORIZED:
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

    def tokens(self, wire: Wire, response: httpx.Response) -> dict[str, Any]:
        """Return the response to a renewal; its `access_token` is a text that is not empty.

        Raises PlatformError as `grant_refusal` says. Some platforms send refusals with status 200.
        """
        answer = json_object(response)
        token = answer.get("access_token")
        if isinstance(token, str) and token:
            return answer
        raise self.grant_refusal(wire, response)


def refusal_code(answer: Answer) -> str | None:
    """Return the code of a refusal: RFC 6749's `error`, the Graph API's `error.code` or Pinterest's `code`."""
    error = answer.get("error")
    if isinstance(error, dict):
        error = error.get("code")
    code = answer.get("code") if error is None else error
    return str(code) if isinstance(code, str | int) and not isinstance(code, bool) and code != "" else None

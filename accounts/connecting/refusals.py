"""Messages about connections that have failed or cannot continue yet."""

import re
from typing import Any

from platforms.base import AnyPlatform
from platforms.errors import ErrorKind, PlatformError
from platforms.servers.reach import FORBIDDEN
from store.models import PendingConnection

Outcome = dict[str, Any]
DENIALS = frozenset({"access_denied", "user_cancelled_authorize", "user_cancelled_login"})
"""The errors with which platforms redirect a person who has declined; the last two are LinkedIn's."""
_OAUTH_ERROR = re.compile(r"[a-z_]{1,64}")


class ConnectRefused(Exception):
    """The end of a connection, or a temporary obstacle if it is not `final`."""

    def __init__(self, code: str, message: str, *, param: str | None = None, final: bool = True) -> None:
        super().__init__(code)
        self.outcome: Outcome = {"error": {"code": code, "message": message, "param": param}, "final": final}


def consent_declined(platform: AnyPlatform, error: str) -> ConnectRefused:
    """Return the refusal by a person, or by a platform that did not ask the person."""
    if error in DENIALS:
        message = f"The authorization was declined at {platform.label}. Nothing was connected."
        return ConnectRefused("authorization_declined", message)
    if error in {"server_error", "temporarily_unavailable"}:
        return ConnectRefused("unavailable", f"{platform.label} does not answer right now. Start again.")
    named = error if _OAUTH_ERROR.fullmatch(error) else "an unknown error"
    message = (
        f"{platform.label} did not ask for consent, because it does not accept this service's app: {named}. The "
        "operator must check the app's settings there."
    )
    return ConnectRefused("app_refused", message)


def other_account(platform: AnyPlatform, row: PendingConnection) -> ConnectRefused:
    """Return the refusal of an account that is not the one to be reconnected."""
    message = (
        f"{platform.label} answered for another account than {row.account_id}. Nothing was changed. Sign in there as "
        "that account, and connect again."
    )
    return ConnectRefused("different_account", message)


def too_many_accounts(most: int) -> ConnectRefused:
    """Return the refusal of accounts that would be more than a workspace may connect."""
    message = f"This workspace would have more than {most:,} accounts. Remove some first, and start again."
    return ConnectRefused("too_many_accounts", message)


def refusal_for(platform: AnyPlatform, error: PlatformError, server_param: str) -> ConnectRefused:
    """Return the meaning of a platform's error for the person who connects; `server_param` has named the server."""
    if error.kind is ErrorKind.OPERATOR:
        return ConnectRefused("app_refused", error.message)
    if error.kind is ErrorKind.REJECTED and error.code == FORBIDDEN:
        return ConnectRefused("server_forbidden", error.message, param=server_param)
    if error.kind in {ErrorKind.AUTH, ErrorKind.REJECTED}:
        return ConnectRefused("no_accounts", error.message)
    return unanswered(platform)


def unanswered(platform: AnyPlatform) -> ConnectRefused:
    """Return the error if a platform does not respond: the same request may be repeated."""
    message = f"{platform.label} does not answer right now. Send the same request again."
    return ConnectRefused("unavailable", message, final=False)

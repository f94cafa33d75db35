"""A platform's report on an account's tokens; asking for it changes nothing."""

from dataclasses import dataclass
from datetime import datetime

from platforms.http.untrusted import moment, number


@dataclass(frozen=True, slots=True)
class Inspection:
    """The report of a platform that accepts an account's tokens."""

    scopes: tuple[str, ...] | None = None
    """The permissions that are granted, sorted; None if the platform does not report them."""
    expires_at: datetime | None = None
    """When the access token ends; None if the platform does not report it, or if the token has no end."""
    missing: tuple[str, ...] = ()
    """Permissions that this account lacks and needs to publish, although the tokens have them for other accounts."""
    notes: tuple[str, ...] = ()
    """Messages for people about problems that do not stop publishing."""


def reported_end(value: object) -> datetime | None:
    """Return when a token ends, given a reported value; None for 0, which means no end, and for an unreadable value."""
    if not number(value):
        return None
    try:
        return moment(value)
    except ValueError:
        return None

"""What a network says of an account's tokens when it is asked: no more than that, and without an effect."""

from dataclasses import dataclass
from datetime import datetime

from platforms.http.untrusted import moment, number


@dataclass(frozen=True, slots=True)
class Inspection:
    """The answer of a network that accepts an account's tokens."""

    scopes: tuple[str, ...] | None = None
    """The permissions that are granted, sorted; None if it does not say."""
    expires_at: datetime | None = None
    """When the access token ends; None if it does not say, or has no end."""
    missing: tuple[str, ...] = ()
    """Permissions without which this account cannot publish, although the tokens have them for others."""
    notes: tuple[str, ...] = ()
    """Sentences for people, on what does not stop publishing."""


def end_of(found: object) -> datetime | None:
    """Return when a token ends by what its network says; 0 is no end, and what cannot be read says nothing."""
    if not number(found):
        return None
    try:
        return moment(found)
    except ValueError:
        return None

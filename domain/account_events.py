"""The vocabulary of the audit trail of accounts."""

from enum import StrEnum


class AccountAction(StrEnum):
    """An action on an account."""

    CONNECTED = "connected"
    RECONNECTED = "reconnected"
    """Connected again: with other tokens, under the same id."""
    REMOVED = "removed"
    REVOKED = "revoked"
    """The platform has ended this service's access after the account was removed."""
    NOT_REVOKED = "not_revoked"
    """The platform could not be asked to end it."""


class Access(StrEnum):
    """The state of this service's access at the platform after an account was removed."""

    ENDED = "ended"
    KEPT = "kept"
    """The tokens are forgotten, and the platform still knows them."""
    UNKNOWN = "unknown"
    """The platform was asked to end it, and its answer is not known."""

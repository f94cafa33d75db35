"""The vocabulary of the audit trail of accounts."""

from enum import StrEnum


class AccountAction(StrEnum):
    """An action on an account."""

    CONNECTED = "connected"
    RECONNECTED = "reconnected"
    """Connected again: with other tokens, under the same id."""
    REMOVED = "removed"
    REVOKED = "revoked"
    """The platform has ended an authorization that this service no longer needs, for a RevocationCause."""
    NOT_REVOKED = "not_revoked"
    """The platform could not be asked to end it for a week, or another connection needs it by now."""


class RevocationCause(StrEnum):
    """Why an authorization is no longer needed."""

    REMOVED = "removed"
    """Its account was removed."""
    REPLACED = "replaced"
    """Its account was connected again, by another authorization."""
    REFUSED = "refused"
    """The connection for which it was given connected no account."""


NEEDED = {"reason": "needed"}
"""Details of a line NOT_REVOKED: the access was not ended, because a connected account needs it."""


class Access(StrEnum):
    """The state of this service's access at the platform after an account was removed."""

    ENDED = "ended"
    KEPT = "kept"
    """The tokens are forgotten, and the platform still knows them."""
    UNKNOWN = "unknown"
    """The platform has not confirmed yet, or did not in time, that it has ended all of it."""

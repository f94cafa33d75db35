"""The few kinds that every network's errors come down to."""

import re
from datetime import timedelta
from enum import StrEnum

from domain.post import ErrorCategory

LONGEST_LIMIT = timedelta(minutes=20)
"""A limit that lasts longer is a cap: what waits for it is held rather than tried again. X's windows of 15 minutes are
the longest that are waited out; the figure is ours."""

_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")

LONGEST_CODE = 128
"""Characters kept of a network's code and of its name for a request, which stand in logs and histories."""

LONGEST_TEXT = 500
"""Characters kept of a network's own words: some answer errors with whole pages of HTML."""


DUPLICATE = "duplicate_content"
"""The code of a network's refusal to publish the same text twice: after an unconfirmed send it means it landed, unless
that cannot be found and the next send is refused so again: then the network means another post."""


NO_PUBLIC_URL = "no_public_url"
"""The code if a network must fetch media from this service's own address, and the operator has set none."""


class ErrorKind(StrEnum):
    """What an error of a network means for what we do next."""

    TRANSIENT = "transient"
    """Surely nothing happened; the same request may be sent again."""
    NOT_READY = "not_ready"
    """The network still works on what we gave it; ask again."""
    RATE_LIMITED = "rate_limited"
    """Surely nothing happened; the same request may be sent again, later: within minutes."""
    CAPPED = "capped"
    """Surely nothing happened; the account has used up what the network allows it for hours, until `retry_after`."""
    AUTH = "auth"
    """The account must be reconnected by its owner."""
    OPERATOR = "operator"
    """Surely nothing happened; the network refuses the operator's app: it is not approved, a product is not enabled, or
    its credits are used up. Neither the post nor the account is at fault. `message` says what the operator must do."""
    REJECTED = "rejected"
    """The content or its settings are at fault; sending it again cannot help."""
    UNCONFIRMED = "unconfirmed"
    """The request may have had its effect. Look before doing anything."""


PASSING = frozenset({ErrorKind.TRANSIENT, ErrorKind.NOT_READY, ErrorKind.RATE_LIMITED})
"""What surely had no effect and may work by itself a little later."""

CATEGORY = {
    ErrorKind.TRANSIENT: ErrorCategory.PLATFORM,
    ErrorKind.NOT_READY: ErrorCategory.PLATFORM,
    ErrorKind.RATE_LIMITED: ErrorCategory.RATE_LIMITED,
    ErrorKind.CAPPED: ErrorCategory.RATE_LIMITED,
    ErrorKind.AUTH: ErrorCategory.AUTH,
    ErrorKind.OPERATOR: ErrorCategory.INTERNAL,
    ErrorKind.REJECTED: ErrorCategory.REJECTED,
    ErrorKind.UNCONFIRMED: ErrorCategory.UNCONFIRMED,
}


class PlatformError(Exception):
    """A network refused, failed or fell silent.

    `message` is one sentence for the person who posts; `code` is the network's own code where it has one;
    `retry_after` is how long the network asks us to wait; where a limit lasts longer than LONGEST_LIMIT the kind is
    `capped`. As text the error is its kind and code: networks repeat
    what they were sent, and an exception's text ends in logs and histories, where no content may be.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        *,
        code: str,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        if kind is ErrorKind.RATE_LIMITED and retry_after is not None and retry_after > LONGEST_LIMIT:
            kind = ErrorKind.CAPPED
        code = _LINE.sub(" ", str(code))[:LONGEST_CODE]
        super().__init__(f"{kind} ({code})")
        self.kind = kind
        self.message = message[:LONGEST_TEXT]
        self.code = code
        self.status = status
        self.request_id = str(request_id)[:LONGEST_CODE] if request_id else None
        self.retry_after = retry_after

    def as_unconfirmed(self) -> "PlatformError":
        """Return the same error where the request may have had its effect."""
        return PlatformError(
            ErrorKind.UNCONFIRMED, self.message, code=self.code, status=self.status, request_id=self.request_id
        )

    def as_rejected(self) -> "PlatformError":
        """Return the same error where trying again has been tried enough, so that the content must be at fault."""
        return PlatformError(
            ErrorKind.REJECTED, self.message, code=self.code, status=self.status, request_id=self.request_id
        )

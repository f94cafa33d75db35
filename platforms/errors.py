"""The kinds of errors to which the errors of all platforms are mapped."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import wraps
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar, cast

import httpx
import structlog

from domain.post import ErrorCategory

LONGEST_LIMIT = timedelta(minutes=20)
"""A longer limit is a cap: its posts are held rather than retried. The longest limits that are waited for are X's
windows of 15 minutes; the number is ours."""

_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")

LONGEST_CODE = 128
"""Most characters kept of a platform's code and of its request id, which appear in logs and histories."""

LONGEST_TEXT = 500
"""Most characters kept of a platform's own message: some send errors with whole pages of HTML."""


DUPLICATE = "duplicate_content"
"""The code of a platform's refusal to publish the same text twice. After an unconfirmed send, a first "duplicate" means
that the post was published. If confirm then finds nothing and the next send is refused again, the duplicate is another
post."""

DUPLICATES = frozenset({DUPLICATE, "link_taken", "repeats_another"})
"""This code, and ours for such refusals."""

ACCOUNT_LOCKED = "account_locked"
"""The code if a platform says itself that it has locked the account, or that the account lacks a right: its posts are
held, without the question whether another account or post is meant."""


ANSWER_TOO_LARGE = "answer_too_large"
"""The code of a response with more bytes or values than are read. Asking again gives the same response."""


NO_PUBLIC_URL = "no_public_url"
"""The code if a platform must fetch media from this service's own address, and the operator has set none."""


class ErrorKind(StrEnum):
    """The meaning of a platform's error for what this service does next."""

    TRANSIENT = "transient"
    """Surely nothing happened; the same request may be sent again."""
    NOT_READY = "not_ready"
    """The platform still processes what we gave it; ask again."""
    RATE_LIMITED = "rate_limited"
    """Surely nothing happened; the same request may be sent again, but later: within minutes."""
    CAPPED = "capped"
    """Surely nothing happened; the account has used up a limit of the platform for hours, until `retry_after`."""
    AUTH = "auth"
    """The account must be reconnected by its owner."""
    OPERATOR = "operator"
    """Surely nothing happened; the platform refuses the operator's app: it is not approved, a product is not enabled,
    or its credits are used up. Neither the post nor the account is at fault. `message` says what the operator must
    do."""
    REJECTED = "rejected"
    """The content or its settings are at fault; sending it again cannot help."""
    UNCONFIRMED = "unconfirmed"
    """The request may have had its effect. Confirm before doing anything else."""


PASSING = frozenset({ErrorKind.TRANSIENT, ErrorKind.NOT_READY, ErrorKind.RATE_LIMITED})
"""Kinds that surely had no effect and that may pass by themselves a little later."""

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
    """A platform refused a request, failed or did not respond.

    `message` is one sentence for the author of the post; `code` is the platform's own code if it has one; `retry_after`
    is how long the platform asks us to wait. If a limit lasts longer than LONGEST_LIMIT, the kind is `capped`. `claim`
    is the refusal that an unconfirmed answer claims to be. It counts once nothing is seen to be published.

    As text the error is its kind and code only. Platforms repeat what they were sent, and the text of an exception ends
    in logs and histories, which must hold no content.
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
        claim: "PlatformError | None" = None,
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
        self.claim = claim

    @property
    def is_of_content(self) -> bool:
        """Return whether only a check of the content gives this refusal. A duplicate may be the post itself."""
        return self.kind is ErrorKind.REJECTED and self.code not in DUPLICATES

    def as_unconfirmed(self, *, claims: bool = False) -> "PlatformError":
        """Return the same error for a request that may have had its effect; `claims`: the error may prove true."""
        return PlatformError(
            ErrorKind.UNCONFIRMED,
            self.message,
            code=self.code,
            status=self.status,
            request_id=self.request_id,
            claim=self if claims else None,
        )

    def as_rejected(self) -> "PlatformError":
        """Return the same error after the last retry, so that the content must be at fault."""
        return PlatformError(
            ErrorKind.REJECTED, self.message, code=self.code, status=self.status, request_id=self.request_id
        )


Meaning = tuple[ErrorKind, str]
"""What an error means for us, and the sentence for the author of the post."""


@dataclass(frozen=True, slots=True)
class Meanings:
    """The meanings that statuses of responses have on most platforms, in sentences that name this one.

    `owner` is the platform's word for the holder of a token. `others` are statuses that mean something else there.
    `words` are patterns of messages; {message} in a sentence is what the platform says.
    """

    label: str
    owner: str = "account"
    others: Mapping[int, Meaning] = field(default_factory=dict)
    words: tuple[tuple[str, Meaning], ...] = ()

    @property
    def reconnect(self) -> Meaning:
        """Return the meaning of a token that is not accepted."""
        sentence = f"{self.label} no longer accepts this {self.owner}'s connection. Reconnect the account."
        return ErrorKind.AUTH, sentence

    @property
    def throttled(self) -> Meaning:
        """Return the meaning of a reached limit."""
        return ErrorKind.RATE_LIMITED, f"{self.label} is limiting how much this {self.owner} may do right now."

    @property
    def server(self) -> Meaning:
        """Return the meaning of a failure of the platform's own."""
        return ErrorKind.TRANSIENT, f"{self.label} had an error of its own."

    def by_words(self, message: str) -> Meaning | None:
        """Return the meaning of a message of the platform, None if no pattern matches."""
        for pattern, (kind, sentence) in self.words:
            if re.search(pattern, message, re.IGNORECASE | re.DOTALL):
                return kind, sentence.format(message=message)
        return None

    def by_status(self, status: int | None, message: str) -> Meaning:
        """Return the meaning of an error that only its status explains; `message` is what the platform says of it."""
        known = {401: self.reconnect, 408: self.server, 429: self.throttled, **self.others}
        if status in known:
            return known[status]
        if status is not None and status >= 500:
            return self.server
        reason = f": {message}" if message else f" with status {status}."
        return ErrorKind.REJECTED, f"{self.label} refused{reason}"


def unreadable(label: str, *, public: bool = False) -> PlatformError:
    """Return the error for a response that is not what the API promises; `unconfirmed` after a public request."""
    kind = ErrorKind.UNCONFIRMED if public else ErrorKind.TRANSIENT
    return PlatformError(kind, f"{label} answered in a way that cannot be read.", code="unreadable_answer")


def require_same(label: str, named: object, asked: object, *, public: bool = False) -> None:
    """Raise PlatformError if a response names another owner or post than was asked for; None names nothing."""
    if named is not None and str(named) != str(asked):
        raise unreadable(label, public=public)


log = structlog.get_logger(__name__)

STEPS = (
    "whoami",
    "quota",
    "prepare",
    "publish",
    "confirm_sent",
    "complete",
    "edit",
    "confirm_edit",
    "renew",
    "choices",
)
_PUBLIC = {"publish", "edit"}
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError, httpx.InvalidURL)
"""What Python raises for a value of another type, form or size than the module expects."""

Step = TypeVar("Step", bound=Callable[..., Awaitable[Any]])


def shield(owner: type, steps: Iterable[str] = STEPS) -> None:
    """Make the steps that a class defines raise a PlatformError if they cannot read a response.

    The class belongs to a platform, and has its `name` and `label`.
    """
    for name in steps:
        if name in vars(owner):
            setattr(owner, name, shielded(vars(owner)[name]))


def shielded(step: Step) -> Step:
    """Return a step that raises a PlatformError if it cannot read a response."""

    @wraps(step)
    async def run(self: Any, connection: Any, *args: Any, **options: Any) -> Any:
        try:
            return await step(self, connection, *args, **options)
        except PlatformError as error:
            if error.__cause__ is error:
                # A step may contain `raise explain(error) from error`, and `explain` may return the same error. An
                # error that is its own cause is an endless loop for code that follows causes.
                error.__cause__ = None
            raise
        except _UNREADABLE as error:
            # This may also be a mistake of ours, so the log names the place. The value itself may be content or a
            # secret.
            log.warning(
                "answer.unreadable",
                platform=self.name,
                step=step.__name__,
                error=type(error).__name__,
                at=_place(error.__traceback__),
            )
            public = step.__name__ in _PUBLIC and connection.wire.public_requests > 0
            raise unreadable(self.label, public=public) from error

    return cast("Step", run)


def _place(traceback: TracebackType | None) -> str:
    place = ""
    while traceback:
        code = traceback.tb_frame.f_code
        if "platforms" in Path(code.co_filename).parts:
            place = f"{Path(code.co_filename).parent.name}/{Path(code.co_filename).name}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place

"""Everything that can be wrong with a request; `api.errors` alone turns these errors into HTTP.

PostsError
├── InvalidRequest       the request itself is malformed
├── Unprocessable        a platform or an account refuses the request
├── IdempotencyKeyReused the key came with another body before
├── NotFound
├── Conflict             the post is not in a state that allows it
├── Gone                 it is not kept any more
├── TooManyRequests      the caller sends more requests than it may
└── Unavailable          a part that we depend on is away; the request may be repeated later
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from domain.codes import ProblemCode


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: a sentence for a person, a code for a program, the field at fault."""

    error: str
    code: ProblemCode
    param: str | None = None
    platform: str | None = None
    """The platform of the target that it concerns; None if it concerns all, or none."""
    account_id: str | None = None
    platform_code: str | None = None
    """The platform's own code, if its refusal is the problem."""
    post_id: str | None = None
    """The existing post that is in the way."""
    row: int | None = None
    """The row that it concerns, in a request with many rows."""
    value: str | None = None
    """The beginning of what the field holds, and what that looks like, if a person may look for it in a file."""
    rows: tuple[int, ...] = ()
    """The first rows with the same problem, if it stands for many."""
    count: int | None = None
    """How many rows that are."""

    def within(self, name: str) -> "Problem":
        """Return this problem of an object in a body as one of the body, which has the object under `name`."""
        if self.param is None:
            return replace(self, param=name)
        sentence = f"{name}.{self.error}" if self.error.startswith(self.param) else self.error
        return replace(self, error=sentence, param=f"{name}.{self.param}")


class PostsError(Exception):
    """An error of one or more problems, the most important first."""

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__(self.problems[0].error)

    @property
    def first(self) -> Problem:
        """Return the problem that stands for all in a short answer."""
        return self.problems[0]


class InvalidRequest(PostsError):
    """The request is malformed."""


class Unprocessable(PostsError):
    """The request is well-formed, but a rule of a platform or the state of an account forbids it."""


class IdempotencyKeyReused(PostsError):
    """The Idempotency-Key was used with another body."""


class NotFound(PostsError):
    """The id names nothing in this workspace."""


class Conflict(PostsError):
    """The post is in a state that does not allow it."""


class Gone(PostsError):
    """It existed, and is not kept any more."""


class TooManyRequests(PostsError):
    """The caller sends more requests than it may; `retry_after` is in seconds."""

    def __init__(self, problem: Problem, retry_after: int) -> None:
        super().__init__(problem)
        self.retry_after = retry_after


class Unavailable(PostsError):
    """A part that this service depends on does not answer; `retry_after` is in seconds."""

    def __init__(self, problem: Problem, retry_after: int = 5) -> None:
        super().__init__(problem)
        self.retry_after = retry_after

"""The API's errors as a person at a terminal reads them, and the exit codes of commands that call it."""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

from cli.errors import UserError

_MOST_LINES = 20


class ExitCode(IntEnum):
    """The exit codes of commands that call the API, as docs/command-line.md lists them. 2 is click's: wrong options."""

    DONE = 0
    REFUSED = 1
    UNAVAILABLE = 3
    NOT_PUBLISHED = 4
    STILL_OPEN = 5


class RefusedError(UserError):
    """An error: the API refused a request. `body` is its answer, in the one shape of errors."""

    exit_code = ExitCode.REFUSED

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        self.body = body
        self.code = body.get("code")
        super().__init__(_describe(status, body))


class UnavailableError(UserError):
    """An error: the API did not answer, or is too busy. `may_have_effect`: a change may have been carried out."""

    exit_code = ExitCode.UNAVAILABLE

    def __init__(self, message: str, *, may_have_effect: bool = False) -> None:
        self.may_have_effect = may_have_effect
        super().__init__(message)

    def with_key(self, key: str) -> "UnavailableError":
        """Return the error with the way to find out what happened."""
        return UnavailableError(
            f"{self.message}\nThe request may have been carried out. Run the same command again with "
            f"--idempotency-key {key}: what was done already is not done again."
        )


def _describe(status: int, body: Mapping[str, Any]) -> str:
    """Return the first problem as a sentence with its code, and further problems on a line each."""
    sentence = str(body.get("error") or f"The API answers with status {status}").rstrip(".")
    problems = [problem for problem in body.get("errors") or [] if isinstance(problem, Mapping)]
    if len(problems) < 2:
        return describe_problem({**(problems[0] if problems else body), "error": sentence})
    lines = [f"{len(problems):,} problems:"]
    lines += [f"  {describe_problem(problem)}" for problem in problems[:_MOST_LINES]]
    if len(problems) > _MOST_LINES:
        lines.append(f"  And {len(problems) - _MOST_LINES:,} more; --json prints all.")
    return "\n".join(lines)


def describe_problem(problem: Mapping[str, Any]) -> str:
    """Return a problem as a sentence, with its place in front and its code behind."""
    code = f" ({problem['code']})" if problem.get("code") else ""
    return f"{_place(problem)}{str(problem.get('error', '')).rstrip('.')}{code}."


def _place(problem: Mapping[str, Any]) -> str:
    """Return where a problem is: its row, its post, its account, its field."""
    account = f"{problem['platform']}/{problem.get('accountId', '?')}" if problem.get("platform") else None
    row = f"row {problem['row']}" if problem.get("row") is not None else None
    # The row is named already: the path of the field in it is enough.
    field = str(problem.get("param") or "").removeprefix(f"rows.{problem.get('row')}").lstrip(".")
    places = [place for place in (row, problem.get("postId"), account, field) if place]
    return f"{', '.join(map(str, places))}: " if places else ""

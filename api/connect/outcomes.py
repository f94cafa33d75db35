"""The results that a worker has written into the row of a connection: accounts, a selection, or an error.

`outcome` is the result of the authorization or of the credentials, `selection_result` that of a choice from the
selection. Each has one of `accounts`, `selection` and `error`. An error that is not `final` may go away if the step is
repeated.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from domain.codes import PROBLEM_CODES, ProblemCode
from domain.errors import InvalidRequest, Problem, Unavailable, Unprocessable
from store.models import PendingConnection


def connected_accounts(row: PendingConnection) -> Sequence[Mapping[str, Any]]:
    """Return the accounts that were connected."""
    return (row.selection_result or {}).get("accounts") or (row.outcome or {}).get("accounts") or []


def selection_options(row: PendingConnection) -> Sequence[Mapping[str, Any]] | None:
    """Return the options from which the person chooses; None if there is nothing to choose, or not yet."""
    return (row.outcome or {}).get("selection")


def connection_error(row: PendingConnection) -> Mapping[str, Any] | None:
    """Return why nothing was connected, or why the connection does not continue for now."""
    return (row.selection_result or {}).get("error") or (row.outcome or {}).get("error")


def is_final(result: Mapping[str, Any] | None) -> bool:
    """Return whether a step has a result that a repeat of the step cannot change."""
    return result is not None and bool(result.get("final", True))


def require_success(result: Mapping[str, Any] | None) -> None:
    """Raise the error of a result as the API answers it; a step without a result has none."""
    if result is None or "error" not in result:
        return
    error = result["error"]
    code = error_code(error)
    problem = Problem(error["message"], code, error["param"])
    if code == "unavailable":
        raise Unavailable(problem)
    raise InvalidRequest(problem) if code == "invalid_field_value" else Unprocessable(problem)


def error_code(error: Mapping[str, Any]) -> ProblemCode:
    """Return the code of an error; one that this release does not know is `unavailable`."""
    return cast("ProblemCode", error["code"]) if error["code"] in PROBLEM_CODES else "unavailable"

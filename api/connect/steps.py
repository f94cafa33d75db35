"""Steps of connecting accounts that a worker takes, and their results in the connection's row.

`outcome` is the result of the authorization or of the credentials, `selection_result` that of a choice from the
selection. Each has one of `accounts`, `selection` and `error`. An error that is not `final` may go away if the step is
repeated.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from structlog.contextvars import get_contextvars

from activities.commands import ConnectStep
from api.dependencies import Dependencies
from domain.codes import PROBLEM_CODES, ProblemCode
from domain.errors import InvalidRequest, Problem, Unavailable, Unprocessable
from platforms.access.bots import CodeConnector
from platforms.access.connector import connectors
from platforms.access.consent import PushesRequest
from store.accounts.pending_connections import choose, consume, hand_over
from store.models import PendingConnection
from store.rows import current_row
from store.secrets.handover import seal_for
from workflows.short import ConnectPlan


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


_KEPT = timedelta(minutes=10)
"""How long a repeat of the request that connected an account is answered as the first."""
EXPIRED = Problem(
    "This connection is unknown, was used, or is older than 10 minutes. Start again.", "connection_expired", "state"
)
_SELECTION_EXPIRED = Problem(
    "This selection is unknown, was used, or is older than 30 minutes. Start again.",
    "connection_expired",
    "selectionId",
)
NOT_DONE = Problem("No worker has answered in time. Send the same request again.", "unavailable")


async def consume_and_finish(
    deps: Dependencies, row: PendingConnection, handed: Mapping[str, Any], fingerprint: bytes
) -> PendingConnection:
    """Save a connection's answer, which uses it up, and run its last step. A repeat continues. Raises as `begin`."""
    if row.public_key is None:
        raise Unavailable(NOT_DONE)
    now = datetime.now(UTC)
    async with deps.database.transaction() as session:
        sealed = seal_for(row.public_key, handed, row.id)
        first = await consume(session, row.id, handover=sealed, handover_hash=fingerprint, now=now)
    if not first:
        async with deps.database.reading() as session:
            row = await current_row(session, PendingConnection, row.id) or row
        again = row.consumed_at is not None and now - row.consumed_at < _KEPT
        if not again or row.handover_hash != fingerprint:
            raise Unprocessable(EXPIRED)
    return await finish(deps, row)


async def finish(deps: Dependencies, row: PendingConnection) -> PendingConnection:
    """Run the last step of a connection that has its answer, unless it is done. Raises as `begin`."""
    if not is_final(row.outcome):
        row = await step(deps, row.workspace_id, row.platform, row.id, "finish")
    if row.outcome is None:
        raise Unavailable(NOT_DONE)
    require_success(row.outcome)
    return row


async def connect_selected(
    deps: Dependencies, workspace_id: str, platform: str, selection_id: str, ids: Sequence[str]
) -> PendingConnection:
    """Connect the selected accounts; returns the row with the result. Raises as `begin` does."""
    option_ids, now = sorted(set(ids)), datetime.now(UTC)
    async with deps.database.transaction() as session:
        row = await current_row(session, PendingConnection, selection_id)
        selection = None if row is None else selection_options(row)
        if row is None or selection is None or (row.workspace_id, row.platform) != (workspace_id, platform):
            raise Unprocessable(_SELECTION_EXPIRED)
        options = {option["id"]: option["reason"] for option in selection}
        for position, option in enumerate(ids):
            if options.get(option, "unknown") is not None:
                sentence = f"ids.{position} is not among the options of this selection, or cannot be selected"
                raise InvalidRequest(Problem(sentence, "invalid_field_value", f"ids.{position}"))
        if not await choose(session, row.id, option_ids, now):
            again = row.expires_at > now and row.selected_ids == option_ids
            if not again:
                raise Unprocessable(_SELECTION_EXPIRED)
    if not is_final(row.selection_result):
        row = await step(deps, workspace_id, platform, row.id, "select")
    if row.selection_result is None:
        raise Unavailable(NOT_DONE)
    require_success(row.selection_result)
    return row


async def step(
    deps: Dependencies,
    workspace_id: str,
    platform: str,
    connection_id: str,
    step: ConnectStep,
) -> PendingConnection:
    """Run a step on a worker, and return the row as it is then."""
    plan = ConnectPlan(
        connection_id=connection_id,
        workspace_id=workspace_id,
        platform=platform,
        step=step,
        request_id=get_contextvars().get("request_id"),
    )
    await deps.workflows.connect(plan)
    async with deps.database.reading() as session:
        row = await current_row(session, PendingConnection, connection_id)
    if row is None:
        raise Unavailable(NOT_DONE)
    return row


async def push(deps: Dependencies, row: PendingConnection, state: str) -> PendingConnection:
    """Push the authorization request to the platform from a worker, if it wants that; the state is sealed for it."""
    if not isinstance(connectors()[row.platform], PushesRequest) or row.public_key is None:
        return row
    sealed = seal_for(row.public_key, {"state": state}, row.id)
    async with deps.database.transaction() as session:
        await hand_over(session, row.id, sealed)
    row = await step(deps, row.workspace_id, row.platform, row.id, "push")
    require_success(row.outcome)
    return row


def consent_url(row: PendingConnection, state: str) -> str:
    """Return where the person consents; a platform that was sent the state before needs no other."""
    connector = connectors()[row.platform]
    address = row.authorize_url or ""
    return address if isinstance(connector, PushesRequest | CodeConnector) else f"{address}&state={state}"

"""Steps of connecting accounts that a worker takes: finish with what a platform sent back, and choose."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from structlog.contextvars import get_contextvars

from activities.commands import ConnectStep
from api.connect.outcomes import is_final, require_success, selection_options
from api.dependencies import Dependencies
from domain.errors import InvalidRequest, Problem, Unavailable, Unprocessable
from platforms.access.bots import CodeConnector
from platforms.access.connector import connectors
from platforms.access.consent import PushesRequest
from store.accounts.pending_connections import choose, consume, find_connection, hand_over
from store.models import PendingConnection
from store.secrets.handover import seal_for
from workflows.connect import ConnectPlan

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
            row = await find_connection(session, row.id) or row
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
        row = await find_connection(session, selection_id)
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
        row = await find_connection(session, connection_id)
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

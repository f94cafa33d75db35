"""The history of one post for operators: the audit trail of the database, and people's direct requests to Temporal."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.service import RPCError

from activities.operators import OperatorRequest
from api.posts.history import events_view
from api.views import write_json
from cli.environment import find_environment, open_database
from cli.errors import UserError
from cli.post_names import post_named
from cli.temporal_client import temporal_client
from domain.audit import Action, ActorType
from domain.errors import Unavailable
from domain.schedule import rfc3339
from reconcile.doctor.waiting import TEMPORAL_UNAVAILABLE
from runtime.settings import Settings
from store.audit import newest_event
from store.database import Database
from store.models import AuditEvent
from store.posts.history import EntrySource, HistoryEntry, HistoryPosition, read_history
from store.posts.queries import find_workflow
from workflows.client.runs import Runs

TEMPORAL_AWAY = f"{TEMPORAL_UNAVAILABLE} Operators' direct requests to it are missing here."
_UNKNOWN = "There is no post {}, and the audit trail has none."
_PAGE = 1000


@dataclass(frozen=True, slots=True)
class History:
    """The lines of a post, oldest first; `missing` says what could not be read, if anything."""

    lines: Sequence[HistoryEntry]
    missing: str | None = None


async def history(data_dir: Path | None, name: str) -> History:
    """Return every known event of a post, named as `post_named` takes it, in any workspace. Raises UserError."""
    environment = find_environment(data_dir, Settings)
    async with open_database(environment) as database:
        async with database.reading() as session:
            post_id = await post_named(session, name)
            workspace_id, workflow_id = await _named(session, post_id)
        lines = await _lines(database, workspace_id, post_id)
    try:
        async with temporal_client(environment) as client:
            requests = await Runs(client).requests(workflow_id)
            del client
    except (Unavailable, RPCError, RuntimeError):
        return History(lines, TEMPORAL_AWAY)
    return History(merged(lines, requests, workspace_id, post_id))


async def _named(session: AsyncSession, post_id: str) -> tuple[str, str]:
    """Return the workspace and the workflow of a post, which may be deleted. Raises UserError."""
    if (names := await find_workflow(session, post_id)) is not None:
        return names
    event = await newest_event(session, post_id)
    if event is None:
        raise UserError(_UNKNOWN.format(post_id))
    return event.workspace_id, event.details.get("workflowId", post_id)


async def say_what_is_missing(database: Database, post_id: str) -> str:
    """Return the error for a post that does not exist, which says whether it was deleted."""
    async with database.reading() as session:
        event = await newest_event(session, post_id)
    if event is None:
        return _UNKNOWN.format(post_id)
    return f"{post_id} was deleted at {rfc3339(event.at)}. `socialsyncer history {post_id}` says by whom."


async def _lines(database: Database, workspace_id: str, post_id: str) -> list[HistoryEntry]:
    lines = list[HistoryEntry]()
    while True:
        async with database.transaction() as session:
            page = await read_history(session, workspace_id, post_id, _PAGE, lines[-1].position if lines else None)
        lines += page or []
        if len(page or []) < _PAGE:
            return lines


def merged(
    lines: Sequence[HistoryEntry], requests: Sequence[OperatorRequest], workspace_id: str, post_id: str
) -> list[HistoryEntry]:
    """Return the lines together with people's direct requests to Temporal, unless a line already names the person."""
    known = [line.event for line in lines if line.event.actor_type == ActorType.OPERATOR]
    beside = [request for request in requests if not _is_recorded(request, known)]
    all_lines = [*lines, *(_line(request, at, workspace_id, post_id) for at, request in enumerate(beside))]
    return sorted(all_lines, key=lambda line: line.position)


def _is_recorded(request: OperatorRequest, known: list[AuditEvent]) -> bool:
    """Return whether a line describes the effect of a request, and use that line up."""
    led_to = {Action.CANCELLED: Action.CANCELLED, Action.SIGNALLED: Action.RETRIED}.get(request.action)
    for event in known:
        same = event.action == led_to and event.actor_id == (request.identity or None) and event.at >= request.at
        if same and event.details.get("runId") == request.run_id:
            known.remove(event)
            return True
    return False


def _line(request: OperatorRequest, number: int, workspace_id: str, post_id: str) -> HistoryEntry:
    named_details = {"signal": request.signal, "reason": request.reason, "runId": request.run_id}
    event = AuditEvent(
        at=request.at,
        workspace_id=workspace_id,
        post_id=post_id,
        action=request.action.value,
        actor_type=ActorType.OPERATOR.value,
        actor_id=request.identity or None,
        platform=None,
        account_id=None,
        details={name: value for name, value in named_details.items() if value},
    )
    return HistoryEntry(HistoryPosition(request.at, EntrySource.TEMPORAL, number), event)


def to_text(history: History) -> list[str]:
    """Return a line for each event: when, and what in a sentence."""
    shown = []
    for view in events_view(history.lines, identities=True):
        version = f" (version {view['version']})" if "version" in view else ""
        shown.append(f"{view['at']}  {view['summary']}{version}")
    return shown


def to_json(history: History) -> list[str]:
    """Return a JSON object for each event."""
    return [write_json(view).decode() for view in events_view(history.lines, identities=True)]

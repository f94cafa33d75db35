"""The time line of a post: the audit trail, its author, its steps towards platforms and when it was late.

For an existing post, the last three are read from its rows. When the post is deleted, the database writes them into the
trail (`keep_history_v1`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

from sqlalchemy import ColumnElement, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from domain import decisions
from domain.attempts import AttemptState, AttemptStep
from domain.audit import Action, ActorType
from domain.post import LATE_AFTER
from domain.schedule import rfc3339
from store.audit import names_of_keys
from store.models import Attempt, AuditEvent, LatePost, Post, Target
from store.posts.queries import find_post

REPORTED_AFTER = timedelta(seconds=5)
"""How long after its due time a target must begin to be reported as late."""

_IN_THE_TRAIL = (AttemptStep.RESOLVE, AttemptStep.CORRECT)
"""Steps of the attempt log that people take: the trail has them, with the person."""

_ATTEMPT = "attempt"
"""The action of a line that keeps the attempt of a deleted post, as its row was."""
_COLUMNS = tuple(column.key for column in Attempt.__mapper__.column_attrs)
_MOMENTS = ("started_at", "finished_at", "next_attempt_at")


class EntrySource(IntEnum):
    """The source of an entry; entries of the same moment are read in this order."""

    ROW = 0
    TRAIL = 1
    ATTEMPTS = 2
    LATENESS = 3
    TEMPORAL = 4


@dataclass(frozen=True, slots=True, order=True)
class HistoryPosition:
    """The position of an entry in a history, which is in the order of these fields."""

    at: datetime
    source: int
    id: int


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """An entry with its position. `actor_name` is that of an API key, if it has one."""

    position: HistoryPosition
    event: AuditEvent
    actor_name: str | None = None


async def read_history(
    session: AsyncSession, workspace_id: str, post_id: str, limit: int, after: HistoryPosition | None = None
) -> list[HistoryEntry] | None:
    """Return up to `limit` lines of a post, oldest first, that come after a place.

    All lines must be read at one instant, so this must be the first read of its transaction. Returns None if the
    workspace has no such post, and no line of it in the trail, which is kept for some time after the post.
    """
    await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    post = await find_post(session, workspace_id, post_id)
    query = select(AuditEvent).where(AuditEvent.workspace_id == workspace_id, AuditEvent.post_id == post_id)
    query = query.where(_after(after, EntrySource.TRAIL, AuditEvent.at, AuditEvent.id))
    events = list(await session.scalars(query.order_by(AuditEvent.at, AuditEvent.id).limit(limit)))
    if post is None and not events and not await _is_known(session, workspace_id, post_id):
        return None
    lines = [(HistoryPosition(event.at, EntrySource.TRAIL, event.id), _in_words(event)) for event in events]
    if post is not None:
        lines += await _of_rows(session, post)
        lines += await _of_attempts(session, post, limit, after)
    lines = sorted((line for line in lines if after is None or line[0] > after), key=lambda line: line[0])[:limit]
    key_ids = {event.actor_id for _, event in lines if event.actor_type == ActorType.API_KEY}
    names = await names_of_keys(session, key_ids) if key_ids else {}
    return [HistoryEntry(moment, event, names.get(event.actor_id or "") or None) for moment, event in lines]


async def newest_attempts(session: AsyncSession, post: Post, limit: int) -> list[AuditEvent]:
    """Return the newest steps of a post towards platforms as lines of its history, oldest first."""
    lines = await _of_attempts(session, post, limit, newest=True)
    return [event for _, event in sorted(lines, key=lambda line: line[0])]


async def _is_known(session: AsyncSession, workspace_id: str, post_id: str) -> bool:
    query = select(AuditEvent.id).where(AuditEvent.workspace_id == workspace_id, AuditEvent.post_id == post_id)
    return await session.scalar(query.limit(1)) is not None


def _after(after: HistoryPosition | None, source: EntrySource, at: Any, id: Any) -> ColumnElement[bool]:  # noqa: A002
    """Return the condition for lines of a source that come after a place."""
    if after is None:
        return true()
    if source == after.source:
        return tuple_(at, id) > tuple_(after.at, after.id)
    condition: ColumnElement[bool] = at >= after.at if source > after.source else at > after.at
    return condition


async def _of_rows(session: AsyncSession, post: Post) -> list[tuple[HistoryPosition, AuditEvent]]:
    """Return who created a post, and when it was late; its targets must be loaded."""
    created = _event(post, None, post.created_at, Action.CREATED, {})
    if post.created_by:
        created.actor_type, created.actor_id = ActorType.API_KEY.value, post.created_by
    lines = [(HistoryPosition(post.created_at, EntrySource.ROW, 0), created)]
    late = list(await session.scalars(select(LatePost).where(LatePost.post_id == post.id).order_by(LatePost.found_at)))
    for number, late_post in enumerate(late):
        details = {"dueAt": rfc3339(late_post.due_at)} | (
            {"endedAt": rfc3339(late_post.ended_at)} if late_post.ended_at else {}
        )
        event = _event(post, None, late_post.found_at, Action.LATE, details)
        lines.append((HistoryPosition(late_post.found_at, EntrySource.LATENESS, number), event))
    for target in post.targets:
        if moment := _begun_late(target):
            details = {"dueAt": rfc3339(target.due_at), "endedAt": rfc3339(moment)} if target.due_at else {}
            event = _event(post, target, moment, Action.LATE, details)
            lines.append((HistoryPosition(moment, EntrySource.LATENESS, len(late) + target.position), event))
    return lines


def _begun_late(target: Target) -> datetime | None:
    """Return when a target began if that was late, but not so late that `late_posts` has it."""
    if target.begun_at is None or target.due_at is None:
        return None
    return target.begun_at if REPORTED_AFTER <= target.begun_at - target.due_at < LATE_AFTER else None


async def _of_attempts(
    session: AsyncSession, post: Post, limit: int, after: HistoryPosition | None = None, *, newest: bool = False
) -> list[tuple[HistoryPosition, AuditEvent]]:
    query = (
        select(Attempt, Target)
        .join(Target, Target.id == Attempt.target_id)
        .where(Target.post_id == post.id, Attempt.step.not_in(_IN_THE_TRAIL))
        .where(_after(after, EntrySource.ATTEMPTS, Attempt.started_at, Attempt.id))
    )
    at, number = Attempt.started_at, Attempt.id
    query = query.order_by(at.desc(), number.desc()) if newest else query.order_by(at, number)
    return [
        (
            HistoryPosition(row.Attempt.started_at, EntrySource.ATTEMPTS, row.Attempt.id),
            _of_attempt(post, row.Attempt, row.Target),
        )
        for row in await session.execute(query.limit(limit))
    ]


def _in_words(event: AuditEvent) -> AuditEvent:
    """Return a line of the trail; for a deleted post's attempt or lateness, the line that it had before."""
    if event.action == Action.LATE:
        times = {name: rfc3339(datetime.fromisoformat(moment)) for name, moment in event.details.items()}
        target = Target(platform=event.platform, account_id=event.account_id)
        return _event(Post(id=event.post_id, workspace_id=event.workspace_id), target, event.at, Action.LATE, times)
    if event.action != _ATTEMPT:
        return event
    moments = {name: datetime.fromisoformat(event.details[name]) for name in _MOMENTS if name in event.details}
    attempt = Attempt(**{name: event.details.get(name) for name in _COLUMNS} | moments)
    url = {name: event.details.get(name) for name in ("platform_post_id", "platform_post_url")}
    target = Target(platform=event.platform, account_id=event.account_id, **url)
    return _of_attempt(Post(id=event.post_id, workspace_id=event.workspace_id), attempt, target)


def _of_attempt(post: Post, attempt: Attempt, target: Target) -> AuditEvent:
    action = attempt_action(attempt)
    details: dict[str, Any] = {
        "decision": attempt.decision,
        "code": attempt.code,
        "httpStatus": attempt.http_status,
        "requestId": attempt.request_id,
        "endedAt": attempt.finished_at and rfc3339(attempt.finished_at),
        "nextAttemptAt": attempt.next_attempt_at and rfc3339(attempt.next_attempt_at),
    }
    if action is Action.PUBLISHED:
        details |= {"platformPostId": target.platform_post_id, "platformPostUrl": target.platform_post_url}
    known = {name: value for name, value in details.items() if value is not None}
    return _event(post, target, attempt.started_at, action, known)


def _event(post: Post, target: Target | None, at: datetime, action: Action, details: dict[str, Any]) -> AuditEvent:
    return AuditEvent(
        at=at,
        workspace_id=post.workspace_id,
        post_id=post.id,
        action=action.value,
        actor_type=ActorType.WORKER.value,
        actor_id=None,
        platform=target.platform if target else None,
        account_id=target.account_id if target else None,
        details=details,
    )


_SENDS = {
    AttemptState.SENDING: Action.SENDING,
    AttemptState.DONE: Action.PUBLISHED,
    AttemptState.UNCONFIRMED: Action.UNCONFIRMED,
}
_EDITS = {
    AttemptState.SENDING: Action.SENDING,
    AttemptState.DONE: Action.EDIT_PUBLISHED,
    AttemptState.UNCONFIRMED: Action.EDIT_UNCONFIRMED,
    AttemptState.REFUSED: Action.EDIT_REFUSED,
}


def attempt_action(attempt: Attempt) -> Action:
    """Return the result of a step towards a platform."""
    step, state, decision = AttemptStep(attempt.step), AttemptState(attempt.state), attempt.decision or ""
    if step is AttemptStep.EDIT:
        return _EDITS[state]
    if step is AttemptStep.CONFIRM:
        if decision in decisions.PUBLIC_AFTER_ALL:
            return Action.PUBLISHED
        return Action.FAILED if decision in decisions.NOT_PUBLIC else Action.CONFIRMED
    if state is AttemptState.REFUSED:
        if decision in decisions.HELD:
            return Action.HELD
        return Action.FAILED if decision in decisions.FAILURES else Action.REFUSED
    return Action.PREPARED if step is AttemptStep.PREPARE else _SENDS[state]

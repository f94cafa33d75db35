"""The writes of one target while it is published: begin a send, settle the result of a step.

Each is one statement, a function in the database (`store/functions`). It locks the post's row, so that targets of one
post settle one after the other. It decides by the rows' state then, and writes target, attempt and post together. If it
wrote nothing, it returns the reason.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from domain.attempts import AttemptResult, AttemptStep
from domain.audit import AuditEntry
from domain.ownership import FENCE, TOLERANCE
from domain.plan import STALE, Outcome
from domain.transitions import AnswerTo, Basis, BeforeSend, ConfirmationOf, TargetTransition, WriteResult
from store.database import Pool
from store.models import Account, Attempt, Post, Target
from store.publishing.targets import LOADED_TARGET, LoadedTarget, read_outcome
from store.rows import Reader, argument, written

VERSION = "version"
"""The key of the handles under which the number of their saves is kept."""

_OPEN = written(LOADED_TARGET.where(Target.id == argument(1)))
# If the rows may lack commits, check_server_v1 raises, and nothing of the statement is written.
_BEGIN = "SELECT begun.* FROM begin_send_v1($1, $2, $3, $4, $5, $6, $7) AS begun, check_server_v1()"
_SETTLE = "SELECT * FROM settle_target_v1($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
_SAVE = """
-- Equal handles are this run's own: it saves them again if the commit was not acknowledged.
UPDATE targets SET handles = $3 WHERE id = $1 AND (coalesce((handles ->> $4)::int, 0) = $2 OR handles = $3) RETURNING id
"""
_MARK_STARTED = """
WITH post AS (
  SELECT posts.id FROM posts JOIN targets ON targets.post_id = posts.id
  WHERE targets.id = $1 AND decide_send_v1(posts.status, posts.due_at, posts.version, $3, $4) = 'go'
  FOR UPDATE OF posts
), begun AS (
  UPDATE posts SET status = 'publishing', updated_at = $2 FROM post WHERE posts.id = post.id AND status = 'scheduled'
)
UPDATE targets SET begun_at = $2 FROM post WHERE targets.id = $1 AND targets.begun_at IS NULL
"""
_EXTEND = """
UPDATE attempts SET sendable_until = clock_timestamp() + $2 FROM check_server_v1()
WHERE attempts.id = $1 AND state = 'sending' RETURNING attempts.id
"""


@dataclass(frozen=True, slots=True)
class Settled:
    """The result of settling a target, and its state now."""

    write: WriteResult
    outcome: Outcome


async def open_target(database: Pool, target_id: str) -> LoadedTarget | None:
    """Return a target's rows, all at one instant; None if the target is gone."""
    row = await database.row(_OPEN, target_id)
    if row is None:
        return None
    read = Reader(row)
    post, target, account = read.next(Post), read.next(Target), read.next(Account)
    sent = read.next(Attempt)
    if post is None or target is None:
        return None
    return LoadedTarget(post, target, account, sent, row["sent_since"], row["must_confirm"], row["is_paused"])


async def save_handles(database: Pool, target_id: str, handles: dict[str, Any], version: int) -> bool:
    """Save the platform's handles as the version after `version`; False if another run has saved since."""
    stored = json.dumps({**handles, VERSION: version + 1})
    return await database.row(_SAVE, target_id, version, stored, VERSION) is not None


async def mark_started(database: Pool, target_id: str, post_version: int) -> None:
    """Save that the publishing of a target and its post has begun, before work that must be done first.

    Changes nothing if the post is not of the version `post_version`, or not due yet.
    """
    now = datetime.now(UTC)
    await database.row(_MARK_STARTED, target_id, now, post_version, now + TOLERANCE)


async def begin_send(
    database: Pool,
    target_id: str,
    post_version: int,
    prepared: Attempt | None,
    version: int,
    handles: dict[str, Any] | None,
) -> Attempt | WriteResult:
    """Take a target for its one send and write `sending`, committed on return; or return the reason why not.

    The post must be of the version `post_version`, and due. `handles` replace the row's if those are still of
    `version`; `prepared` is saved with the send.
    """
    now = datetime.now(UTC)
    attempt = {name: getattr(prepared, name) for name in _ATTEMPT_COLUMNS} if prepared else None
    row = await database.row(
        *(_BEGIN, target_id, now, post_version, now + TOLERANCE, version),
        *(_json(value) for value in (handles, attempt)),
    )
    if row is None or row["attempt_id"] is None:
        return WriteResult(row["write"]) if row else WriteResult.GONE
    return Attempt(id=row["attempt_id"], target_id=target_id, started_at=now)


async def extend_send(database: Pool, attempt_id: int) -> bool:
    """Allow the request of an attempt for FENCE from now on, and write that; False if the attempt is not open any more.

    It is not open if it was taken for lost, written off or answered.
    """
    return await database.row(_EXTEND, attempt_id, FENCE) is not None


async def settle(
    database: Pool,
    target_id: str,
    basis: Basis,
    transition: TargetTransition | None,
    result: AttemptResult | None = None,
    entry: AuditEntry | None = None,
) -> Settled:
    """Write the result of a step: the target, its post and the attempt, together.

    `result` closes the send that `basis` answers, and otherwise is a new attempt. Without a `transition`, only the
    attempt is written. `entry` is added to the audit trail with the transition, unless it is the target's last entry
    already.
    """
    now = datetime.now(UTC)
    attempt_id: int | None = None
    version: int | None = None
    due_by: datetime | None = None
    step: tuple[AttemptStep, datetime] | None = None
    match basis:
        case AnswerTo():
            name, attempt_id = "answer_to", basis.attempt_id
        case BeforeSend():
            name, version, step = "before_send", basis.version, (basis.step, now)
            due_by = now + TOLERANCE if basis.due else None
        case ConfirmationOf():
            name, attempt_id, step = "confirmation_of", basis.attempt_id, (AttemptStep.CONFIRM, basis.began_at)
    attempt = {name: getattr(result, name) for name in _RESULT} if result else None
    if attempt and result:
        attempt["claim"] = result.claim.as_json() if result.claim else None
        if step:
            attempt |= {"step": step[0], "started_at": step[1]}
    row = await database.row(
        *(_SETTLE, target_id, now, name, attempt_id, version, due_by),
        *(
            sorted(transition.starts(basis)) if transition else [],
            json.dumps(transition.columns if transition else {}, default=_plain),
        ),
        *(_json(attempt), _json(_audited(entry))),
    )
    if row is None:
        return Settled(WriteResult.GONE, STALE)
    if row["settled"]:
        database.announcer.add([row["post_id"]])
    return Settled(WriteResult(row["write"]), read_outcome(row))


_RESULT = ("state", "decision", "http_status", "code", "request_id", "next_attempt_at", "request_sent")
_ATTEMPT_COLUMNS = ("step", "state", "started_at", "finished_at", "http_status", "code", "request_id", "decision")


def _audited(entry: AuditEntry | None) -> dict[str, Any] | None:
    if entry is None:
        return None
    actor = {"actor_type": entry.actor.type, "actor_id": entry.actor.id}
    return {"action": entry.action, **actor, "details": entry.as_json()}


def _json(value: dict[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value, default=_plain)


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON")

"""Open, begin and settle a send by one statement each: what every target of every post goes through.

Each does what `store.publishing` does where nothing stands in the way, at a sixth of its cost, and nothing at all
otherwise: then the long way is taken, which knows what stands in the way.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from domain.attempts import AttemptResult, AttemptState, AttemptStep
from domain.outcome import Outcome
from domain.ownership import TOLERANCE
from domain.post import TargetStatus
from store.database import Pool
from store.models import Account, Attempt, Post, Target
from store.outcomes import CHANNEL
from store.publishing import JOB, Job
from store.rows import Reader, argument, written

VERSION = "version"
"""Counts in the handles how often they were saved."""

_OPEN = written(JOB.where(Target.id == argument(1)))
_SAVE = """
-- Of a save whose commit was not acknowledged the same again is no other run's.
UPDATE targets SET handles = $3 WHERE id = $1 AND (coalesce((handles ->> $4)::int, 0) = $2 OR handles = $3) RETURNING id
"""

_WANTED = """
  -- Locked first, as everywhere. What changed while we waited for the lock is seen here and by the updates below. None
  -- if something else is wanted by now, or not yet: see domain.ownership.judge_send.
  SELECT posts.id FROM posts JOIN targets ON targets.post_id = posts.id
  WHERE targets.id = $1 AND posts.version = {version} AND posts.status <> 'draft'
    AND (posts.status <> 'scheduled' OR posts.due_at <= {due_by})
  FOR UPDATE OF posts
"""

_TAKE_UP = f"""
WITH post AS (
{_WANTED.format(version="$3", due_by="$4")}
), begun AS (
  UPDATE posts SET status = 'publishing', updated_at = $2 FROM post WHERE posts.id = post.id AND status = 'scheduled'
)
UPDATE targets SET begun_at = $2 FROM post WHERE targets.id = $1 AND targets.begun_at IS NULL
"""  # noqa: S608 our own words

_BEGIN = f"""
WITH post AS (
{_WANTED.format(version="$7", due_by="$8")}
), target AS (
  UPDATE targets SET status = 'publishing', begun_at = coalesce(begun_at, $4), next_attempt_at = NULL,
                     error = NULL, error_code = NULL, error_category = NULL, retryable = NULL,
                     handles = coalesce($3, handles)
  FROM post
  WHERE targets.id = $1 AND targets.status = 'pending' AND coalesce((targets.handles ->> $6)::int, 0) = $2
    AND NOT EXISTS (SELECT FROM attempts WHERE target_id = $1 AND step = 'publish' AND state = 'sending')
  RETURNING targets.id, targets.post_id
), begun AS (
  UPDATE posts SET status = 'publishing', updated_at = $4
  FROM target WHERE posts.id = target.post_id AND posts.status <> 'publishing'
), lines AS (
  INSERT INTO attempts (target_id, step, state, started_at, finished_at, http_status, code, request_id, decision)
  SELECT target.id, step, state, started_at, finished_at, http_status, code, request_id, decision
  FROM target, jsonb_to_recordset($5) AS line (step text, state text, started_at timestamptz, finished_at timestamptz,
                                               http_status int, code text, request_id text, decision text)
  ORDER BY state = 'sending'
  RETURNING id, state
)
SELECT id FROM lines WHERE state = 'sending'
"""  # noqa: S608 our own words

_SETTLE = """
WITH seen AS MATERIALIZED (
  SELECT posts.id, posts.xmin AS version,
         bool_and(other.id IS NULL OR other.status = 'published') AS last
  FROM targets AS mine
  JOIN posts ON posts.id = mine.post_id
  LEFT JOIN targets AS other ON other.post_id = posts.id AND other.id <> mine.id
  WHERE mine.id = $1 AND mine.status = 'publishing'
  GROUP BY posts.id, posts.xmin
  HAVING bool_and(other.id IS NULL OR other.status = 'published')
      OR bool_or(other.status IN ('pending', 'publishing'))
), post AS (
  -- Whoever settles another target changes this row: where that came in between, `seen` is out of date and nothing
  -- is written. The version is compared with the newest row, once its lock is ours.
  UPDATE posts SET status = CASE WHEN seen.last THEN 'published' ELSE 'publishing' END,
                   published_at = least(posts.published_at, $3), updated_at = $3
  FROM seen WHERE posts.id = seen.id AND posts.xmin = seen.version
  RETURNING posts.id, seen.last
), target AS (
  UPDATE targets SET status = 'published', platform_post_id = $4, platform_post_url = $5, editable_until = $6,
                     warning = $7, published_at = $3, looking = false, next_attempt_at = NULL, hold_reason = NULL,
                     released_at = NULL, error = NULL, error_code = NULL, error_category = NULL, retryable = NULL
  FROM post WHERE targets.id = $1
), attempt AS (
  UPDATE attempts SET state = $8, decision = $9, http_status = $10, code = $11, request_id = $12, finished_at = $3
  FROM post WHERE attempts.id = $2
)
SELECT post.id IS NOT NULL AS settled, CASE WHEN post.last THEN pg_notify($13, post.id) END
FROM seen LEFT JOIN post ON true
"""

_STILL_SENDING = "SELECT id FROM attempts WHERE id = $1 AND state = 'sending'"

_TRIES = 2
"""How often `seen` may be out of date: another target of the post settling just now is seen the second time."""


@dataclass(frozen=True, slots=True)
class Publication:
    """Say what became public, as the target's row keeps it."""

    platform_post_id: str
    url: str | None
    editable_until: datetime | None
    warning: str | None


async def open_at_once(database: Pool, target_id: str) -> Job | None:
    """Return the rows of a target that was never sent; None where it was, or is gone."""
    row = await database.row(_OPEN, target_id)
    if row is None or row["last_send"] is not None:
        return None
    read = Reader(row)
    post, target = read.next(Post), read.next(Target)
    return Job(post, target, read.next(Account), None, None) if post and target else None


async def save_handles(database: Pool, target_id: str, handles: dict[str, Any], version: int) -> bool:
    """Keep what a network gave us so far, as the version after `version`; False where another run has saved since."""
    kept = json.dumps({**handles, VERSION: version + 1})
    return await database.row(_SAVE, target_id, version, kept, VERSION) is not None


async def take_up(database: Pool, target_id: str, wished: int) -> None:
    """Let a target and its post say that their publishing has begun, before what must be done first.

    Changes nothing if the post is not of the version `wished`, or not due yet.
    """
    now = datetime.now(UTC)
    await database.row(_TAKE_UP, target_id, now, wished, now + TOLERANCE)


async def begin_at_once(
    database: Pool,
    target_id: str,
    wished: int,
    prepared: Attempt | None,
    version: int,
    handles: dict[str, Any] | None,
) -> Attempt | None:
    """Take a pending target for its one send and write `sending`, committed on return; None if that cannot be.

    It cannot if the post is not of the version `wished`, or not due yet. `handles` replace those of the row if its are
    still those of `version`; `prepared` is kept beside the send.
    """
    now = datetime.now(UTC)
    lines: list[dict[str, object]] = [
        {"step": AttemptStep.PUBLISH, "state": AttemptState.SENDING, "started_at": now.isoformat()}
    ]
    if prepared:
        lines.append({name: _json(getattr(prepared, name)) for name in _LINE})
    kept = None if handles is None else json.dumps(handles)
    row = await database.row(_BEGIN, target_id, version, kept, now, json.dumps(lines), VERSION, wished, now + TOLERANCE)
    return Attempt(id=row["id"], target_id=target_id, started_at=now) if row else None


async def is_still_sending(database: Pool, attempt_id: int) -> bool:
    """Tell whether an attempt is still open: nobody has taken it for lost, written it off, or answered it."""
    return await database.row(_STILL_SENDING, attempt_id) is not None


async def settle_at_once(
    database: Pool, target_id: str, attempt_id: int, public: Publication, note: AttemptResult
) -> Outcome | None:
    """Settle a target that is being published as published, with its attempt and its post.

    None where another target of the post rests otherwise, or the target is not what it was.
    """
    for _ in range(_TRIES):
        row = await database.row(
            *(_SETTLE, target_id, attempt_id, datetime.now(UTC)),
            *(public.platform_post_id, public.url, public.editable_until, public.warning),
            *(note.state, note.decision, note.http_status, note.code, note.request_id, CHANNEL),
        )
        if row is None:
            return None
        if row["settled"]:
            return Outcome(
                status=TargetStatus.PUBLISHED,
                platform_post_id=public.platform_post_id,
                platform_post_url=public.url,
                editable_until=public.editable_until,
            )
    return None


_LINE = ("step", "state", "started_at", "finished_at", "http_status", "code", "request_id", "decision")


def _json(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value

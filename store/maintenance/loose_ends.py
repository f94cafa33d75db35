"""The doctor's queries other than for posts: loose ends, each found with one statement."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, TextClause, func, or_, select, text, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from domain.attempts import ROWS_LOST, AttemptState
from domain.ids import first_id
from domain.ownership import CLOCKS_DIFFER
from domain.series import coming_from
from store.maintenance.series import STANDS_AFTER
from store.maintenance.waiting import HAS_NOT_BEGUN
from store.models import Attempt, Post, Target
from store.posts.idempotency import LIFETIME

Query = TextClause


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An attempt whose response is still awaited, and the post that it belongs to."""

    target_id: str
    post_id: str
    workspace_id: str
    workflow_id: str
    step: str
    started_at: datetime


async def post_and_targets(session: AsyncSession, post_id: str) -> Post | None:
    """Return a post with its targets, all at one instant."""
    query = select(Post).where(Post.id == post_id).options(joinedload(Post.targets))
    query = query.execution_options(populate_existing=True)
    return (await session.scalars(query)).unique().one_or_none()


_OPEN: Select[str, str, str, str, str, datetime] = (
    select(Target.id, Post.id, Post.workspace_id, Post.workflow_id, Attempt.step, Attempt.started_at)
    .join(Target, Target.id == Attempt.target_id)
    .join(Post, Post.id == Target.post_id)
    # If rows were lost and the post is due later, the attempt is confirmed when the post is due.
    .where(Attempt.state == AttemptState.SENDING)
    .where(or_(Attempt.code.is_distinct_from(ROWS_LOST), Post.due_at <= func.now()))
)


async def open_attempts(session: AsyncSession, before: datetime, workspace_id: str | None) -> list[OpenAttempt]:
    """Return the attempts that were begun before a time and have no response yet, oldest first."""
    within: ColumnElement[bool] = true() if workspace_id is None else Post.workspace_id == workspace_id
    query = _OPEN.where(Attempt.started_at < before, within).order_by(Attempt.id)
    return [OpenAttempt(*row) for row in await session.execute(query)]


async def post_open_attempts(session: AsyncSession, post_id: str) -> list[OpenAttempt]:
    """Return a post's attempts that have no response yet."""
    return [OpenAttempt(*row) for row in await session.execute(_OPEN.where(Post.id == post_id))]


async def platforms_waiting(session: AsyncSession, due_before: datetime, workspace_id: str | None) -> list[str]:
    """Return the platforms for which targets were due before a time that no worker has started."""
    query = select(Target.platform).distinct().where(HAS_NOT_BEGUN, Target.due_at < due_before)
    if workspace_id is not None:
        query = query.where(Target.workspace_id == workspace_id)
    return sorted(await session.scalars(query))


_JOINED = '[{"field": "campaignId"}]'
"""A change of a post's campaign, in the audit trail."""
_LATELY = "interval '1 minute'"
"""Workers let a target continue within ten seconds."""
_HANDED_OVER_WITHIN = timedelta(seconds=30)
"""The age by which a saved edit is made or refused, or its client was asked to repeat it."""
_COMPARED, _MARGIN = timedelta(hours=1), timedelta(minutes=10)
"""How old the results are that are compared with events, and how much earlier an event may be dated: clocks differ."""
_OF_GATE = """
  (gates.kind = 'workspace'
    OR (gates.kind = 'account' AND gates.id = targets.platform || '/' || targets.account_id)
    OR (gates.kind = 'campaign' AND gates.id = posts.campaign_id)
    OR (gates.kind = 'series' AND gates.id = posts.series_id))
"""
# The clock of the process dates an attempt, and the database's dates a gate.
SENT_WHILE_CLOSED = text(f"""
SELECT posts.id AS post_id, posts.workspace_id, posts.workflow_id, targets.id AS target_id, targets.platform,
       targets.account_id, gates.kind, attempts.started_at AS at
FROM gates
JOIN posts ON posts.workspace_id = gates.workspace_id AND posts.updated_at >= lower(gates.closed)
  AND posts.status NOT IN ('draft', 'scheduled')
JOIN targets ON targets.post_id = posts.id AND {_OF_GATE}
JOIN attempts ON attempts.target_id = targets.id AND attempts.step = 'publish'
  AND (attempts.request_sent OR attempts.state = 'sending')
  AND attempts.code IS DISTINCT FROM 'rows_lost'
  AND gates.closed @> tstzrange(
    attempts.started_at - CAST(:clocks AS interval), attempts.started_at + CAST(:clocks AS interval))
WHERE NOT isempty(gates.closed)
  -- A failed post may have joined the campaign after it was sent.
  AND NOT (gates.kind = 'campaign' AND EXISTS (
    SELECT FROM audit_events
    WHERE post_id = posts.id AND at > attempts.started_at AND details -> 'changes' @> CAST('{_JOINED}' AS jsonb)))
  AND (CAST(:workspace_id AS text) IS NULL OR gates.workspace_id = :workspace_id)
ORDER BY attempts.started_at DESC LIMIT 100
""")  # noqa: S608 our own condition
"""Targets whose publication began while a gate stopped them, newest first.

The ranges in which gates were closed are kept for 30 days. The first and last minute of a range are left out.
"""
HELD_WHILE_OPEN = text(f"""
SELECT posts.id AS post_id, posts.workspace_id, posts.workflow_id, targets.id AS target_id, targets.platform,
       targets.account_id, CAST(:now AS timestamptz) AS by
FROM targets JOIN posts ON posts.id = targets.post_id
WHERE targets.hold_reason = 'paused' AND (CAST(:workspace_id AS text) IS NULL OR targets.workspace_id = :workspace_id)
  AND posts.status IN ('scheduled', 'publishing') AND posts.updated_at < now() - {_LATELY}
  AND NOT EXISTS (
    SELECT FROM gates
    WHERE gates.workspace_id = targets.workspace_id AND {_OF_GATE}
      AND gates.closed + gates.planned && tstzmultirange(tstzrange(now() - {_LATELY}, now(), '[]')))
ORDER BY targets.due_at LIMIT 100
""")  # noqa: S608 the same

"""Targets that a pause holds although no gate stopped them lately."""
RESULTS_WITHOUT_EVENT = text("""
SELECT posts.id AS post_id, posts.workspace_id, targets.id AS target_id, targets.platform, targets.account_id
FROM listeners
JOIN posts ON posts.workspace_id = listeners.workspace_id AND posts.updated_at > :published_after
JOIN targets ON targets.post_id = posts.id AND targets.status = 'published'
WHERE (CAST(:workspace_id AS text) IS NULL OR posts.workspace_id = :workspace_id)
  AND targets.published_at > greatest(:published_after, coalesce(listeners.since, (
    SELECT min(created_at) FROM webhooks WHERE webhooks.workspace_id = listeners.workspace_id
  )))
  AND NOT EXISTS (
    SELECT FROM events
    WHERE events.workspace_id = posts.workspace_id AND events.id > :first_event AND events.type = 'post.published'
      AND events.post_id = posts.id AND events.data ->> 'platform' = targets.platform
      AND events.data ->> 'accountId' = targets.account_id
  )
ORDER BY targets.id LIMIT 200
""")

"""Targets that were published within the last hour, while their workspace listened, and have no event."""
_WITHIN = "(CAST(:workspace_id AS text) IS NULL OR posts.workspace_id = :workspace_id)"
WAITING_REVISIONS = text(f"""
SELECT revisions.id, posts.id AS post_id, posts.workspace_id, posts.workflow_id, revisions.created_at
FROM revisions JOIN posts ON posts.id = revisions.post_id
WHERE revisions.state = 'waiting' AND revisions.created_at < :saved_before AND {_WITHIN}
  AND NOT EXISTS (SELECT FROM revisions AS later WHERE later.post_id = revisions.post_id AND later.id > revisions.id)
ORDER BY revisions.id
""")  # noqa: S608 our own condition
"""The newest edit of each post, if it was saved a while ago and still waits.

An older edit that waits is no loss: its client was asked to try again, and has.
"""
# By an index: a key that has not expired is checked when it does (store.posts.idempotency).
# A restore may have lost the workflow that deleted the post.
LOOSE_KEYS = text("""
SELECT keys.workspace_id, keys.key, keys.generation, keys.post_id, keys.expires_at
FROM idempotency_keys AS keys
WHERE keys.expires_at > :now AND keys.check_at BETWEEN :now AND :checked_before AND keys.response_body IS NULL
  AND (CAST(:workspace_id AS text) IS NULL OR keys.workspace_id = :workspace_id)
  AND NOT EXISTS (SELECT FROM posts WHERE posts.id = keys.post_id)
  AND NOT EXISTS (SELECT FROM audit_events WHERE audit_events.post_id = keys.post_id AND action = 'deleted')
LIMIT 200
""")
"""Unexpired keys that have no response and whose post is missing."""
DOUBLE_SLOTS = text(f"""
SELECT workspace_id, queue_id, scheduled_for AS at, min(id) AS post_id, string_agg(id, ', ' ORDER BY id) AS post_ids
FROM posts
WHERE queue_id IS NOT NULL AND status = 'scheduled' AND scheduled_for IS NOT NULL AND {_WITHIN}
GROUP BY workspace_id, queue_id, scheduled_for HAVING count(*) > 1
LIMIT 200
""")  # noqa: S608 our own condition
"""Slots that several waiting posts have: no wall time is given twice, but two may become one instant."""
SERIES_BEHIND = text("""
SELECT id AS workflow_id, workspace_id, least(plan_at, behind_since) AS since, plan_at < :behind_before AS is_waiting
FROM series
WHERE (plan_at < :behind_before OR behind_since < :behind_before)
  AND (CAST(:workspace_id AS text) IS NULL OR workspace_id = :workspace_id)
ORDER BY id LIMIT 200
""")
"""Series that lack posts for long: since when, and whether no worker has looked at them."""
LOST_OCCURRENCES = text("""
SELECT series.id AS series_id, series.workspace_id, entries.occurrence, entries.post_id,
       series.id || '/' || entries.occurrence AS workflow_id
FROM occurrences AS entries
JOIN series ON series.id = entries.series_id
LEFT JOIN posts ON posts.id = entries.post_id
WHERE entries.occurrence >= :earliest AND entries.state = 'made' AND posts.id IS NULL
  AND (CAST(:workspace_id AS text) IS NULL OR series.workspace_id = :workspace_id)
  AND NOT EXISTS (SELECT FROM audit_events WHERE audit_events.post_id = entries.post_id AND action = 'deleted')
ORDER BY series.id, entries.occurrence LIMIT 200
""")
"""Occurrences to come whose posts are gone although no one has deleted them."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: it reads rows in a transaction, at a time, in one or all workspaces."""

    session: AsyncSession
    now: datetime
    workspace_id: str | None

    async def rows(self, query: Query) -> list[dict[str, Any]]:
        """Return the rows of one of the queries above."""
        values = {
            "now": self.now,
            "workspace_id": self.workspace_id,
            "clocks": CLOCKS_DIFFER,
            "saved_before": self.now - _HANDED_OVER_WITHIN,
            "checked_before": self.now + LIFETIME + CLOCKS_DIFFER,
            "published_after": self.now - _COMPARED,
            "first_event": first_id("evt", self.now - _COMPARED - _MARGIN),
            "behind_before": self.now - STANDS_AFTER,
            "earliest": coming_from(self.now).isoformat(),
        }
        return [row._asdict() for row in await self.session.execute(query, values)]

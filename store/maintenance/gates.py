"""Posts compared with gates: sends while a gate was closed, and holds although all gates are open."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ownership import CLOCKS_DIFFER

_MOST = 100
_JOINED = '[{"field": "campaignId"}]'
"""A change of a post's campaign, in the audit trail."""
_OF_GATE = """
  (gates.kind = 'workspace'
    OR (gates.kind = 'account' AND gates.id = targets.platform || '/' || targets.account_id)
    OR (gates.kind = 'campaign' AND gates.id = posts.campaign_id)
    OR (gates.kind = 'series' AND gates.id = posts.series_id))
"""
# The clock of the process dates an attempt, and the database's dates a gate.
_SENT_WHILE_CLOSED = text(f"""
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
    WHERE post_id = posts.id AND at > attempts.started_at AND details -> 'changes' @> CAST(:joined AS jsonb)))
  AND (CAST(:workspace_id AS text) IS NULL OR gates.workspace_id = :workspace_id)
ORDER BY attempts.started_at DESC LIMIT {_MOST}
""")  # noqa: S608 our own condition
_HELD_WHILE_OPEN = text(f"""
SELECT posts.id AS post_id, posts.workspace_id, posts.workflow_id, targets.id AS target_id, targets.platform,
       targets.account_id, 'open' AS kind, targets.due_at AS at
FROM targets JOIN posts ON posts.id = targets.post_id
WHERE targets.hold_reason = 'paused' AND (CAST(:workspace_id AS text) IS NULL OR targets.workspace_id = :workspace_id)
  AND posts.status IN ('scheduled', 'publishing') AND posts.updated_at < now() - CAST(:lately AS interval)
  AND NOT EXISTS (
    SELECT FROM gates
    WHERE gates.workspace_id = targets.workspace_id AND {_OF_GATE}
      AND gates.closed + gates.planned && tstzmultirange(tstzrange(now() - CAST(:lately AS interval), now(), '[]')))
ORDER BY targets.due_at LIMIT {_MOST}
""")  # noqa: S608 the same


@dataclass(frozen=True, slots=True)
class GatedTarget:
    """A target that does not agree with the gates."""

    post_id: str
    workspace_id: str
    workflow_id: str
    target_id: str
    platform: str
    account_id: str
    kind: str
    """The kind of the gate."""
    at: datetime
    """When it was sent, or due."""


async def sent_while_closed(session: AsyncSession, workspace_id: str | None) -> Sequence[GatedTarget]:
    """Return targets whose publication began while a gate stopped them, the newest first, at most 100.

    The ranges in which gates were closed are kept for 30 days. The first and last minute of a range are left out.
    """
    values = {"workspace_id": workspace_id, "clocks": CLOCKS_DIFFER, "joined": _JOINED}
    return [GatedTarget(**row) for row in (await session.execute(_SENT_WHILE_CLOSED, values)).mappings()]


async def held_while_open(session: AsyncSession, workspace_id: str | None, lately: timedelta) -> Sequence[GatedTarget]:
    """Return targets that a pause holds although no gate stopped them `lately`, at most 100."""
    values = {"workspace_id": workspace_id, "lately": lately}
    return [GatedTarget(**row) for row in (await session.execute(_HELD_WHILE_OPEN, values)).mappings()]

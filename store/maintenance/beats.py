"""Beats: the one statement by which a process renews its leases and reads the state of the service."""

import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import asyncpg

from store.database import Pool
from store.due import Due, work_query
from store.maintenance.servers import ServerPosition
from store.rows import skew_of_answer

LEAD = "lead"
"""The lease of the worker that does all tasks while there is no work."""
_STATE = "watch"
"""The name of the row of the state, so that other states can be added."""
_BEAT = """
SELECT ARRAY(SELECT take_leases_v1($1, $2, $3)) AS leases, clock_timestamp() AS now,
  (SELECT max(revision) FROM schema_states) AS schema, state.value, clock_timestamp() - state.measured_at AS age,
  server.timeline, server.log_end, server.waits_for_standby, trusted.timeline AS trusted_timeline,
  (SELECT until - clock_timestamp() FROM leases WHERE name = $5) AS lead_ends_in, {work} AS work
FROM server_position_v1() AS server LEFT JOIN trusted_server AS trusted ON true
LEFT JOIN service_state AS state ON state.name = $4
"""
_TAKE_OVER = r"""
WITH live AS (
  -- Several leases of one task have a number each.
  SELECT name, holder, regexp_replace(name, '[.][0-9]+$', '') AS task
  FROM leases WHERE name = ANY($2::text[]) AND until > now()
), own AS (SELECT task FROM live WHERE holder = $1
), rated AS (
  SELECT name, holder, task, count(*) OVER (PARTITION BY holder, task) > 1 AS is_spare,
    count(*) OVER (PARTITION BY holder) AS number
  FROM live
), choice AS (
  SELECT name, holder FROM rated
  WHERE task NOT IN (SELECT task FROM own) AND (is_spare OR number >= (SELECT count(*) FROM own) + 2)
  ORDER BY is_spare DESC, number DESC, random() LIMIT 1
)
UPDATE leases AS lease SET holder = $1, until = now() + $3
FROM choice WHERE lease.name = choice.name AND lease.holder = choice.holder
RETURNING lease.name
"""
_WRITE = """
INSERT INTO service_state (name, value, measured_at) VALUES ($1, $2::jsonb, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET value = excluded.value, measured_at = excluded.measured_at
"""


@dataclass(frozen=True, slots=True)
class Beat:
    """The answer of the database: the leases of the process, and the state as the holder of the watch measured it."""

    leases: frozenset[str]
    schema: str
    """The revision of the database's schema."""
    skew: timedelta
    """By how much this machine's clock is ahead of the database's."""
    state: dict[str, Any] | None
    """None before any process has measured it."""
    age: timedelta
    """How long ago the state was measured."""
    work: frozenset[str]
    """The names of the work for which the process has asked and of which there is some."""
    server: ServerPosition | None
    """None if the server does not tell its position."""
    lead_ends_in: timedelta
    """When the lease of the worker that led before this beat ends, or how long ago it has ended (negative)."""


async def beat(
    pool: Pool,
    holder: str,
    names: Collection[str],
    duration: timedelta,
    work: Mapping[str, Sequence[Due]] = MappingProxyType({}),
) -> Beat:
    """Renew the leases of a process, take those of `names` that are free, and read the state.

    `work` are the rows for which the process looks, by the names of its tasks.
    """
    began, local = time.monotonic(), datetime.now(UTC)
    try:
        (row,) = await pool.rows(_BEAT.format(work=work_query(work)), holder, sorted(names), duration, _STATE, LEAD)
    except (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError):
        # A table with work may be locked; leases and state must not wait for it.
        (row,) = await pool.rows(_BEAT.format(work=work_query({})), holder, sorted(names), duration, _STATE, LEAD)
    skew = skew_of_answer(local, timedelta(seconds=time.monotonic() - began), row["now"])
    age, lead_ends_in = row["age"] or timedelta(0), row["lead_ends_in"] or timedelta(0)
    return Beat(
        leases=frozenset(row["leases"]),
        schema=str(row["schema"]),
        skew=skew,
        state=row["value"],
        age=age,
        work=frozenset(row["work"]),
        server=_position(row),
        lead_ends_in=lead_ends_in,
    )


def _position(row: asyncpg.Record) -> ServerPosition | None:
    if row["timeline"] is None or row["trusted_timeline"] is None:
        return None
    return ServerPosition(row["timeline"], row["log_end"], row["waits_for_standby"], row["trusted_timeline"])


async def take_over_lease(pool: Pool, holder: str, names: Collection[str], duration: timedelta) -> set[str]:
    """Take a lease among `names` from a process that holds more than this one; return its name, or nothing.

    A process takes only leases of tasks of which it has none: first one that is no use to its holder, who has several
    of that task.
    """
    return {row["name"] for row in await pool.rows(_TAKE_OVER, holder, sorted(names), duration)}


async def read_state(pool: Pool) -> Beat:
    """Read the state without asking for a lease."""
    return await beat(pool, "", (), timedelta(0))


async def write_state(pool: Pool, value: dict[str, Any]) -> None:
    """Save the state that this process has measured."""
    await pool.rows(_WRITE, _STATE, json.dumps(value))


async def release_leases(pool: Pool, holder: str) -> None:
    """End all leases of a process."""
    await pool.rows("UPDATE leases SET until = now() WHERE holder = $1 AND until > now()", holder)

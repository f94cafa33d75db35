"""Beats: the one statement by which a process renews its leases and reads the state of the service."""

import json
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from store.clock import skew_of_answer
from store.database import Pool
from store.maintenance.pending_work import work_query
from store.maintenance.servers import ServerPosition

_STATE = "watch"
"""The name of the row of the state, so that other states can be added."""
_BEAT = """
SELECT ARRAY(SELECT take_leases_v1($1, $2, $3)) AS leases, clock_timestamp() AS now,
  (SELECT max(revision) FROM schema_states) AS schema, state.value, clock_timestamp() - state.measured_at AS age,
  server.timeline, server.log_end, server.waits_for_standby, trusted.timeline AS trusted_timeline, {work} AS work
FROM server_position_v1() AS server LEFT JOIN trusted_server AS trusted ON true
LEFT JOIN service_state AS state ON state.name = $4
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


async def beat(
    pool: Pool, holder: str, names: Collection[str], duration: timedelta, work: Collection[str] = ()
) -> Beat:
    """Renew the leases of a process, take those of `names` that are free, and read the state.

    `work` are names of `pending_work.CONDITIONS`.
    """
    began, local = time.monotonic(), datetime.now(UTC)
    try:
        (row,) = await pool.rows(_BEAT.format(work=work_query(work)), holder, sorted(names), duration, _STATE)
    except (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError):
        # A table with work may be locked; leases and state must not wait for it.
        (row,) = await pool.rows(_BEAT.format(work=work_query(())), holder, sorted(names), duration, _STATE)
    skew = skew_of_answer(local, timedelta(seconds=time.monotonic() - began), row["now"])
    age, work_to_do = row["age"] or timedelta(0), frozenset(row["work"])
    return Beat(frozenset(row["leases"]), str(row["schema"]), skew, row["value"], age, work_to_do, _position(row))


def _position(row: asyncpg.Record) -> ServerPosition | None:
    if row["timeline"] is None or row["trusted_timeline"] is None:
        return None
    return ServerPosition(row["timeline"], row["log_end"], row["waits_for_standby"], row["trusted_timeline"])


async def read_state(pool: Pool) -> Beat:
    """Read the state without asking for a lease."""
    return await beat(pool, "", (), timedelta(0))


async def write_state(pool: Pool, value: dict[str, Any]) -> None:
    """Save the state that this process has measured."""
    await pool.rows(_WRITE, _STATE, json.dumps(value))


async def release_leases(pool: Pool, holder: str) -> None:
    """End all leases of a process."""
    await pool.rows("UPDATE leases SET until = now() WHERE holder = $1 AND until > now()", holder)

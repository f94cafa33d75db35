"""The answers of endpoints that have taken events, written many at a time: an endpoint may get hundreds a second."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from store.database import Pool

_RECORD = """
WITH answers AS (
  SELECT * FROM unnest($3::text[], $4::timestamptz[], $5::int[], $6::int[], $7::text[])
    AS answer (delivery_id, at, ms, http_status, response)
), attempts AS (
  -- Deliveries that were deleted meanwhile have no log.
  INSERT INTO delivery_attempts (delivery_id, at, ms, http_status, response)
  SELECT answers.* FROM answers JOIN deliveries ON deliveries.id = answers.delivery_id
), delivered AS (
  -- An answer that comes after another worker has delivered the event again changes nothing.
  UPDATE deliveries SET state = 'delivered', attempts = attempts + 1, claimed_until = NULL
  FROM answers WHERE deliveries.id = answers.delivery_id AND state = 'waiting'
), endpoint AS (
  -- Once a second at most, so that answers do not queue for the endpoint's row.
  UPDATE webhooks
  SET failures = 0, last_delivered_at = $2, failing_since = NULL, probe_at = NULL, last_failure = NULL,
      last_failed_event = NULL
  WHERE id = $1
    AND (failures > 0 OR last_delivered_at IS NULL OR last_delivered_at < $2::timestamptz - interval '1 second')
  RETURNING enabled
)
SELECT coalesce(
  (SELECT enabled FROM endpoint), (SELECT enabled AND probe_at IS NULL FROM webhooks WHERE id = $1), false
) AS is_serving
"""


@dataclass(frozen=True, slots=True)
class TakenEvent:
    """An event that an endpoint has taken, and its answer."""

    delivery_id: str
    at: datetime
    """When the request began."""
    ms: int
    http_status: int | None
    response: str | None


async def record_taken(pool: Pool, webhook_id: str, events: Sequence[TakenEvent], now: datetime) -> bool:
    """Record events that an endpoint has taken; return whether it may be sent more now."""
    row = await pool.row(
        *(_RECORD, webhook_id, now),
        *([event.delivery_id for event in events], [event.at for event in events], [event.ms for event in events]),
        *([event.http_status for event in events], [event.response for event in events]),
    )
    return row is not None and bool(row["is_serving"])

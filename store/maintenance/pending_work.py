"""Conditions that say whether a background task has anything to do, so that an idle service asks one question for all.

A condition may hold although a round finds nothing: another process may have locked the row. It must never fail while a
round would find something. Each is answered by an index, or by a table that stays small.
"""

from collections.abc import Collection

from domain.post import HoldReason
from store.maintenance.waiting import HAS_NOT_BEGUN, IS_WAITING
from store.posts.delivery import IS_BEHIND, WAITS_FOR_TURN
from store.uploads.claims import IS_FETCH_DUE
from store.uploads.thumbnails import IS_THUMBNAIL_DUE

_IS_CAMPAIGN_BEHIND = "EXISTS (SELECT FROM campaigns WHERE delivered_version < version)"
_IS_DELIVERY_WAITING = "EXISTS (SELECT FROM deliveries WHERE state = 'waiting')"
_IS_CAMPAIGN_OVER = """
EXISTS (SELECT FROM campaigns WHERE status <> 'ended' AND ends_at <= now())
OR EXISTS (SELECT FROM campaigns WHERE status = 'ended' AND completed_at IS NULL)
"""

CONDITIONS = {
    "sweep": f"EXISTS (SELECT FROM posts WHERE {IS_BEHIND})",
    "bulk": f"EXISTS (SELECT FROM posts WHERE {IS_BEHIND} AND {WAITS_FOR_TURN})",
    "chains": "EXISTS (SELECT FROM posts WHERE after_post_id IS NOT NULL)",
    "planner": "EXISTS (SELECT FROM series WHERE plan_at <= now())",
    "holds": f"EXISTS (SELECT FROM targets WHERE hold_reason = '{HoldReason.PAUSED}') OR {_IS_CAMPAIGN_OVER}",
    "campaigns": _IS_CAMPAIGN_BEHIND,
    "accounts": f"""
EXISTS (SELECT FROM accounts WHERE refused_at IS NOT NULL AND recheck_at <= now())
OR EXISTS (SELECT FROM app_refusals WHERE probe_at <= now())
OR EXISTS (
  SELECT FROM targets
  WHERE status = 'held' AND hold_reason IN ('{HoldReason.RECONNECT}', '{HoldReason.OPERATOR}')
)
""",  # noqa: S608 our own conditions
    "refusals": "EXISTS (SELECT FROM app_refusals)",
    "renewals": "EXISTS (SELECT FROM accounts WHERE renew_at <= now())",
    "revocations": """
EXISTS (SELECT FROM pending_revocations WHERE next_at <= now())
OR EXISTS (
  SELECT FROM pending_connections WHERE expires_at <= now() AND exchanged_at IS NOT NULL AND sealed IS NOT NULL
)
""",
    "preflight": """
EXISTS (
  SELECT FROM targets WHERE status = 'pending' AND begun_at IS NULL AND preflight_at IS NULL
    AND due_at > now() AND due_at <= now() + interval '25 hours'
) OR EXISTS (
  SELECT FROM targets WHERE status = 'pending' AND begun_at IS NULL AND preflight_at <= now()
)
""",
    "uploads": "EXISTS (SELECT FROM uploads WHERE expires_at <= now())",
    "fetches": f"EXISTS ({IS_FETCH_DUE})",
    "thumbnails": IS_THUMBNAIL_DUE,
    # Not the deliveries that wait: the sweep makes those that the listener has not made.
    "webhooks": "EXISTS (SELECT FROM webhooks)",
    "deliveries": _IS_DELIVERY_WAITING,
    "state": f"""
EXISTS (SELECT FROM posts WHERE {IS_BEHIND}) OR EXISTS (SELECT FROM targets WHERE {IS_WAITING})
OR EXISTS (SELECT FROM targets WHERE {HAS_NOT_BEGUN} AND due_at < now())
OR EXISTS (SELECT FROM late_posts WHERE ended_at IS NULL)
OR EXISTS (SELECT FROM series WHERE plan_at <= now()) OR EXISTS (SELECT FROM series WHERE behind_since IS NOT NULL)
OR oldest_transaction_v1() > interval '1 min'
OR EXISTS (SELECT FROM app_refusals) OR {_IS_CAMPAIGN_BEHIND} OR {_IS_DELIVERY_WAITING}
""",  # noqa: S608 our own conditions
}
"""By the name of the work, which several tasks may look for."""
SHARED_WORK = frozenset(
    {
        *("sweep", "bulk", "planner", "campaigns", "renewals", "revocations", "preflight"),
        *("uploads", "fetches", "thumbnails"),
    }
)
"""The work that several workers share. The rest is little, and its conditions may hold for weeks: a webhook exists, a
chain waits, an account is to be reconnected."""


def work_query(names: Collection[str]) -> str:
    """Return an SQL expression: the names among these whose condition holds, as an array."""
    cases = ", ".join(f"CASE WHEN {CONDITIONS[name]} THEN '{name}' END" for name in sorted(names))
    return f"array_remove(ARRAY[{cases}]::text[], NULL)"

"""Changes of many posts by one statement, which adds an entry to the audit trail of each."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.audit import ActorType, AuditEntry

NEW_VERSION = "version = version + 1, updated_at = :now, delivery_attempts = 0"
"""The columns of posts that such an update sets beside its own and `next_delivery_at`."""


class RecordedUpdate:
    """An UPDATE of posts, without RETURNING, and an INSERT of an entry for each, which names its new version.

    `changed_field`: a field of which each entry names the values, which the update has as `new.before` and `new.after`.
    """

    def __init__(self, update: str, changed_field: str | None = None) -> None:
        details = "jsonb_build_object('version', version)"
        if changed_field is not None:
            change = f"jsonb_build_object('field', '{changed_field}', 'from', new.before, 'to', new.after)"
            details = f"jsonb_build_object('version', version, 'changes', jsonb_build_array({change}))"
        changed = f"{update} RETURNING posts.id, workspace_id, {details} AS details"
        # The API may not name the type of an actor: the column's default is its own.
        self._by_api = _insert(changed, "", "")
        self._by_others = _insert(changed, ", actor_type", ", :actor_type")

    async def execute(self, session: AsyncSession, values: Mapping[str, Any], entry: AuditEntry) -> None:
        """Change locked posts, with an entry of each."""
        actor = entry.actor
        values = {**values, "action": entry.action.value, "actor_id": actor.id, "details": json.dumps(entry.as_json())}
        if actor.type is ActorType.API_KEY:
            await session.execute(self._by_api, values)
        else:
            await session.execute(self._by_others, {**values, "actor_type": actor.type.value})


def _insert(changed: str, column: str, value: str) -> TextClause:
    return text(f"""
WITH changed AS ({changed})
INSERT INTO audit_events (workspace_id, post_id, action, actor_id, details{column})
SELECT workspace_id, id, :action, :actor_id, CAST(:details AS jsonb) || details{value} FROM changed
""")  # noqa: S608 our own statements

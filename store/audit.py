"""The audit trails of posts and of accounts: who did what, in entries that outlive them.

An entry is written in the transaction of its change. `attempts` has the workers' steps towards platforms, and the
post's row has its author: neither is written twice. When a post is deleted, they become entries in the same transaction
(`keep_history_v1`). The database dates an entry, and checks that an API key which it names is the workspace's
(`check_actor_v1`); every entry of the API has a key as its actor.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, TextClause, delete, exists, func, insert, literal_column, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import object_session

from domain.audit import NEEDED, AccountAction, Action, Actor, ActorType, AuditEntry
from store.models import AccountEvent, ApiKey, AuditEvent, Post
from store.rows import delete_rows


def add_account_event(
    session: AsyncSession,
    *,
    workspace_id: str,
    platform: str,
    account_id: str,
    action: AccountAction,
    actor: Actor,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Add a line to a transaction; the database dates it."""
    session.add(
        AccountEvent(
            workspace_id=workspace_id,
            platform=platform,
            account_id=account_id,
            action=action.value,
            actor_type=actor.type.value,
            actor_id=actor.id,
            details=dict(details or {}),
        )
    )


async def account_events(
    session: AsyncSession, workspace_id: str, platform: str | None, account_id: str, limit: int
) -> list[AccountEvent]:
    """Return the newest lines of an account of any or one platform, connected or not, the newest first."""
    query = select(AccountEvent).where(
        AccountEvent.workspace_id == workspace_id,
        AccountEvent.account_id == account_id,
        *([] if platform is None else [AccountEvent.platform == platform]),
    )
    return list(await session.scalars(query.order_by(AccountEvent.id.desc()).limit(limit)))


async def last_removal(session: AsyncSession, workspace_id: str, platform: str, account_id: str) -> AccountEvent | None:
    """Return the line that says who removed an account; None if it was not, or was connected again since then."""
    query = select(AccountEvent).where(
        *_of_account(workspace_id, platform, account_id),
        AccountEvent.action.in_((AccountAction.CONNECTED, AccountAction.RECONNECTED, AccountAction.REMOVED)),
    )
    newest = await session.scalar(query.order_by(AccountEvent.id.desc()).limit(1))
    return newest if newest is not None and newest.action == AccountAction.REMOVED else None


async def ended_since(session: AsyncSession, event: AccountEvent) -> set[str]:
    """Return the ids of the revocations of an account that its platform has carried out since a line was written."""
    query = select(AccountEvent.details["revocation_id"].astext).where(
        *_of_account(event.workspace_id, event.platform, event.account_id),
        AccountEvent.id > event.id,
        AccountEvent.action == AccountAction.REVOKED,
    )
    return {revocation_id for revocation_id in await session.scalars(query) if revocation_id is not None}


async def has_given_up_revocations(session: AsyncSession, workspace_id: str, platform: str, account_id: str) -> bool:
    """Return whether an authorization of an account was given up: it remains at the platform, for all that is known."""
    given_up = select(AccountEvent.id).where(
        *_of_account(workspace_id, platform, account_id),
        AccountEvent.action == AccountAction.NOT_REVOKED,
        ~AccountEvent.details.contains(NEEDED),
    )
    return bool(await session.scalar(select(exists(given_up))))


async def names_of_keys(session: AsyncSession, actor_ids: Iterable[str | None]) -> dict[str, str]:
    """Return the names of the API keys among actors, by their ids."""
    ids = {actor_id for actor_id in actor_ids if actor_id is not None}
    rows = await session.execute(select(ApiKey.id, ApiKey.name).where(ApiKey.id.in_(ids)))
    return {row.id: row.name for row in rows}


async def delete_old_account_events(session: AsyncSession, now: datetime, limit: int, keep: timedelta) -> int:
    """Delete up to `limit` lines that are older than `keep`; return how many were deleted."""
    oldest = select(AccountEvent.id, AccountEvent.at).order_by(AccountEvent.id).limit(limit).subquery()
    old = select(oldest.c.id).where(oldest.c.at < now - keep)
    return await delete_rows(session, AccountEvent.id, AccountEvent.id.in_(old))


def _of_account(workspace_id: str, platform: str, account_id: str) -> tuple[ColumnElement[bool], ...]:
    return (
        AccountEvent.workspace_id == workspace_id,
        AccountEvent.account_id == account_id,
        AccountEvent.platform == platform,
    )


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


MOST_ENTRIES = 500
"""The number of entries of one post that are kept, the newest."""
_DELETED: ColumnElement[str] = literal_column(f"'{Action.DELETED.value}'")
"""A literal, because the index of deletions is partial and the planner must see that it applies."""
_RECENT = 10_000
"""The number of newest entries in which posts with too many are searched: more than all API keys write in 30 s."""


def add_entry(post: Post, entry: AuditEntry) -> None:
    """Add an entry to the transaction in which a post's row was read."""
    session = object_session(post)
    if session is None:
        raise ValueError("the post is of no session")
    session.add(trail_event(post, entry))


def trail_event(post: Post, entry: AuditEntry) -> AuditEvent:
    """Return the row of an entry; the database dates it."""
    return AuditEvent(**_columns(post.workspace_id, post.id, entry))


async def add_entries(session: AsyncSession, entries: Sequence[tuple[str, str, AuditEntry]]) -> None:
    """Add entries of many posts at once; each comes with the ids of its workspace and post."""
    if entries:
        await session.execute(insert(AuditEvent), [_columns(*entry) for entry in entries])


def _columns(workspace_id: str, post_id: str, entry: AuditEntry) -> dict[str, Any]:
    platform, account_id = entry.targets[0] if len(entry.targets) == 1 else (None, None)
    # The API may not name the type of an actor: the column's default is its own.
    kind = {} if entry.actor.type is ActorType.API_KEY else {"actor_type": entry.actor.type.value}
    return {
        **kind,
        "workspace_id": workspace_id,
        "post_id": post_id,
        "action": entry.action.value,
        "actor_id": entry.actor.id,
        "platform": platform,
        "account_id": account_id,
        "details": entry.as_json(),
    }


async def add_unless_recorded(session: AsyncSession, post: Post, entry: AuditEntry) -> bool:
    """Add an entry unless the post's newest one on the same target is the same; False if it is.

    For actions that may be repeated without a change, and for steps that may be repeated.
    """
    new = trail_event(post, entry)
    newest = await session.scalar(
        select(AuditEvent)
        .where(AuditEvent.post_id == post.id, AuditEvent.platform.is_not_distinct_from(new.platform))
        .where(AuditEvent.account_id.is_not_distinct_from(new.account_id))
        .order_by(AuditEvent.at.desc(), AuditEvent.id.desc())
        .limit(1)
    )
    if newest is not None and _event_identity(newest) == _event_identity(new):
        return False
    session.add(new)
    return True


async def is_recorded(session: AsyncSession, post: Post, action: Action, **details: Any) -> bool:
    """Return whether the trail has an entry of this action with these details already, because a step was run again."""
    query = select(AuditEvent.id).where(AuditEvent.post_id == post.id, AuditEvent.action == action.value)
    return await session.scalar(query.where(AuditEvent.details.contains(details)).limit(1)) is not None


def _event_identity(event: AuditEvent) -> tuple[object, ...]:
    return event.action, event.actor_type, event.actor_id, event.details


async def delete_old_events(session: AsyncSession, now: datetime, limit: int, keep: timedelta) -> int:
    """Delete up to `limit` entries that are older than `keep`; return how many were deleted."""
    # Entries are read by id, the order in which they were written, so no index on the time is needed.
    oldest = select(AuditEvent.id, AuditEvent.at).order_by(AuditEvent.id).limit(limit).subquery()
    old = select(oldest.c.id).where(oldest.c.at < now - keep)
    return await delete_rows(session, AuditEvent.id, AuditEvent.id.in_(old))


async def delete_surplus_events(session: AsyncSession, _now: datetime, limit: int) -> int:
    """Delete the oldest entries of up to `limit` posts that recently got too many; return how many posts there were.

    This is not done when an entry is written: the API, which faces the internet, has no right to delete entries.
    """
    recent = select(AuditEvent.post_id).order_by(AuditEvent.id.desc()).limit(_RECENT).subquery()
    crowded = (
        select(AuditEvent.post_id)
        .where(AuditEvent.post_id.in_(select(recent.c.post_id).distinct()))
        .group_by(AuditEvent.post_id)
        .having(func.count() > MOST_ENTRIES)
        .limit(limit)
    )
    posts = list(await session.scalars(crowded))
    for post_id in posts:
        newest = select(AuditEvent.id).where(AuditEvent.post_id == post_id)
        newest = newest.order_by(AuditEvent.at.desc(), AuditEvent.id.desc()).limit(MOST_ENTRIES)
        surplus = delete(AuditEvent).where(AuditEvent.post_id == post_id, AuditEvent.id.not_in(newest))
        await session.execute(surplus, execution_options={"synchronize_session": False})
    return len(posts)


async def newest_event(session: AsyncSession, post_id: str) -> AuditEvent | None:
    """Return the last line of a post's trail, which outlives the post; None if there is none."""
    query = select(AuditEvent).where(AuditEvent.post_id == post_id)
    return await session.scalar(query.order_by(AuditEvent.at.desc(), AuditEvent.id.desc()).limit(1))


async def deletions(
    session: AsyncSession, workspace_id: str, limit: int, before_id: int = 0
) -> list[tuple[AuditEvent, str | None]]:
    """Return the newest entries of deleted posts, the newest first, each with the name of its API key.

    `before_id`: only entries before this one; 0 for all.
    """
    rows = await session.execute(deletions_query(workspace_id, limit, before_id))
    return [(event, name or None) for event, name in rows]


def deletions_query(workspace_id: str, limit: int, before_id: int) -> Select[AuditEvent, str]:
    """Return the query of `deletions`."""
    query = select(AuditEvent, ApiKey.name).join(ApiKey, ApiKey.id == AuditEvent.actor_id, isouter=True)
    query = query.where(AuditEvent.workspace_id == workspace_id, AuditEvent.action == _DELETED)
    query = query.where(AuditEvent.id < before_id) if before_id else query
    return query.order_by(AuditEvent.id.desc()).limit(limit)

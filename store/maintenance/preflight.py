"""Queries for targets that are checked before they are due, and for the quotas of their accounts."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import load_only

from domain.attempts import AttemptStep
from domain.audit import WORKER, Action, AuditEntry
from domain.post import PostStatus, TargetStatus
from domain.preflight import PreflightReason
from store.audit import add_entry
from store.due import Due
from store.models import ConnectedAccount, Post, RateLimitBucket, RateLimitSlot, Target, UploadUse

_READ = 1000
"""Targets that a round looks at to choose `most`: a workspace with many does not make others wait for long."""
# Two parts, for two partial indexes. A target leaves the first one with its first check.
_NOT_BEGUN = "targets.status = 'pending' AND targets.begun_at IS NULL"
UNCHECKED = Due(
    "targets",
    f"{_NOT_BEGUN} AND targets.preflight_at IS NULL AND targets.due_at > :now"
    " AND targets.due_at <= CAST(:now AS timestamptz) + interval '25 hours'",
)
TO_CHECK_AGAIN = Due("targets", f"{_NOT_BEGUN} AND targets.preflight_at <= :now")
_DUE = text(f"""
WITH due AS (
  (SELECT id, workspace_id, due_at FROM targets
   WHERE {UNCHECKED.condition} AND due_at <= :first
     AND (due_at >= :last OR preflight_code IS NOT NULL)
   ORDER BY due_at LIMIT :read)
  UNION ALL
  (SELECT id, workspace_id, due_at FROM targets
   WHERE {TO_CHECK_AGAIN.condition} AND due_at > :now
     AND (due_at >= :last OR preflight_code IS NOT NULL)
   ORDER BY preflight_at LIMIT :read)
), numbered AS (
  SELECT id, due_at, row_number() OVER (PARTITION BY workspace_id ORDER BY due_at) AS number FROM due
)
SELECT id FROM numbered ORDER BY number, due_at LIMIT :most
""")  # noqa: S608 our own conditions

AccountKey = tuple[str, str]
"""Platform and id of an account."""


_ACCOUNT_OF_TARGET = and_(
    ConnectedAccount.workspace_id == Target.workspace_id,
    ConnectedAccount.id == Target.account_id,
    ConnectedAccount.platform == Target.platform,
)
_OF_TARGET = (
    *(Target.id, Target.platform, Target.account_id, Target.due_at, Target.preflight_at, Target.preflight_code),
)


@dataclass(frozen=True, slots=True)
class Preflight:
    """A target to check, its post, and its account; None if the account is not connected."""

    post: Post
    target: Target
    account: ConnectedAccount | None
    names_upload: bool = False
    """Whether it may name an upload in any of its fields, covers included."""


async def due_for_preflight(
    session: AsyncSession, now: datetime, *, first: datetime, last: datetime, most: int
) -> list[Preflight]:
    """Return up to `most` targets to check now, and lock their posts; posts that others have locked are left out.

    A target is checked if it is due from `last` to `first`, and until it is due if it has a warning.
    """
    due = await session.scalars(_DUE, {"now": now, "first": first, "last": last, "most": most, "read": _READ})
    names_upload = select(UploadUse.upload_id).where(UploadUse.post_id == Post.id).exists()
    query = (
        select(Post, Target, ConnectedAccount, names_upload)
        .join(Target, Target.post_id == Post.id)
        .outerjoin(ConnectedAccount, _ACCOUNT_OF_TARGET)
        .where(
            Target.id.in_(list(due)),
            Target.status == TargetStatus.PENDING,
            Target.begun_at.is_(None),
            Target.due_at > now,
            Post.status == PostStatus.SCHEDULED,
        )
        # Both rows: another worker that checks the same target must have the result of this check.
        .with_for_update(of=(Post, Target), skip_locked=True)
        .options(
            load_only(Post.id, Post.workspace_id, Post.media_items),
            load_only(*_OF_TARGET, Target.custom_media),
        )
    )
    return [Preflight(*row) for row in await session.execute(query)]


async def with_content(session: AsyncSession, target_ids: Collection[str]) -> list[Preflight]:
    """Return targets with the whole content of their posts, without locks."""
    query = (
        select(Post, Target, ConnectedAccount)
        .join(Target, Target.post_id == Post.id)
        .join(ConnectedAccount, _ACCOUNT_OF_TARGET)
        .where(Target.id.in_(target_ids))
    )
    return [Preflight(*row) for row in await session.execute(query)]


async def lock_claimed(session: AsyncSession, claims: Mapping[str, datetime]) -> list[Preflight]:
    """Return the targets that are still as they were claimed, and lock their posts; others have changed meanwhile.

    `claims` are the times of the next check that were written when they were claimed.
    """
    query = (
        select(Post, Target, ConnectedAccount)
        .join(Target, Target.post_id == Post.id)
        .outerjoin(ConnectedAccount, _ACCOUNT_OF_TARGET)
        .where(
            Target.id.in_(claims),
            Target.status == TargetStatus.PENDING,
            Target.begun_at.is_(None),
            Post.status == PostStatus.SCHEDULED,
        )
        .with_for_update(of=Post, skip_locked=True)
        .options(load_only(Post.id, Post.workspace_id), load_only(*_OF_TARGET))
        .execution_options(populate_existing=True)
    )
    preflights = [Preflight(*row) for row in await session.execute(query)]
    return [preflight for preflight in preflights if preflight.target.preflight_at == claims[preflight.target.id]]


async def due_times(
    session: AsyncSession, accounts: Collection[tuple[str, str]], now: datetime, until: datetime, most: int
) -> dict[tuple[str, str], list[tuple[datetime, str]]]:
    """Return when accounts are to publish until a time, with the targets' ids, the first `most` of all.

    `accounts` are workspaces with ids of accounts.
    """
    query = (
        select(Target.workspace_id, Target.account_id, Target.due_at, Target.id)
        .where(
            Target.workspace_id.in_({workspace_id for workspace_id, _ in accounts}),
            tuple_(Target.workspace_id, Target.account_id).in_(accounts),
            Target.status == TargetStatus.PENDING,
            Target.begun_at.is_(None),
            Target.due_at > now,
            Target.due_at <= until,
        )
        .order_by(Target.due_at, Target.id)
        .limit(most)
    )
    times: dict[tuple[str, str], list[tuple[datetime, str]]] = {}
    for workspace_id, account_id, due_at, target_id in await session.execute(query):
        if due_at is not None:
            times.setdefault((workspace_id, account_id), []).append((due_at, target_id))
    return times


async def sent_times(
    session: AsyncSession, accounts: Collection[AccountKey], since: datetime, most: int
) -> dict[AccountKey, tuple[list[datetime], int | None]]:
    """Return when accounts have published since a time, in order, and the limit that their platform reports, if any.

    Returns the newest `most` times of all.
    """
    bucket, slot = RateLimitBucket, RateLimitSlot
    same = and_(
        slot.platform == bucket.platform,
        slot.server == bucket.server,
        slot.account_id == bucket.account_id,
        slot.step == bucket.step,
        slot.taken,
        slot.at > since,
    )
    query = (
        select(bucket.platform, bucket.account_id, bucket.reported_limit, slot.at)
        .outerjoin(slot, same)
        .where(tuple_(bucket.platform, bucket.account_id).in_(accounts), bucket.step == AttemptStep.PUBLISH)
        .order_by(slot.at.desc().nulls_last())
        .limit(most)
    )
    times, limits = defaultdict[AccountKey, list[datetime]](list), dict[AccountKey, int | None]()
    for platform, account_id, limit, at in await session.execute(query):
        key = (platform, account_id)
        limits[key] = limit or limits.get(key)
        if at is not None:
            times[key].append(at)
    return {key: (times[key][::-1], limit) for key, limit in limits.items()}


async def full_until(
    session: AsyncSession, accounts: Collection[ConnectedAccount], after: datetime
) -> dict[AccountKey, datetime]:
    """Return until when accounts have used up the quota that their platform last reported, if longer than `after`."""
    keys = {(account.platform, account.id) for account in accounts}
    if not keys:
        return {}
    query = (
        select(RateLimitBucket.platform, RateLimitBucket.account_id, func.max(RateLimitBucket.reported_until))
        .where(
            tuple_(RateLimitBucket.platform, RateLimitBucket.account_id).in_(keys),
            RateLimitBucket.step == AttemptStep.PUBLISH,
            RateLimitBucket.reported_remaining == 0,
            RateLimitBucket.reported_until > after,
        )
        .group_by(RateLimitBucket.platform, RateLimitBucket.account_id)
    )
    return {(platform, account_id): until for platform, account_id, until in await session.execute(query) if until}


def note_preflight(preflight: Preflight, reason: PreflightReason | None, again_at: datetime, now: datetime) -> bool:
    """Save the result of a check; return whether it is a new warning. The history gets a line only of a change."""
    target = preflight.target
    before, target.preflight_at = target.preflight_code, again_at
    if before == reason:
        return False
    target.preflight_code, preflight.post.updated_at = reason, now
    action = Action.WARNING_CLEARED if reason is None else Action.WARNED
    named = ((target.platform, target.account_id),)
    add_entry(preflight.post, AuditEntry(action, WORKER, targets=named, details=(("reason", reason or before),)))
    return reason is not None

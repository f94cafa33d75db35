"""The posts that a pause has missed: what is counted, published or skipped when it ends.

Thousands may be missed, so their rows are read and written by a few statements for all of them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Select, and_, any_, bindparam, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.attempts import AttemptState, AttemptStep
from domain.audit import AuditEntry
from domain.codes import SKIPPED, TargetCode
from domain.pauses import Gate, Resumed, SkipReason
from domain.post import OPEN, ErrorCategory, HoldReason, TargetStatus
from store.announcer import announce
from store.audit import NEW_VERSION, RecordedUpdate
from store.due import Due
from store.models import Attempt, Id, Post, Target
from store.pauses.gates import is_any_closed, is_stopped, stopped_by
from store.pauses.moving import make_drafts, raise_versions, wait_statement

_SKIPPED = "It fell due during a pause, and was skipped when the pause ended. Retry it if it should still go out."
_POST_IDS = any_(bindparam("post_ids", type_=ARRAY(Id)))


@dataclass(frozen=True, slots=True)
class MissedPost:
    """A post whose row is locked, and those of its targets that were missed and may continue now."""

    id: str
    workspace_id: str
    targets: Sequence[tuple[str, str, str]]
    """Id, platform and account of each target that was missed."""
    is_unsent: bool
    """Whether these are all targets, so that nothing of the post was sent."""
    may_start_over: bool
    """Whether no other target has begun, so that the post is scheduled again as a whole."""
    is_of_series: bool
    """Whether it has its time from the rule of a series, so that it cannot move."""


def _is_missed(now: datetime) -> ColumnElement[bool]:
    """Return the condition that a pause holds a target, or that it was due by `now` and has not begun."""
    return or_(
        and_(Target.status == TargetStatus.HELD, Target.hold_reason == HoldReason.PAUSED),
        and_(Target.status == TargetStatus.PENDING, Target.begun_at.is_(None), Target.due_at <= now),
    )


def _missed_by(workspace_id: str, gate: Gate, now: datetime) -> Select[str]:
    return (
        select(Target.post_id)
        .join(Post, Post.id == Target.post_id)
        .where(Target.workspace_id == workspace_id, stopped_by(gate), _is_missed(now), Post.status.in_(OPEN))
    )


async def count_missed(session: AsyncSession, workspace_id: str, gate: Gate, now: datetime) -> Resumed:
    """Count the posts that a closed gate has missed; `published` are those that no other gate stops."""
    others = is_stopped(resumed=gate)
    query = _missed_by(workspace_id, gate, now).add_columns(func.bool_and(others).label("stays"))
    posts = query.group_by(Target.post_id).subquery()
    count = select(func.count().filter(~posts.c.stays), func.count().filter(posts.c.stays))
    continuing, staying = (await session.execute(count)).one()
    return Resumed(published=continuing, still_paused=staying)


async def lock_missed(
    session: AsyncSession, workspace_id: str, gate: Gate, now: datetime, *also: ColumnElement[bool]
) -> tuple[list[MissedPost], int]:
    """Lock all posts that a gate has missed, and posts that meet the conditions `also`, in the order of their ids.

    Returns the missed posts that may continue once the gate is open, the first due first, and the number of missed
    posts that must stay.
    """
    is_locked = or_(Post.id.in_(_missed_by(workspace_id, gate, now)), *([and_(*also)] if also else []))
    query = select(Post.id).where(Post.workspace_id == workspace_id, is_locked).order_by(Post.id)
    ids = list(await session.scalars(query.with_for_update()))
    # Statements of their own: they see what was committed while this one waited for the locks.
    if not await is_any_closed(session, workspace_id, gate):
        return await _read(session, ids, now, stopped_by(gate)), 0
    posts = await _read(session, ids, now, stopped_by(gate) & ~is_stopped(resumed=gate))
    return posts, (await count_missed(session, workspace_id, gate, now)).still_paused


async def read_missed(session: AsyncSession, workspace_id: str, gate: Gate, now: datetime) -> list[MissedPost]:
    """Return the posts that `lock_missed` would let continue, without locking them."""
    ids = list(await session.scalars(_missed_by(workspace_id, gate, now)))
    return await _read(session, ids, now, stopped_by(gate) & ~is_stopped(resumed=gate))


async def lock_free(session: AsyncSession, now: datetime, most: int) -> list[MissedPost]:
    """Lock up to `most` posts of all workspaces that a pause holds although no gate stops them now.

    Posts that another transaction has locked are left out.
    """
    return await lock_held(session, ~is_stopped(), now, most)


PAUSED_TARGETS = Due("targets", f"targets.hold_reason = '{HoldReason.PAUSED}'")


async def lock_held(
    session: AsyncSession, condition: ColumnElement[bool], now: datetime, most: int
) -> list[MissedPost]:
    """Lock up to `most` posts of all workspaces of which a pause holds a target that meets a condition.

    Posts that another transaction has locked are left out.
    """
    held = and_(text(PAUSED_TARGETS.sql()), condition)
    posts = select(Target.post_id).join(Post, Post.id == Target.post_id).where(held)
    query = select(Post.id).where(Post.id.in_(posts), Post.status.in_(OPEN)).order_by(Post.id).limit(most)
    ids = list(await session.scalars(query.with_for_update(skip_locked=True)))
    return await _read(session, ids, now, held)


async def _read(
    session: AsyncSession, post_ids: Sequence[str], now: datetime, continues: ColumnElement[bool]
) -> list[MissedPost]:
    """Return locked posts with a target that was missed and for which `continues` holds, the first due first."""
    sending = (
        select(Attempt.id)
        .where(Attempt.target_id == Target.id, Attempt.step == AttemptStep.PUBLISH)
        .where(Attempt.state == AttemptState.SENDING)
        .exists()
    )
    query = (
        select(
            Post.id,
            Post.workspace_id,
            Post.series_id.is_not(None),
            Target.id,
            Target.platform,
            Target.account_id,
            and_(_is_missed(now), continues, ~sending),
            and_(Target.status == TargetStatus.PENDING, Target.begun_at.is_(None)),
        )
        .join(Target, Target.post_id == Post.id)
        .where(Post.id == _POST_IDS, Post.status.in_(OPEN))
        .order_by(Post.due_at, Post.id, Target.position)
    )
    rows: dict[tuple[str, str, bool], list[Any]] = defaultdict(list)
    for post_id, workspace_id, is_of_series, *target in await session.execute(query, {"post_ids": list(post_ids)}):
        rows[post_id, workspace_id, is_of_series].append(target)
    posts = []
    for (post_id, workspace_id, is_of_series), targets in rows.items():
        missed = [(target_id, platform, account) for target_id, platform, account, is_missed, _ in targets if is_missed]
        if missed:
            may_start_over = all(is_missed or has_not_begun for *_, is_missed, has_not_begun in targets)
            is_unsent = len(missed) == len(targets)
            posts.append(MissedPost(post_id, workspace_id, missed, is_unsent, may_start_over, is_of_series))
    return posts


def spaced(posts: Iterable[MissedPost], now: datetime, spacing: timedelta) -> dict[str, datetime]:
    """Return the time of each post: the first of each account now, and the next to the same account `spacing` later."""
    taken = Counter[tuple[str, str]]()
    times = {}
    for post in posts:
        accounts = {(platform, account_id) for _, platform, account_id in post.targets}
        times[post.id] = now + spacing * max(taken[account] for account in accounts)
        taken.update(accounts)
    return times


async def publish_missed(
    session: AsyncSession, posts: Sequence[MissedPost], times: Mapping[str, datetime], entry: AuditEntry, now: datetime
) -> None:
    """Let locked posts continue at these times: their windows begin again. A post that began as a whole starts over."""
    targets = [(target_id, times[post.id]) for post in posts for target_id, _, _ in post.targets]
    await session.execute(_WAIT, {"ids": [row[0] for row in targets], "times": [row[1] for row in targets]})
    values = {
        "ids": [post.id for post in posts],
        "times": [times[post.id] if post.may_start_over else None for post in posts],
        "now": now,
    }
    await _CONTINUE.execute(session, values, entry)


async def skip_missed(session: AsyncSession, posts: Sequence[MissedPost], entry: AuditEntry, now: datetime) -> None:
    """Make drafts of locked posts of which nothing was sent; of all others the missed targets fail."""
    drafts = [post for post in posts if post.is_unsent]
    await make_drafts(session, [post.id for post in drafts], SkipReason.PAUSED, entry, now)
    await fail_missed(session, [post for post in posts if not post.is_unsent], SKIPPED, _SKIPPED, entry, now)


async def fail_missed(
    session: AsyncSession, posts: Sequence[MissedPost], code: TargetCode, error: str, entry: AuditEntry, now: datetime
) -> None:
    """Let the missed targets of locked posts fail with a code and a sentence; they may be retried."""
    target_ids = [target_id for post in posts for target_id, _, _ in post.targets]
    failure = {"error": error, "code": code, "category": ErrorCategory.INTERNAL.value}
    await session.execute(_FAIL, {"ids": target_ids, "now": now, **failure})
    post_ids = [post.id for post in posts]
    await raise_versions(session, post_ids, entry, now)
    await session.execute(_REFRESH, {"ids": post_ids, "now": now})
    announce(session, *post_ids)


_WAIT = wait_statement("id")
# A post without a new time does not start over: it continues as it is.
_CONTINUE = RecordedUpdate(f"""
UPDATE posts SET status = CASE WHEN new.at IS NULL THEN status ELSE 'scheduled' END, due_at = coalesce(new.at, due_at),
  {NEW_VERSION}, next_delivery_at = bulk_delivery_at_v1(coalesce(new.at, due_at))
FROM unnest(CAST(:ids AS text[]), CAST(:times AS timestamptz[])) AS new (id, at) WHERE posts.id = new.id
""")  # noqa: S608 our own columns
_FAIL = text("""
UPDATE targets SET
  status = 'failed', begun_at = coalesce(begun_at, :now), error = :error, error_code = :code,
  error_category = :category,
  retryable = true, warning = NULL, next_attempt_at = NULL, confirming = false, hold_reason = NULL, released_at = NULL
WHERE id = ANY(CAST(:ids AS text[]))
""")
_REFRESH = text("SELECT count(*) FROM unnest(CAST(:ids AS text[])) AS id, LATERAL refresh_post_v1(id, :now)")

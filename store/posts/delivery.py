"""The plans that workflows may know of posts, and their delivery: who is known to have the newest version.

A bulk operation writes `next_delivery_at = bulk_delivery_at_v1(due_at), delivery_attempts = 0` to each post. Those that
are due soon are then delivered at once, as single posts are. All others are delivered in turns, at one pace for all
workers.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ARRAY, any_, bindparam, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload, selectinload
from sqlalchemy.sql.elements import TextClause

from domain.ids import next_workflow_id
from domain.ownership import UNDELIVERED_AFTER
from domain.plan import Plan, TargetPlan, Unscheduled
from domain.post import OPEN, ErrorCategory, HoldReason, PostStatus, TargetStatus
from store.accounts.connected import find_accounts
from store.due import Due
from store.models import ConnectedAccount, Id, IdempotencyKey, Post, Target
from store.posts.changes import lock_post

# The record of an older version leaves the time at which the newest one is to be delivered. It locks posts of all
# workspaces and waits for none: the transaction that holds one may wait for a campaign, and that for another of them.
_RECORD_DELIVERED = text("""
UPDATE posts SET delivered_version = delivered.version,
  next_delivery_at = CASE WHEN delivered.version < posts.version THEN next_delivery_at END,
  delivery_attempts = CASE WHEN delivered.version < posts.version THEN delivery_attempts ELSE 0 END
FROM unnest(CAST(:ids AS text[]), CAST(:versions AS int[])) AS delivered (id, version)
WHERE posts.id = delivered.id AND posts.delivered_version < delivered.version AND delivered.version <= posts.version
  -- As an array, it is read once, and before a row is changed.
  AND posts.id = ANY(ARRAY(SELECT id FROM posts WHERE id = ANY(CAST(:ids AS text[])) FOR NO KEY UPDATE SKIP LOCKED))
""")

# A post whose moment has come meanwhile is delivered at once, by a sweep. It locks posts as the record does.
_RETURN = text("""
UPDATE posts SET delivery_attempts = 0, next_delivery_at = coalesce(bulk_delivery_at_v1(due_at), now())
WHERE delivered_version < version AND delivery_attempts = 1
  AND id = ANY(ARRAY(SELECT id FROM posts WHERE id = ANY(CAST(:ids AS text[])) FOR NO KEY UPDATE SKIP LOCKED))
""")

# Literals: the planner must see that the partial index has these posts.
IS_BEHIND = (
    "posts.delivered_version < posts.version"
    " AND (posts.status IN ('scheduled', 'publishing') OR posts.next_delivery_at IS NOT NULL)"
)
WAITS_FOR_TURN = "posts.delivery_attempts = 0 AND posts.next_delivery_at > now()"
BEHIND, IN_TURN = Due("posts", IS_BEHIND), Due("posts", f"{IS_BEHIND} AND {WAITS_FOR_TURN}")


def _claim(condition: str) -> TextClause:
    """Return the statement that claims up to `most` posts that are behind: open ones first, the soonest due first."""
    return text(f"""
UPDATE posts
SET delivery_attempts = delivery_attempts + 1,
    next_delivery_at = CAST(:now AS timestamptz)
      + least(CAST(:first AS interval) * power(2, least(delivery_attempts, 20)), CAST(:longest AS interval))
WHERE id IN (
  SELECT id FROM posts
  WHERE {IS_BEHIND} AND {condition}
  ORDER BY (status IN ('scheduled', 'publishing')) DESC, due_at, id
  LIMIT :most
  FOR UPDATE SKIP LOCKED
)
RETURNING id
""")  # noqa: S608 our own conditions


_CLAIM = _claim("updated_at < :changed_before AND (next_delivery_at IS NULL OR next_delivery_at <= :now)")
_CLAIM_WAITING = _claim(WAITS_FOR_TURN)
# A turn that is late by less than a second moves the next one to its time, so that the pace holds. More than a thousand
# targets are one crowd, whatever comes after them.
_TAKE_TURN = text(f"""
UPDATE bulk_turn SET at = CASE WHEN at > now() - interval '2 s' THEN at + interval '1 s' ELSE now() END
WHERE at <= now() - interval '1 s' AND EXISTS (SELECT FROM posts WHERE {IN_TURN.sql()})
RETURNING coalesce((
  SELECT extract(epoch FROM min(first_due_at) - now()) FROM (
    SELECT min(due_at) AS first_due_at FROM (
      SELECT due_at FROM targets
      WHERE status = 'pending' AND begun_at IS NULL
        AND due_at BETWEEN now() - interval '5 s' AND now() + interval '5 s'
      ORDER BY due_at LIMIT 1000
    ) AS targets
    GROUP BY date_trunc('second', due_at) HAVING count(*) >= :crowd
  ) AS crowds
), 'infinity')::float
""")  # noqa: S608 the same
_CLAIMED = (
    select(Post)
    .where(Post.id == any_(bindparam("ids", type_=ARRAY(Id))))
    .order_by(Post.status.in_(OPEN).desc(), Post.due_at, Post.id)
    .options(selectinload(Post.targets))
)
"""Claimed posts, the soonest due first. Not `IN`: it is compiled again for each number of posts."""
_COUNT = text(f"""
SELECT count(*) FILTER (WHERE is_overdue), count(*) FILTER (WHERE is_overdue AND delivery_attempts = 0), count(*),
       least(now() - (SELECT at FROM bulk_turn),
             coalesce(now() - min(updated_at) FILTER (WHERE {WAITS_FOR_TURN}), interval '0'))
FROM (
  SELECT status, delivery_attempts, next_delivery_at, updated_at,
         status IN ('scheduled', 'publishing') AND :changed_before > greatest(
           updated_at, CASE WHEN delivery_attempts <= 1 THEN next_delivery_at END) AS is_overdue
  FROM posts WHERE {IS_BEHIND}
) AS posts
""")  # noqa: S608 the same

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=5), timedelta(minutes=1)
"""The pause after the first failed delivery of a post, and the longest pause."""


async def record_delivered(session: AsyncSession, versions: Mapping[str, int]) -> None:
    """Save which version of each post its workflow is known to have.

    A post that another transaction has locked is left out, and delivered again: that does no harm.
    """
    ids = sorted(versions)
    await session.execute(_RECORD_DELIVERED, {"ids": ids, "versions": [versions[post_id] for post_id in ids]})


async def claim_undelivered(session: AsyncSession, now: datetime, changed_before: datetime, most: int) -> list[Post]:
    """Return posts whose workflows are not known to have the newest version, with their targets.

    Open posts come first, the soonest due before the others. A settled post is among them only if its change asked for
    delivery (`next_delivery_at`). No other worker gets them for a while: the longer, the more deliveries have failed.
    """
    return await _claimed(session, _CLAIM, now, most, changed_before=changed_before)


async def take_turn(session: AsyncSession, crowd: int) -> float | None:
    """Take the turn of this second; None if another worker has it, or no post waits for one.

    Returns in how many seconds `crowd` targets or more are due in one second: less than zero if they are due and have
    not begun, infinity if there are none in the next five seconds.
    """
    seconds: float | None = await session.scalar(_TAKE_TURN, {"crowd": crowd})
    return seconds


async def claim_waiting(session: AsyncSession, now: datetime, most: int) -> list[Post]:
    """Return up to `most` posts that wait for their turn, as `claim_undelivered` does."""
    return await _claimed(session, _CLAIM_WAITING, now, most)


async def _claimed(
    session: AsyncSession, claim: TextClause, now: datetime, most: int, **values: datetime
) -> list[Post]:
    pauses = {"first": FIRST_PAUSE, "longest": LONGEST_PAUSE}
    ids = list(await session.scalars(claim, {"now": now, "most": most, **pauses, **values}))
    return list(await session.scalars(_CLAIMED, {"ids": ids}))


async def return_to_waiting(session: AsyncSession, post_ids: Sequence[str]) -> None:
    """Let posts that were claimed in a turn and not delivered wait for another turn."""
    await session.execute(_RETURN, {"ids": sorted(post_ids)})


async def release_undelivered(session: AsyncSession, post_ids: Sequence[str]) -> None:
    """Allow delivery without a pause: Temporal was unavailable, and the posts did not cause the failure."""
    # Not null: a settled post without a time is not delivered.
    await session.execute(update(Post).where(Post.id.in_(post_ids)).values(next_delivery_at=func.now()))


@dataclass(frozen=True, slots=True)
class Undelivered:
    """The number of posts whose workflows are not known to have the newest version."""

    all: int
    """Those that should have been delivered: changed a while ago, and not waiting for their turn."""
    untried: int
    """Those of `all` that the sweep has not even tried to deliver: it does not run."""
    behind: int
    """All posts that are to be delivered, those that wait for their turn too."""
    turn_age: timedelta
    """How long posts have waited for their turn and no worker has taken one; zero if none waits."""


async def count_undelivered(session: AsyncSession, now: datetime) -> Undelivered:
    """Count the posts whose newest version is not known to be delivered."""
    row = await session.execute(_COUNT, {"changed_before": now - UNDELIVERED_AFTER})
    overdue, untried, behind, turn_age = row.one()
    return Undelivered(overdue, untried, behind, max(turn_age, timedelta(0)))


async def move_to_next_workflow(session: AsyncSession, post_id: str, taken: str) -> Post | None:
    """Set a post's workflow id to the next, because another post's run has the present one; None if it is deleted.

    This happens if the rows of that other post are lost: its key was free, so this post got the same id.
    """
    post = await lock_post(session, post_id)
    if post is None or post.workflow_id != taken:
        return post
    candidate, generation = next_workflow_id(taken)
    while await session.scalar(select(Post.id).where(Post.workflow_id == candidate)):
        candidate, generation = next_workflow_id(candidate)
    post.workflow_id = candidate
    # The next use of the key must count from here.
    await session.execute(
        update(IdempotencyKey)
        .where(IdempotencyKey.workspace_id == post.workspace_id, IdempotencyKey.post_id == post_id)
        .where(IdempotencyKey.generation < generation)
        .values(generation=generation)
        .execution_options(synchronize_session=False)
    )
    return post


def _prepares(post: Post, target: Target) -> bool:
    return bool(target.custom_media if target.custom_media is not None else post.media_items)


async def plan_with_accounts(session: AsyncSession, post: Post) -> Plan:
    """Return the plan of a post that is not a draft, with its accounts' names; its targets must be loaded."""
    return post_plan(
        post, await find_accounts(session, post.workspace_id, [target.account_id for target in post.targets])
    )


async def plans_with_accounts(session: AsyncSession, posts: Iterable[Post]) -> dict[str, Plan]:
    """Return the plans of posts that are no drafts, by post id; their targets must be loaded."""
    account_ids: dict[str, list[str]] = defaultdict(list)
    scheduled = [post for post in posts if post.due_at is not None]
    for post in scheduled:
        account_ids[post.workspace_id] += [target.account_id for target in post.targets]
    accounts = {
        workspace_id: await find_accounts(session, workspace_id, ids) for workspace_id, ids in account_ids.items()
    }
    return {post.id: post_plan(post, accounts[post.workspace_id]) for post in scheduled}


async def read_plan(session: AsyncSession, post_id: str) -> Plan | Unscheduled | None:
    """Return the plan in a post's current row; None if it is deleted."""
    post = await _read_post(session, post_id)
    if post is None:
        return None
    if post.due_at is None:
        return Unscheduled(post_id=post.id, version=post.version)
    return await plan_with_accounts(session, post)


async def read_undelivered_plan(session: AsyncSession, post_id: str, now: datetime) -> Plan | None:
    """Return the plan in a post's current row; None if nothing is to be delivered, or a sweep delivers it now."""
    post = await _read_post(session, post_id)
    if post is None or post.due_at is None or post.is_delivered:
        return None
    if post.delivery_attempts and post.next_delivery_at and post.next_delivery_at > now:
        return None
    return await plan_with_accounts(session, post)


async def _read_post(session: AsyncSession, post_id: str) -> Post | None:
    query = select(Post).where(Post.id == post_id).options(joinedload(Post.targets))
    return (await session.scalars(query, execution_options={"populate_existing": True})).unique().one_or_none()


def post_plan(post: Post, accounts: Mapping[str, ConnectedAccount], *, request_id: str | None = None) -> Plan:
    """Return the plan of a post that is not a draft; its targets must be loaded."""
    if post.due_at is None:
        raise ValueError("a draft has no plan")
    immediate = post.status == PostStatus.PUBLISHING and not any(map(_has_begun, post.targets))
    targets = [
        TargetPlan(
            target_id=target.id,
            platform=target.platform,
            account_id=target.account_id,
            username=account.username if (account := accounts.get(target.account_id)) else "",
            prepares=_prepares(post, target),
            # The row says publishing once a worker has begun; a run that reads the row again begins, or confirms,
            # again.
            status=TargetStatus.PENDING if target.status == TargetStatus.PUBLISHING else TargetStatus(target.status),
            confirming=target.confirming,
            editable_until=target.editable_until,
            platform_post_id=target.platform_post_id,
            platform_post_url=target.platform_post_url,
            error_code=target.error_code,
            error_category=ErrorCategory(target.error_category) if target.error_category else None,
            hold_reason=HoldReason(target.hold_reason) if target.hold_reason else None,
            publish_by=_publish_by(post, target),
            resumes_at=target.next_attempt_at if target.status == TargetStatus.HELD else None,
        )
        for target in post.targets
    ]
    return Plan(
        post_id=post.id,
        workspace_id=post.workspace_id,
        workflow_id=post.workflow_id,
        version=post.version,
        due_at=post.due_at,
        immediate=immediate,
        targets=targets,
        tags=post.tags,
        publish_within=timedelta(seconds=post.publish_within),
        campaign_id=post.campaign_id,
        request_id=request_id,
        started=post.delivered_version > 0,
    )


def _publish_by(post: Post, target: Target) -> datetime | None:
    """Return until when a target may be published whose time differs from the post's, because it was retried."""
    if target.due_at is None or target.due_at == post.due_at:
        return None
    return target.due_at + timedelta(seconds=post.publish_within)


def _has_begun(target: Target) -> bool:
    return target.begun_at is not None or target.status != TargetStatus.PENDING

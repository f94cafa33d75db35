"""Plans, read from a post's rows: what its workflow may know."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import joinedload

from domain.plan import Plan, TargetPlan, Unscheduled
from domain.post import ErrorCategory, HoldReason, PostStatus, TargetStatus
from store.accounts.connected import find_accounts
from store.models import ConnectedAccount, Post, Target


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

"""The bound on sends of a target whose platform shows no posts: a refusal may lie, and nothing contradicts it."""

from sqlalchemy import and_, cast, func, or_, select, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from domain.attempts import UNANSWERED, AttemptStep, WhenUnreadable
from domain.audit import Action
from domain.ownership import FENCE
from store.models import Account, Attempt, AuditEvent, Target, Workspace

_CHOICE = func.coalesce(Account.when_unreadable, Workspace.when_unreadable, WhenUnreadable.RESEND_ONCE.value)


async def read_when_unreadable(session: AsyncSession, workspace_id: str) -> WhenUnreadable:
    """Return the wish of a workspace for its accounts without one."""
    value = await session.scalar(select(Workspace.when_unreadable).where(Workspace.id == workspace_id))
    return WhenUnreadable(value or WhenUnreadable.RESEND_ONCE)


async def write_when_unreadable(
    session: AsyncSession, workspace_id: str, value: str | None, account_id: str | None = None
) -> None:
    """Set the wish of a workspace, or of one of its accounts."""
    change = update(Workspace).where(Workspace.id == workspace_id)
    if account_id is not None:
        own = (Account.workspace_id == workspace_id, Account.id == account_id)
        change = update(Account).where(*own)
    await session.execute(change.values(when_unreadable=value))


async def sends_left(session: AsyncSession, target_id: str) -> int:
    """Return how many more times such a target may be sent, counted from a person's last retry.

    The database's own clock dates retries and sends.
    """
    of_target = and_(Account.workspace_id == Target.workspace_id, Account.id == Target.account_id)
    choice = (
        select(_CHOICE)
        .select_from(Target)
        .join(Workspace, Workspace.id == Target.workspace_id)
        .outerjoin(Account, of_target)
        .where(Target.id == target_id)
    )
    own = func.jsonb_build_array(func.jsonb_build_object("platform", Target.platform, "accountId", Target.account_id))
    is_named = or_(
        and_(AuditEvent.platform == Target.platform, AuditEvent.account_id == Target.account_id),
        cast(AuditEvent.details["targets"], JSONB).contains(own),
    )
    retried_at = (
        select(func.max(AuditEvent.at))
        .where(AuditEvent.post_id == Target.post_id, AuditEvent.action == Action.RETRIED, is_named)
        .scalar_subquery()
    )
    begun_at = func.coalesce(Attempt.sendable_until - FENCE, Attempt.started_at)
    sends = (
        select(func.count())
        .select_from(Attempt)
        .join(Target, Target.id == Attempt.target_id)
        .where(
            Target.id == target_id,
            Attempt.step == AttemptStep.PUBLISH,
            or_(Attempt.request_sent, Attempt.state.in_(UNANSWERED)),
            begun_at >= func.coalesce(retried_at, begun_at),
        )
    )
    wish = WhenUnreadable(await session.scalar(choice) or WhenUnreadable.RESEND_ONCE)
    return wish.most_sends - (await session.scalar(sends) or 0)

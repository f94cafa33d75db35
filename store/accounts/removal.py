"""Functions that remove accounts, and find other accounts that would lose the same access at the platform."""

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from store.models import Account

REMOVAL_WAITS = timedelta(minutes=1)
"""How long a requested removal may be carried out; longer than its client waits."""


async def request_removal(
    session: AsyncSession, workspace_id: str, platform: str, account_id: str, *, requested_by: str | None, revokes: bool
) -> None:
    """Request the removal of an account from the workers; `requested_by` is the id of an API key."""
    await session.execute(
        update(Account)
        .where(*_of_account(workspace_id, platform, account_id))
        .values(removal_requested_at=func.now(), removal_requested_by=requested_by, removal_revokes=revokes)
    )


async def delete_account_row(
    session: AsyncSession, workspace_id: str, platform: str, account_id: str
) -> Account | None:
    """Delete the row of an account whose removal was requested, and return it; None if there is none."""
    requested = Account.removal_requested_at > func.now() - REMOVAL_WAITS
    taken = delete(Account).where(*_of_account(workspace_id, platform, account_id), requested).returning(Account)
    return (await session.scalars(taken, execution_options={"populate_existing": True})).one_or_none()


async def is_access_shared(
    session: AsyncSession, account: Account, *, users: Collection[str], family: Collection[str]
) -> bool:
    """Return whether a removed account shares its access with one that stays, in any workspace.

    `users` are the user ids of accounts that lose it, too. `family` are the platforms on which ending a token ends
    everything that the person has granted the app. The person is not known there, so every account of the app counts.
    It is empty if only the token itself is ended.
    """
    shares: list[ColumnElement[bool]] = [and_(Account.platform == account.platform, Account.user_id.in_(users))]
    if account.grant_subject is not None:
        own = (Account.workspace_id == account.workspace_id, Account.grant_subject == account.grant_subject)
        shares.append(and_(*own, Account.platform == account.platform))
    if family:
        shares.append(and_(Account.platform.in_(family), Account.app_id == account.app_id, Account.app_id != ""))
    another = or_(Account.workspace_id != account.workspace_id, Account.id != account.id)
    return await session.scalar(select(Account.id).where(another, or_(*shares)).limit(1)) is not None


async def is_in_other_workspace(session: AsyncSession, workspace_id: str, account_id: str) -> bool:
    """Return whether another workspace has the same account of the platform."""
    others = select(Account.id).where(Account.id == account_id, Account.workspace_id != workspace_id)
    return await session.scalar(others.limit(1)) is not None


def _of_account(workspace_id: str, platform: str, account_id: str) -> tuple[ColumnElement[bool], ...]:
    return Account.workspace_id == workspace_id, Account.id == account_id, Account.platform == platform

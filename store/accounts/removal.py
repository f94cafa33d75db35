"""The removal of accounts, which a client requests and a worker carries out."""

from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, update
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


def _of_account(workspace_id: str, platform: str, account_id: str) -> tuple[ColumnElement[bool], ...]:
    return Account.workspace_id == workspace_id, Account.id == account_id, Account.platform == platform

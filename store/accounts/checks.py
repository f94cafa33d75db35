"""The accounts that may be checked with their platforms on demand, and the results."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from store.accounts.renewals import Key
from store.models import Account, ConnectedAccount


def may_be_checked(account: ConnectedAccount, every: timedelta, now: datetime) -> bool:
    """Return whether a platform may be asked about an account: not soon after it was asked or accepted its tokens."""
    asked, proven = account.inspected_at, account.last_ok_at
    if asked is not None and asked > now - every:
        return False
    return account.refused_at is not None or proven is None or proven <= now - every


async def claim_check(session: AsyncSession, key: Key, every: timedelta) -> Account | None:
    """Return an account's row if its platform may be asked now, for one caller only; None if not."""
    workspace_id, account_id = key
    before = func.now() - every
    claim = update(Account).where(
        Account.workspace_id == workspace_id,
        Account.id == account_id,
        or_(Account.inspected_at.is_(None), Account.inspected_at <= before),
        or_(Account.refused_at.is_not(None), Account.last_ok_at.is_(None), Account.last_ok_at <= before),
    )
    claimed = claim.values(inspected_at=func.now()).returning(Account)
    return (await session.scalars(claimed, execution_options={"populate_existing": True})).one_or_none()


async def note_check(
    session: AsyncSession,
    key: Key,
    used: bytes,
    *,
    inspection: dict[str, Any],
    scopes: Sequence[str] | None = None,
    expires_at: datetime | None = None,
    ends: bool = False,
) -> None:
    """Save the result of a check, unless the account has other tokens by now.

    `ends` says that the connection ends with its access token, because nothing renews it.
    """
    workspace_id, account_id = key
    values: dict[str, Any] = {"inspection": inspection}
    values |= {} if scopes is None else {"scopes": list(scopes)}
    if expires_at is not None:
        values |= {"expires_at": expires_at} | ({"refresh_expires_at": expires_at} if ends else {})
    own = (Account.workspace_id == workspace_id, Account.id == account_id, Account.credentials == used)
    await session.execute(update(Account).where(*own).values(**values))


async def checked_since(session: AsyncSession, workspace_id: str, since: datetime, most: int) -> int:
    """Return how many accounts of a workspace were checked since then, up to `most`."""
    recent = select(ConnectedAccount.id).where(
        ConnectedAccount.workspace_id == workspace_id, ConnectedAccount.inspected_at >= since
    )
    return int(await session.scalar(select(func.count()).select_from(recent.limit(most).subquery())) or 0)

"""Leases under which one process at a time renews an account's credentials, and writing the renewed ones down.

The sealed credentials are their own version: each sealing of the same credentials differs, so a write that names the
value it replaces can neither undo a reconnection nor another renewal.
"""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from store.models import Account

LEASE = timedelta(minutes=2)
"""Longer than asking the network for new credentials may take, so that no two processes use up the same token."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The answer to a request for the lease."""

    credentials: bytes
    """The account's sealed credentials now."""
    granted: bool
    ran_out: bool = False
    """Whether the process that had the lease last did not give it back: it may have an answer that is not written."""


async def lease_renewal(session: AsyncSession, workspace_id: str, account_id: str, used: bytes) -> Lease | None:
    """Grant the lease if it is free and the credentials are still those of `used`; None if the account is gone."""
    query = select(Account, func.clock_timestamp()).where(*_key(workspace_id, account_id)).with_for_update(of=Account)
    row = (await session.execute(query, execution_options={"populate_existing": True})).one_or_none()
    if row is None:
        return None
    account, now = row
    if account.credentials != used or (account.renewing_until is not None and account.renewing_until > now):
        return Lease(account.credentials, granted=False)
    ran_out = account.renewing_until is not None
    account.renewing_until = now + LEASE
    return Lease(used, granted=True, ran_out=ran_out)


async def keep_renewed(
    session: AsyncSession, workspace_id: str, account_id: str, used: bytes, renewed: bytes
) -> bytes | None:
    """Replace the credentials of `used` by renewed ones and give the lease back; return what the row then holds.

    That is something else if the account has been reconnected meanwhile, and None if it is gone. Repeatable.
    """
    account = _key(workspace_id, account_id)
    statement = update(Account).where(*account, Account.credentials == used)
    await session.execute(
        statement.values(credentials=renewed, renewing_until=None), execution_options={"synchronize_session": False}
    )
    return await credentials_of(session, workspace_id, account_id)


async def credentials_of(session: AsyncSession, workspace_id: str, account_id: str) -> bytes | None:
    """Return an account's sealed credentials, None if it is gone."""
    return await session.scalar(select(Account.credentials).where(*_key(workspace_id, account_id)))


async def give_back_lease(session: AsyncSession, workspace_id: str, account_id: str, used: bytes) -> None:
    """Let the next one renew at once: the network gave no new credentials."""
    statement = update(Account).where(*_key(workspace_id, account_id), Account.credentials == used)
    await session.execute(statement.values(renewing_until=None), execution_options={"synchronize_session": False})


def _key(workspace_id: str, account_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return Account.workspace_id == workspace_id, Account.id == account_id

"""The renewal of credentials: who may renew, the results, which accounts are due, and locks of processes.

The sealed credentials are their own version: each sealing of the same credentials differs, so a write that names the
value it replaces can undo neither a reconnection nor another renewal. Only these columns are written, never a whole row
that was read before.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

import asyncpg
from sqlalchemy import ColumnElement, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from store.accounts.connected import WORKS, Key, open_credentials, seal_credentials
from store.database import Pool
from store.due import Due
from store.models import Account, ConnectedAccount
from store.rows import find_row, update_rows
from store.secrets.vault import Vault, VaultError

LEASE = timedelta(seconds=75)
"""Longer than a request for new credentials may take, so that no two processes use up the same token."""


@dataclass(frozen=True, slots=True)
class Lease:
    """The response to a request for the lease."""

    account: Account
    """The account's current row."""
    granted: bool
    ran_out: bool = False
    """Whether the last holder did not return the lease: it may have a response that is not written."""
    unsure_since: datetime | None = None
    """The account's `renewal_started_at` before the lease was granted."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """The results of a renewal other than the credentials, by the columns of the row."""

    expires_at: datetime | None
    refresh_expires_at: datetime | None
    scopes: list[str] | None
    renew_at: datetime | None


@dataclass(frozen=True, slots=True)
class ChangedCredentials:
    """New credentials as JSON, and the facts about their tokens; None if the tokens are the same."""

    credentials: dict[str, Any] = field(repr=False)
    tokens: Tokens | None


async def lease_renewal(session: AsyncSession, key: Key, used: bytes) -> Lease | None:
    """Grant the lease if it is free and the credentials are still those of `used`; None if the account is gone.

    Once this is committed, the row says that a renewal has started, whatever happens to this process.
    """
    query = select(Account, func.clock_timestamp()).where(*_is(key)).with_for_update(of=Account)
    row = (await session.execute(query, execution_options={"populate_existing": True})).one_or_none()
    if row is None:
        return None
    account, now = row
    if account.credentials != used or (account.renewing_until is not None and account.renewing_until > now):
        return Lease(account, granted=False)
    ran_out, unsure_since = account.renewing_until is not None, account.renewal_started_at
    account.renewing_until, account.renewal_started_at = now + LEASE, unsure_since or now
    return Lease(account, granted=True, ran_out=ran_out, unsure_since=unsure_since)


async def keep_renewed(
    session: AsyncSession, key: Key, used: bytes, renewed: bytes, tokens: Tokens | None, unsure_since: datetime | None
) -> Account | None:
    """Replace the credentials of `used` by new ones and return the lease; returns the account's row after that.

    `tokens` is None if the tokens are the same: the row's facts about renewals stay. If the account has been
    reconnected meanwhile, its row has other credentials; if it is gone, None is returned. Repeatable.
    """
    values: dict[str, Any] = {"renewal_started_at": unsure_since}
    if tokens is not None:
        now = func.now()
        values = {name: value for name, value in WORKS.items() if name != "refusal_count"} | {
            "renewal_started_at": None,
            "renewed_at": now,
            "last_ok_at": now,
            "renewal_failures": 0,
            "renewal_error": None,
            "expires_at": tokens.expires_at,
            "refresh_expires_at": tokens.refresh_expires_at,
            "renew_at": tokens.renew_at,
            "scopes": Account.scopes if tokens.scopes is None else tokens.scopes,
        }
    await _update(session, key, used, credentials=renewed, renewing_until=None, **values)
    return await find_row(session, Account, *key)


async def release_lease(session: AsyncSession, key: Key, used: bytes, unsure_since: datetime | None) -> None:
    """Return the lease, so that the next process can renew immediately: the platform was not asked."""
    await _update(session, key, used, renewing_until=None, renewal_started_at=unsure_since)


async def note_failure(
    session: AsyncSession,
    key: Key,
    used: bytes,
    *,
    code: str,
    renew_at: datetime | None,
    unsure_since: datetime | None,
) -> None:
    """Save that a renewal brought no credentials, and return the lease.

    `renew_at` is the time of the next try, None if that cannot help. `unsure_since` becomes `renewal_started_at`.
    """
    await _update(
        session,
        key,
        used,
        renewing_until=None,
        renewal_started_at=unsure_since,
        renewal_failures=Account.renewal_failures + 1,
        renewal_error=code,
        renew_at=renew_at,
    )


async def note_refused_access(session: AsyncSession, key: Key, used: bytes) -> None:
    """Save that the platform refuses the access token of these credentials, which cannot be renewed now."""
    await _update(session, key, used, access_refused_at=func.coalesce(Account.access_refused_at, func.now()))


TO_RENEW = Due("accounts", "accounts.renew_at <= :now")


async def claim_due(session: AsyncSession, rotating: Sequence[str], again_in: timedelta, limit: int) -> list[Account]:
    """Return accounts whose renewal is due, for this worker only during `again_in`; the longest overdue first.

    If the outcome of a renewal is not known, an account of a `rotating` platform waits until its access token has
    expired: the refresh token may have been used up, and a second use may end the tokens that are still valid.
    """
    unsure = Account.renewal_started_at.is_not(None) & Account.platform.in_(rotating)
    due = (
        select(Account.workspace_id, Account.id)
        .where(
            text(TO_RENEW.sql()),
            or_(~unsure, Account.expires_at.is_(None), Account.expires_at <= func.now()),
        )
        .order_by(Account.renew_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    claim = (
        update(Account)
        .where(Account.workspace_id == due.c.workspace_id, Account.id == due.c.id)
        .values(renew_at=func.now() + again_in)
        .returning(Account)
    )
    return list(await session.scalars(claim))


async def never_renew(session: AsyncSession, key: Key, used: bytes) -> None:
    """Save that nothing renews these credentials."""
    await _update(session, key, used, renew_at=None)


async def _update(session: AsyncSession, key: Key, used: bytes, **values: Any) -> None:
    await update_rows(session, Account, *_is(key), Account.credentials == used, **values)


def _is(key: Key) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    workspace_id, account_id = key
    return Account.workspace_id == workspace_id, Account.id == account_id


@dataclass(frozen=True, slots=True)
class Ends:
    """The number of accounts by platform whose connection ends soon, and the delay of the most overdue renewal."""

    expiring: dict[str, int]
    overdue: timedelta


async def ends_of_accounts(session: AsyncSession, now: datetime, within: timedelta) -> Ends:
    """Count the accounts without a renewal whose connection ends `within` some time, or has ended.

    Accounts that their platform refuses already are not counted: they need no warning.
    """
    counted = await session.execute(
        select(ConnectedAccount.platform, func.count())
        .where(ConnectedAccount.refresh_expires_at <= now + within, ConnectedAccount.refused_at.is_(None))
        .group_by(ConnectedAccount.platform)
    )
    oldest = await session.scalar(select(func.min(ConnectedAccount.renew_at)))
    overdue = max(now - oldest, timedelta(0)) if oldest else timedelta(0)
    return Ends({row[0]: row[1] for row in counted}, overdue)


_TOKENS = ("access_token", "refresh_token")


async def read_siblings(session: AsyncSession, account: Account) -> list[Account]:
    """Return the other accounts of the workspace that were connected by the same consent, and lock their rows."""
    if account.grant_subject is None:
        return []
    query = select(Account).where(
        Account.workspace_id == account.workspace_id,
        Account.platform == account.platform,
        Account.app_id == account.app_id,
        Account.grant_subject == account.grant_subject,
        Account.id != account.id,
    )
    rows = query.order_by(Account.id).with_for_update()
    return list(await session.scalars(rows, execution_options={"populate_existing": True}))


async def keep_renewed_siblings(
    session: AsyncSession, vault: Vault, key: Key, before: dict[str, Any], changed: ChangedCredentials
) -> list[str]:
    """Save the new tokens for the accounts that had the refresh token of `before`, too; return their ids.

    The rest of their credentials stays: which page or location it is.
    """
    account = await session.get(Account, key)
    account_ids = []
    for sibling in await read_siblings(session, account) if account is not None else ():
        try:
            stored = open_credentials(vault, sibling)
        except VaultError:
            continue
        if not before.get("refresh_token") or stored.get("refresh_token") != before["refresh_token"]:
            continue
        stored |= {name: changed.credentials[name] for name in _TOKENS if name in changed.credentials}
        sealed = seal_credentials(vault, sibling.workspace_id, sibling.id, stored)
        used, owner = sibling.credentials, (sibling.workspace_id, sibling.id)
        await keep_renewed(session, owner, used, sealed, changed.tokens, None)
        account_ids.append(sibling.id)
    return account_ids


_CONNECTION_GONE = (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.AdminShutdownError, OSError)
_NAME = "hashtextextended('socialsyncer.renewals.' || $1 || '/' || $2, 0)"
"""As in `store.rows`."""


class RenewalLocks:
    """The locks of one process. Belongs to the event loop that first uses it."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._connection: AsyncConnection | None = None
        self._turn = asyncio.Lock()
        self._taken: set[Key] = set()
        """The keys that this process holds, because PostgreSQL grants a session a lock again that it already has."""

    async def take(self, key: Key) -> bool:
        """Take a lock if no process has it, this one included; return whether it was taken.

        Raises what SQLAlchemy and asyncpg raise if the database is unavailable.
        """
        async with self._turn:
            if key in self._taken:
                return False
            try:
                taken = await self._try(key)
            except _CONNECTION_GONE:
                # PostgreSQL has restarted since the connection was used last, and its locks are gone with it.
                await self._drop()
                taken = await self._try(key)
            if taken:
                self._taken.add(key)
            return taken

    async def _try(self, key: Key) -> bool:
        driver = await self._driver()
        return bool(await driver.fetchval(f"SELECT pg_try_advisory_lock({_NAME})", *key))

    async def release(self, key: Key) -> None:
        """Release an account's lock. If the connection is gone, the lock is gone with it."""
        async with self._turn:
            self._taken.discard(key)
            if self._connection is None:
                return
            try:
                driver = await self._driver()
                await driver.fetchval(f"SELECT pg_advisory_unlock({_NAME})", *key)
            except _CONNECTION_GONE:
                await self._drop()

    async def close(self) -> None:
        """Release every lock."""
        async with self._turn:
            await self._drop()

    async def _driver(self) -> asyncpg.Connection:
        if self._connection is not None:
            raw = await self._connection.get_raw_connection()
            driver = cast("asyncpg.Connection", raw.driver_connection)
            if not driver.is_closed():
                return driver
            await self._drop()
        self._connection = await self._pool.engine.connect()
        raw = await self._connection.get_raw_connection()
        return cast("asyncpg.Connection", raw.driver_connection)

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            # If the connection were returned to the pool, it would keep its locks.
            await connection.invalidate()
            await connection.close()

"""Authorizations that their platforms have yet to end, and credentials that are sealed under another key."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, LargeBinary, and_, func, literal_column, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.audit import RevocationCause
from domain.ids import new_id
from store.accounts.connected import open_credentials, seal_credentials
from store.due import Due
from store.models import Account, PendingRevocation
from store.rows import count_rows, delete_rows, update_rows
from store.secrets.vault import KEY_ID, Vault, VaultError

_LEFT_ALONE = timedelta(minutes=30)
"""For a quarter of an hour after its lease, a renewal may still replace the value that it began with."""

Position = tuple[str, str]
START: Position = ("", "")


@dataclass(frozen=True, slots=True)
class Batch:
    """The result for some accounts; `position` is the end of the batch, None if there are no more accounts."""

    resealed: int
    position: Position | None


async def reseal_batch(session: AsyncSession, vault: Vault, after: Position, limit: int) -> Batch:
    """Seal the next accounts under the vault's first key, except those that cannot be opened or are being renewed.

    No work is done twice: accounts that are sealed under the first key are skipped.
    """
    workspace, account_id = after
    renewing = Account.renewing_until >= func.now() - _LEFT_ALONE
    query = (
        select(Account)
        .where(
            _key_id() != vault.key_ids[0],
            or_(Account.workspace_id > workspace, and_(Account.workspace_id == workspace, Account.id > account_id)),
            or_(Account.renewing_until.is_(None), ~renewing),
        )
        .order_by(Account.workspace_id, Account.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    accounts, resealed = list(await session.scalars(query)), 0
    for account in accounts:
        try:
            credentials = open_credentials(vault, account)
        except VaultError:
            continue
        account.credentials = seal_credentials(vault, account.workspace_id, account.id, credentials)
        resealed += 1
    last = accounts[-1] if len(accounts) == limit else None
    return Batch(resealed, (last.workspace_id, last.id) if last else None)


# A scan of the index that jumps from key to key: there are a few keys, and a million accounts.
_KEYS = text(f"""
WITH RECURSIVE keys (id) AS (
  SELECT min(substring(credentials FROM 1 FOR {KEY_ID})) FROM accounts
  UNION ALL
  SELECT (SELECT min(substring(credentials FROM 1 FOR {KEY_ID})) FROM accounts
          WHERE substring(credentials FROM 1 FOR {KEY_ID}) > keys.id)
  FROM keys WHERE keys.id IS NOT NULL
)
SELECT id FROM keys WHERE id IS NOT NULL
""")  # noqa: S608 our own number
_COUNT = text(f"SELECT count(*) FROM accounts WHERE substring(credentials FROM 1 FOR {KEY_ID}) = :id")  # noqa: S608 the same


async def count_without_key(session: AsyncSession, key_ids: Collection[bytes]) -> dict[bytes, int]:
    """Return how many accounts are sealed under other keys than these, by the key's id."""
    sealed_with = {bytes(key_id) for key_id in await session.scalars(_KEYS)}
    return {key_id: await session.scalar(_COUNT, {"id": key_id}) or 0 for key_id in sealed_with.difference(key_ids)}


async def count_by_key(session: AsyncSession) -> dict[bytes, int]:
    """Return how many accounts are sealed under each key, by the key's id."""
    rows = await session.execute(select(key := _key_id(), func.count()).group_by(key))
    return {bytes(key): count for key, count in rows}


def _key_id() -> ColumnElement[bytes]:
    return func.substring(Account.credentials, 1, literal_column(str(KEY_ID)), type_=LargeBinary())


GIVEN_UP_AFTER = timedelta(days=7)
"""How long a platform that does not answer is asked again; our choice."""
MOST_REVOCATIONS = 100
"""Pending revocations of one workspace; our choice. A workspace may begin 60 connections in an hour."""
CLAIMED_FOR = timedelta(minutes=1)
"""How long one process alone tries a revocation: longer than a platform may take to answer."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """An authorization at a platform: its credentials as JSON, and the accounts that it reaches."""

    workspace_id: str
    platform: str
    account_id: str | None
    credentials: Mapping[str, Any] = field(repr=False)
    user_ids: Collection[str]
    app_id: str
    grant_subject: str | None = None


async def add_revocation(
    session: AsyncSession,
    vault: Vault,
    authorization: Authorization,
    cause: RevocationCause,
    *,
    claimed: bool = False,
) -> PendingRevocation | None:
    """Save that an authorization is to be ended; None if the workspace has too many such already.

    If it is `claimed`, the caller tries it first, and no other process does so meanwhile.
    """
    own = PendingRevocation.workspace_id == authorization.workspace_id
    if await count_rows(session, own, most=MOST_REVOCATIONS) >= MOST_REVOCATIONS:
        return None
    now, revocation_id = datetime.now(UTC), new_id("rev")
    row = PendingRevocation(
        id=revocation_id,
        workspace_id=authorization.workspace_id,
        platform=authorization.platform,
        account_id=authorization.account_id,
        cause=cause.value,
        credentials=vault.seal(dict(authorization.credentials), _context(authorization.workspace_id, revocation_id)),
        user_ids=list(authorization.user_ids),
        app_id=authorization.app_id,
        grant_subject=authorization.grant_subject,
        attempts=1 if claimed else 0,
        next_at=now + CLAIMED_FOR if claimed else now,
        given_up_after=now + GIVEN_UP_AFTER,
    )
    session.add(row)
    return row


TO_REVOKE = Due("pending_revocations", "pending_revocations.next_at <= :now")


async def claim_due_revocations(session: AsyncSession, most: int, most_each: int) -> list[PendingRevocation]:
    """Return up to `most` revocations to try now, `most_each` of one workspace: no other worker gets them."""
    number = func.row_number().over(partition_by=PendingRevocation.workspace_id, order_by=PendingRevocation.next_at)
    due = select(PendingRevocation.id, number.label("number")).where(text(TO_REVOKE.sql())).subquery()
    first = select(due.c.id).where(due.c.number <= most_each).limit(most)
    locked = (
        select(PendingRevocation.id)
        .where(PendingRevocation.id.in_(first), text(TO_REVOKE.sql()))
        .with_for_update(skip_locked=True)
    )
    return await _claim(session, PendingRevocation.id.in_(locked))


async def claim_revocations_of_account(
    session: AsyncSession, workspace_id: str, platform: str, account_id: str
) -> list[PendingRevocation]:
    """Return the pending revocations of an account, which the caller tries now."""
    return await _claim(
        session,
        and_(
            PendingRevocation.workspace_id == workspace_id,
            PendingRevocation.platform == platform,
            PendingRevocation.account_id == account_id,
        ),
    )


async def _claim(session: AsyncSession, which: ColumnElement[bool]) -> list[PendingRevocation]:
    claim = update(PendingRevocation).where(which)
    claim = claim.values(next_at=func.now() + CLAIMED_FOR, attempts=PendingRevocation.attempts + 1)
    rows = await session.scalars(
        claim.returning(PendingRevocation), execution_options={"populate_existing": True, "synchronize_session": False}
    )
    return list(rows)


async def postpone_revocation(session: AsyncSession, revocation_id: str, pause: timedelta) -> None:
    """Save when a revocation is tried next."""
    await update_rows(session, PendingRevocation, PendingRevocation.id == revocation_id, next_at=func.now() + pause)


async def delete_revocation(session: AsyncSession, revocation_id: str) -> bool:
    """Delete a revocation that is over, and its credentials; False if another process has done so."""
    return await delete_rows(session, PendingRevocation.id, PendingRevocation.id == revocation_id) == 1


def open_revocation(vault: Vault, row: PendingRevocation) -> dict[str, Any]:
    """Decrypt the credentials of a revocation. Raises VaultError."""
    return vault.open(row.credentials, _context(row.workspace_id, row.id))


async def reseal_revocations(session: AsyncSession, vault: Vault) -> int:
    """Seal the credentials of all pending revocations under the vault's first key; return how many cannot be opened."""
    unreadable = 0
    for row in await session.scalars(select(PendingRevocation).with_for_update()):
        try:
            row.credentials = vault.seal(open_revocation(vault, row), _context(row.workspace_id, row.id))
        except VaultError:
            unreadable += 1
    return unreadable


async def is_access_shared(
    session: AsyncSession,
    authorization: Authorization | PendingRevocation,
    *,
    users: Collection[str],
    family: Collection[str],
    besides_own: bool,
) -> bool:
    """Return whether an account of any workspace would lose its access with an authorization.

    `users` are the user ids of accounts that lose it, too. `family` are the platforms on which ending a token ends
    everything that the person has granted the app. The person is not known there, so every account of the app counts.
    It is empty if only the token itself is ended. With `besides_own`, the account that had the authorization does not
    count: it has another one by now.
    """
    shares: list[ColumnElement[bool]] = [and_(Account.platform == authorization.platform, Account.user_id.in_(users))]
    if authorization.grant_subject is not None:
        own = (Account.workspace_id == authorization.workspace_id, Account.platform == authorization.platform)
        shares.append(and_(*own, Account.grant_subject == authorization.grant_subject))
    if family and authorization.app_id:
        shares.append(and_(Account.platform.in_(family), Account.app_id == authorization.app_id))
    query = select(Account.id).where(or_(*shares))
    if besides_own:
        query = query.where(
            or_(Account.workspace_id != authorization.workspace_id, Account.id != authorization.account_id)
        )
    return await session.scalar(query.limit(1)) is not None


def _context(workspace_id: str, revocation_id: str) -> str:
    return f"revocation/{workspace_id}/{revocation_id}"

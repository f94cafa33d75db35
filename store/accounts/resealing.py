"""Sealing of stored credentials under the newest vault key, so that older keys can be removed."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, LargeBinary, and_, func, literal_column, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from store.accounts.connected import open_credentials, seal_credentials
from store.models import Account
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

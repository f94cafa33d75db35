"""Connected accounts; credentials leave this module decrypted only for the network that needs them."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from store.models import Account
from store.vault import Vault


def _context(workspace_id: str, account_id: str) -> str:
    return f"{workspace_id}/{account_id}"


async def save_account(
    session: AsyncSession,
    vault: Vault,
    *,
    workspace_id: str,
    account_id: str,
    platform: str,
    user_id: str,
    username: str,
    premium: bool,
    credentials: dict[str, Any],
    limits: Mapping[str, int] | None = None,
) -> Account:
    """Connect an account, or reconnect it with new credentials."""
    now = datetime.now(UTC)
    values = {
        "platform": platform,
        "user_id": user_id,
        "username": username,
        "premium": premium,
        "limits": dict(limits or {}),
        "credentials": vault.seal(credentials, _context(workspace_id, account_id)),
        "connected_at": now,
        "checked_at": now,
    }
    statement = (
        insert(Account)
        .values(workspace_id=workspace_id, id=account_id, **values)
        .on_conflict_do_update(index_elements=[Account.workspace_id, Account.id], set_=values)
        .returning(Account)
    )
    return (await session.scalars(statement, execution_options={"populate_existing": True})).one()


async def list_accounts(session: AsyncSession, workspace_id: str) -> list[Account]:
    """Return the workspace's accounts, oldest first."""
    query = select(Account).where(Account.workspace_id == workspace_id).order_by(Account.connected_at, Account.id)
    return list(await session.scalars(query))


async def find_accounts(session: AsyncSession, workspace_id: str, account_ids: list[str]) -> dict[str, Account]:
    """Return those of the accounts that are connected, by id."""
    query = select(Account).where(Account.workspace_id == workspace_id, Account.id.in_(account_ids))
    return {account.id: account for account in await session.scalars(query)}


async def remove_account(session: AsyncSession, workspace_id: str, account_id: str) -> bool:
    """Forget an account and its credentials; tell whether there was one."""
    query = delete(Account).where(Account.workspace_id == workspace_id, Account.id == account_id).returning(Account.id)
    return await session.scalar(query) is not None


def open_credentials(vault: Vault, account: Account) -> dict[str, Any]:
    """Decrypt an account's credentials. Raises VaultError."""
    return vault.open(account.credentials, _context(account.workspace_id, account.id))


async def renew_credentials(
    session: AsyncSession,
    vault: Vault,
    workspace_id: str,
    account_id: str,
    used: bytes,
    renew: Callable[[dict[str, Any]], Awaitable[dict[str, Any]]],
) -> Account | None:
    """Replace credentials that the network calls expired, under a row lock.

    `used` is the sealed value the caller worked with: where another worker has replaced it meanwhile, its result is
    returned and nothing is renewed, because a rotating refresh token dies when it is used twice.
    """
    query = select(Account).where(Account.workspace_id == workspace_id, Account.id == account_id).with_for_update()
    account = await session.scalar(query, execution_options={"populate_existing": True})
    if account is None or account.credentials != used:
        return account
    renewed = await renew(open_credentials(vault, account))
    account.credentials = vault.seal(renewed, _context(workspace_id, account_id))
    return account

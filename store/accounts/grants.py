"""Accounts that share one consent of a person, and therefore the same tokens: pages, locations, profiles."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from store.accounts.connected import open_credentials, seal_credentials
from store.accounts.renewals import ChangedCredentials, Key, keep_renewed
from store.models import Account
from store.secrets.vault import Vault, VaultError

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

"""Pages of connected accounts for clients: without credentials, which the API may not read."""

from collections.abc import Collection

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from store.models import Account, AppRefusal, ConnectedAccount

AppKey = tuple[str, str]
"""Platform and id of an app."""


async def page_of_accounts(
    session: AsyncSession, workspace_id: str, *, platform: str | None, after: str, limit: int
) -> list[ConnectedAccount]:
    """Return up to `limit` accounts of a workspace whose ids follow `after`, in the order of their ids."""
    query = select(ConnectedAccount).where(ConnectedAccount.workspace_id == workspace_id, ConnectedAccount.id > after)
    if platform is not None:
        query = query.where(ConnectedAccount.platform == platform)
    return list(await session.scalars(query.order_by(ConnectedAccount.id).limit(limit)))


async def find_connected_account(
    session: AsyncSession, workspace_id: str, platform: str, account_id: str
) -> ConnectedAccount | None:
    """Return an account of a workspace, None if there is no such account on this platform."""
    account = await session.get(ConnectedAccount, (workspace_id, account_id), populate_existing=True)
    return account if account is not None and account.platform == platform else None


async def has_account(session: AsyncSession, workspace_id: str, account_id: str) -> bool:
    """Return whether a workspace has an account of this id, which no two of its platforms share."""
    return await session.get(ConnectedAccount, (workspace_id, account_id)) is not None


async def refusals_of_apps(
    session: AsyncSession, accounts: Collection[Account | ConnectedAccount]
) -> dict[AppKey, str]:
    """Return the messages with which the platforms refuse the apps of these accounts; working apps are left out."""
    apps = {(account.platform, account.app_id) for account in accounts}
    if not apps:
        return {}
    query = select(AppRefusal).where(tuple_(AppRefusal.platform, AppRefusal.app_id).in_(apps))
    return {(app.platform, app.app_id): app.message for app in await session.scalars(query)}

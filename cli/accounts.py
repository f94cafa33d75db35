"""Connect, list and remove the accounts of a workspace."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from cli.connecting import connect_account, network_named
from cli.errors import UserError
from cli.keys import workspace_id_of
from cli.place import Place, place_of
from cli.sandbox import SandboxAccount, introduce, stable_user_id
from platforms.base import Network
from store.accounts import list_accounts, remove_account
from store.database import Database
from store.models import Account
from store.vault import Vault


def parsed_object(text: str) -> dict[str, Any]:
    """Parse the one JSON object that holds credentials. Raises UserError, which repeats nothing of the text."""
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise UserError('Give the credentials as one JSON object on stdin, such as {"accessToken": "…"}.')
    return given


async def add(platform: str, workspace: str | None, text: str, data_dir: Path | None) -> dict[str, Any]:
    """Connect the account whose credentials `text` holds as JSON; returns what may be shown of it. Raises UserError.

    On a development stack the account is first made known to its sandbox, so that any token does.
    """
    network, given, place = network_named(platform), parsed_object(text), place_of(data_dir)
    if place.sandbox_url is not None:
        given = await _introduced(place.sandbox_url, network, given)
    async with _workspace(place, workspace) as (session, workspace_id):
        vault = Vault(place.settings.encryption_keys)
        return shown(await connect_account(session, vault, place.settings, workspace_id, network, given))


async def listed(workspace: str | None, data_dir: Path | None) -> list[dict[str, Any]]:
    """Return what may be shown of the workspace's accounts. Raises UserError."""
    async with _workspace(place_of(data_dir), workspace) as (session, workspace_id):
        return [shown(account) for account in await list_accounts(session, workspace_id)]


async def remove(account_id: str, workspace: str | None, data_dir: Path | None) -> None:
    """Forget an account and its credentials. Raises UserError where there is none."""
    async with _workspace(place_of(data_dir), workspace) as (session, workspace_id):
        if not await remove_account(session, workspace_id, account_id):
            raise UserError(f"The workspace has no account {account_id}.")


def shown(account: Account) -> dict[str, Any]:
    """Return what may be shown of an account."""
    return {"platform": account.platform, "accountId": account.id, "username": account.username}


@asynccontextmanager
async def _workspace(place: Place, workspace: str | None) -> AsyncIterator[tuple[AsyncSession, str]]:
    database = Database(place.settings.database_url.get_secret_value())
    try:
        async with database.transaction() as session:
            yield session, await workspace_id_of(session, workspace or place.workspace_id)
    finally:
        await database.close()


async def _introduced(sandbox_url: str, network: Network[Any, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Make the account known to the sandbox; returns the credentials without what describes the account."""
    token = given.get("accessToken")
    if not isinstance(token, str) or not token:
        return given
    described = dict(given)
    user_id = str(given.get("userId") or stable_user_id(token))
    account = SandboxAccount(
        platform=network.platform,
        account_id=network.account_id(user_id),
        user_id=user_id,
        username=str(described.pop("username", f"user{user_id[-6:]}")),
        access_token=token,
        refresh_token=given.get("refreshToken"),
        premium=described.pop("premium", False) is True,
    )
    await introduce(sandbox_url, [account])
    return described

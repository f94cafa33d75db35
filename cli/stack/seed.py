"""The first content of a stack: a workspace, an API key, and accounts on every platform of the sandbox."""

from collections.abc import Iterable, Iterator

from sqlalchemy.ext.asyncio import AsyncSession

from cli.data_dir import DevAccount, StackState
from cli.errors import UserError
from cli.own_credentials import connect_account, parse_credentials
from cli.sandbox import (
    SandboxAccount,
    fake_credentials,
    introduce,
    own_server,
    read_platforms,
    stable_user_id,
)
from platforms.base import AnyPlatform
from platforms.registry import platforms
from platforms.servers.reach import Servers
from runtime.parts import servers
from runtime.settings import VaultSettings
from store.accounts.connected import list_accounts, open_credentials
from store.database import Database
from store.models import Account
from store.secrets.vault import Vault, VaultError
from store.workspaces.keys import create_key, create_workspace, find_workspace, workspace_of_key

WORKSPACE = "default"
_SECOND_ACCOUNT = "twitter"
"""The platform on which paid accounts have other rules: its first account has X Premium, its second does not."""


async def seed(settings: VaultSettings, sandbox_url: str, state: StackState) -> list[DevAccount]:
    """Create what is missing and register the accounts with the sandbox; return them, oldest first.

    An account that is reached elsewhere is not registered: the sandbox would claim to know all of its posts.

    Writes the workspace and its key into `state`. Raises UserError if the sandbox does not answer.
    """
    vault = Vault(settings.encryption_keys)
    database = Database(settings.database_url.get_secret_value(), pool_size=1)
    try:
        async with database.transaction() as session:
            workspace_id = await _workspace_and_key(session, state)
            known = await list_accounts(session, workspace_id)
        await introduce(sandbox_url, _sandbox_accounts(servers(settings), vault, known))
        present = {account.platform for account in known}
        offered = await read_platforms(sandbox_url)
        for platform, name, premium in _seeded_accounts():
            if platform.name in offered and platform.name not in present:
                await _connect(database, settings, sandbox_url, workspace_id, platform, name, premium=premium)
        async with database.transaction() as session:
            accounts = await list_accounts(session, workspace_id)
    finally:
        await database.close()
    return [
        DevAccount(platform=account.platform, account_id=account.id, premium=account.premium) for account in accounts
    ]


def _seeded_accounts() -> Iterator[tuple[AnyPlatform, str, bool]]:
    for platform in platforms().values():
        two = platform.name == _SECOND_ACCOUNT
        yield platform, "socialsyncer", two
        if two:
            yield platform, "socialsyncer_free", False


async def _workspace_and_key(session: AsyncSession, state: StackState) -> str:
    """Return the workspace's id; the key stays the same as long as the database knows it."""
    if state.api_key is not None:
        workspace_id = await workspace_of_key(session, state.api_key)
        if workspace_id is not None:
            state.workspace_id = workspace_id
            return workspace_id
    workspace_id = await find_workspace(session, WORKSPACE) or await create_workspace(session, WORKSPACE)
    state.workspace_id = workspace_id
    state.api_key = (await create_key(session, workspace_id, "socialsyncer dev")).key
    return workspace_id


async def _connect(
    database: Database,
    settings: VaultSettings,
    sandbox_url: str,
    workspace_id: str,
    platform: AnyPlatform,
    username: str,
    *,
    premium: bool,
) -> None:
    # The workspace's id makes the accounts of two stacks at one sandbox differ.
    user_id = stable_user_id(f"{workspace_id}/{platform.name}/{username}")
    values = fake_credentials(platform, user_id)
    credentials = parse_credentials(platform, values)
    if not servers(settings).is_played(platform, credentials):
        # The operator has set another base URL, where invented credentials do not work.
        return
    account = SandboxAccount(
        platform=platform.name,
        account_id=platform.account_id(user_id),
        user_id=user_id,
        username=username,
        access_token=values["accessToken"],
        refresh_token=values.get("refreshToken"),
        premium=premium,
    )
    await introduce(sandbox_url, [account])
    await connect_account(database, settings, workspace_id, platform, credentials)


def _sandbox_accounts(reached: Servers, vault: Vault, accounts: Iterable[Account]) -> Iterator[SandboxAccount]:
    """Yield the accounts that the sandbox plays, as they are registered with it."""
    for account in accounts:
        try:
            opened = open_credentials(vault, account)
        except VaultError as error:
            message = "encryption.key in the data directory is not the one its accounts were stored with."
            raise UserError(message) from error
        platform = platforms()[account.platform]
        credentials = platform.credentials.model_validate(opened)
        if reached.is_played(platform, credentials):
            yield SandboxAccount(
                platform=account.platform,
                account_id=account.id,
                user_id=account.user_id,
                username=account.username,
                access_token=opened["access_token"],
                refresh_token=opened.get("refresh_token"),
                premium=account.premium,
                server=own_server(platform, credentials),
            )

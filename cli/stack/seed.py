"""The first content of a stack: a workspace, an API key, and accounts on every platform of the sandbox."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy.ext.asyncio import AsyncSession

from cli.data_dir import DevAccount, StackState
from cli.errors import UserError
from cli.own_credentials import connect_account, parse_credentials
from cli.sandbox import SandboxAccount, fake_credentials, introduce, own_server, read_platforms, stable_user_id
from cli.stack.report import print_line
from domain.printable import error_words
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
_NAMES = {"twitter": {"socialsyncer": True, "socialsyncer_free": False}}
"""The names of accounts, and whether they are paid, on platforms with more than one free account."""


async def seed(settings: VaultSettings, sandbox_url: str, state: StackState) -> list[DevAccount]:
    """Create what is missing and register the accounts with the sandbox; return them, oldest first.

    An account that is reached elsewhere is not registered: the sandbox would claim to know all of its posts. A platform
    that has no fake, or does not accept invented credentials, is named on the terminal and gets no account.

    Writes the workspace and its key into `state`. Raises UserError if the sandbox does not answer.
    """
    vault = Vault(settings.encryption_keys)
    database = Database(settings.database_url.get_secret_value(), pool_size=1)
    try:
        async with database.transaction() as session:
            workspace_id = await _workspace_and_key(session, state)
            known = await list_accounts(session, workspace_id)
        offered, failed = await read_platforms(sandbox_url)
        playable = [account for account in known if account.platform in offered]
        await introduce(sandbox_url, _sandbox_accounts(servers(settings), vault, playable))
        present = {account.platform for account in known}
        for platform in platforms().values():
            with _left_out(platform):
                if platform.name not in offered:
                    raise UserError(f"its fake does not start: {failed.get(platform.name, 'there is none')}")
                for name, premium in _NAMES.get(platform.name, {"socialsyncer": False}).items():
                    if platform.name not in present:
                        await _connect(database, settings, sandbox_url, workspace_id, platform, name, premium=premium)
        async with database.transaction() as session:
            accounts = await list_accounts(session, workspace_id)
    finally:
        await database.close()
    return [DevAccount(platform=one.platform, account_id=one.id, premium=one.premium) for one in accounts]


@contextmanager
def _left_out(platform: AnyPlatform) -> Iterator[None]:
    """Print a failure with the platform's name, and continue: the other platforms work."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 (the module of a new platform may raise anything)
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        reason = f"{kind}{error_words(error)}".rstrip(".")
        print_line(f"{platform.label} is left out: {reason} (see docs/add-a-platform.md).")


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
        with _left_out(platform):
            credentials = parse_credentials(platform, opened)
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

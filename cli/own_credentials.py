"""Functions that connect accounts: they ask the platform for the credentials' account, then store them encrypted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.connecting.saving import save_verified
from accounts.credentials.app_secrets import with_app_secret, with_stored_secret
from accounts.revoking import Revoking
from api.http.body_validation import as_problem, known_names
from cli.current_operator import current_operator
from cli.errors import UserError
from platforms.access.renewal import Lifetimes, Renewed
from platforms.base import AccountFacts, AnyPlatform, Connection, Identity
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import Wire
from platforms.registry import platforms
from platforms.servers.outgoing import Outgoing
from platforms.servers.reach import FORBIDDEN
from runtime.parts import servers
from runtime.settings import VaultSettings
from store.database import Database
from store.models import Account
from store.secrets.secret_values import SECRETS
from store.secrets.vault import Vault

_CONNECTION_ENDED = "no longer accepts this"
"""Part of the platforms' messages if they know no reason; it is wrong for an account that was never connected."""


def platform_named(name: str) -> AnyPlatform:
    """Return a platform by its name. Raises UserError."""
    platform = platforms().get(name)
    if platform is None:
        raise UserError(f"There is no platform {name!r}: choose one of {', '.join(platforms())}.")
    return platform


def parse_credentials(platform: AnyPlatform, values: Mapping[str, Any]) -> BaseModel:
    """Return the credentials as the platform's own model. Raises UserError, which names wrong fields but no values."""
    SECRETS.remember_fields(values)
    try:
        credentials: BaseModel = platform.credentials.model_validate(dict(values))
    except ValidationError as error:
        faults = [
            as_problem(fault, known_names(platform.credentials, fault["loc"])).error.strip()
            for fault in error.errors(include_input=False, include_url=False)
        ]
        text = "; ".join(faults)
        end = "" if text.endswith("?") else "."
        raise UserError(f"{platform.label} does not take these credentials: {text}{end}") from None
    return credentials


@dataclass(frozen=True, slots=True)
class Verified:
    """Credentials that a platform accepts, renewed if necessary, and their account."""

    platform: AnyPlatform
    identity: Identity
    credentials: BaseModel
    lifetimes: Lifetimes | None = None
    """The platform's answer about the tokens if they were renewed."""


async def connect_account(
    database: Database, settings: VaultSettings, workspace_id: str, platform: AnyPlatform, credentials: BaseModel
) -> Account:
    """Verify the credentials with the platform and connect their account. Raises UserError."""
    verified = await verify(platform, credentials, settings, workspace_id)
    async with database.transaction() as session:
        return await keep_account(session, settings, workspace_id, verified)


async def keep_account(
    session: AsyncSession, settings: VaultSettings, workspace_id: str, verified: Verified
) -> Account:
    """Connect the account of verified credentials, or reconnect it."""
    vault = Vault(settings.encryption_keys)
    platform, identity = verified.platform, verified.identity
    account, _ = await save_verified(
        session,
        vault,
        workspace_id,
        platform,
        identity,
        verified.credentials,
        verified.lifetimes,
        current_operator(),
        revoking=Revoking(vault, settings.registered_apps) if settings.renewals else None,
    )
    return account


async def verify(platform: AnyPlatform, credentials: BaseModel, settings: VaultSettings, workspace_id: str) -> Verified:
    """Ask the platform for the account of credentials, which is for a workspace. Raises UserError."""
    reached = servers(settings)
    server, outgoing = reached.reach(platform, credentials), Outgoing(reached)
    apps = settings.registered_apps
    if apps.is_of_others(platform, platform.app_id(credentials), workspace_id):
        raise UserError(
            "clientId names an app of SOCIALSYNCER_APPS that is for other workspaces. Name another, or add this "
            "workspace to the app's `workspaces`."
        )
    current, lifetimes = credentials, None

    async def refresh() -> BaseModel:
        renewed: Renewed[BaseModel] = await platform.renew(connection)  # type: ignore[attr-defined]
        return await keep(lambda _: with_stored_secret(renewed.credentials, credentials), renewed.lifetimes)

    async def keep(change: Callable[[BaseModel], BaseModel], reported: Lifetimes | None = None) -> BaseModel:
        nonlocal current, lifetimes
        current, lifetimes = change(current), reported or lifetimes
        connection.credentials = with_app_secret(apps, platform, current, workspace_id)
        return connection.credentials

    async with outgoing.to_named_servers() if server.named else outgoing.to_platform(platform) as transport:
        connection = Connection(
            wire=Wire(
                transport,
                server.url,
                platform.label,
                platform.read_error,
                request_id_header=platform.request_id_header,
                domains=platform.own_domains,
                elsewhere=server.elsewhere,
            ),
            account=AccountFacts(account_id="", user_id="", username=""),
            credentials=with_app_secret(apps, platform, credentials, workspace_id),
            refresh=refresh,
            keep=keep,
            is_trusted=server.is_trusted,
        )
        try:
            return Verified(platform, await platform.whoami(connection), current, lifetimes)
        except PlatformError as error:
            raise UserError(_explanation(platform, error)) from error


def _explanation(platform: AnyPlatform, error: PlatformError) -> str:
    if error.code == FORBIDDEN:
        return error.message
    if error.kind is not ErrorKind.AUTH:
        return f"The account is not connected: {error.message}"
    if _CONNECTION_ENDED in error.message:
        return f"{platform.label} does not accept these credentials. Check them and try again."
    return f"{platform.label} does not accept these credentials: {error.message}"

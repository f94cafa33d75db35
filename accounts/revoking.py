"""Ending of authorizations that no account needs any more, at the platforms that gave them.

Such an authorization is a row until its platform has ended it. The row is written together with what stops using it: a
removal, a reconnection, a refusal. So it is neither ended too early nor forgotten if a process dies.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.credentials.app_secrets import plain, with_app_secret
from accounts.credentials.connections import AccountConnections
from accounts.facts import pause_after
from domain.audit import NEEDED, WORKER, AccountAction, RevocationCause
from platforms.access.connector import AccountAliases, connectors
from platforms.access.consent import Ends, OAuthConnector, oauth_connector
from platforms.access.registered_apps import App, RegisteredApps
from platforms.errors import PlatformError
from platforms.registry import platforms
from store.accounts.connected import open_credentials
from store.accounts.revocations import (
    Authorization,
    add_revocation,
    delete_revocation,
    is_access_shared,
    open_revocation,
    postpone_revocation,
)
from store.audit import add_account_event
from store.database import Database
from store.failures import persist
from store.models import Account, PendingRevocation
from store.rows import find_row
from store.secrets.vault import Vault, VaultError

log = structlog.get_logger(__name__)

_ANSWER_S = 15.0
"""The time limit for a platform's response."""


def account_authorization(account: Account, credentials: Any) -> Authorization:
    """Return the authorization that an account uses, or used until now."""
    return Authorization(
        account.workspace_id,
        account.platform,
        account.id,
        plain(credentials),
        [account.user_id],
        account.app_id,
        account.grant_subject,
    )


@dataclass(frozen=True, slots=True)
class Revoking:
    """The decision whether an authorization can be ended."""

    vault: Vault
    apps: RegisteredApps

    async def later(
        self,
        session: AsyncSession,
        authorization: Authorization,
        cause: RevocationCause,
        *,
        claimed: bool = False,
    ) -> PendingRevocation | None:
        """Let an authorization be ended once the transaction is committed. None if it stays at the platform.

        It stays if the platform cannot end it, or if a connected account might lose its access. If it is `claimed`, the
        caller tries first.
        """
        connector = connectors().get(authorization.platform)
        if not isinstance(connector, OAuthConnector):
            return None
        stored = connector.platform.credentials.model_validate(dict(authorization.credentials))
        if not connector.can_revoke(with_app_secret(self.apps, connector.platform, stored, authorization.workspace_id)):
            return None
        if await _is_needed(session, self.vault, connector, authorization, stored):
            return None
        row = await add_revocation(session, self.vault, authorization, cause, claimed=claimed)
        if row is None and authorization.account_id is not None:
            _add_line(session, authorization, AccountAction.NOT_REVOKED, cause)
        return row


def revoking_for(accounts: AccountConnections) -> Revoking | None:
    """Return what decides about revocations; None if this service changes nothing at the platforms' authorizations.

    On a copy of a database, the accounts' tokens are also those of the original.
    """
    return Revoking(accounts.vault, accounts.registered_apps) if accounts.renews else None


async def try_revocation(database: Database, accounts: AccountConnections, row: PendingRevocation) -> None:
    """Ask the platform to end an authorization, unless an account needs it by now; on failure this is repeated later.

    How it ends, also by giving up, becomes a line in the account's history.
    """
    details: Mapping[str, Any]
    about = {"platform": row.platform, "account_id": row.account_id, "revocation_id": row.id, "cause": row.cause}
    connector = oauth_connector(row.platform)
    try:
        stored = connector.platform.credentials.model_validate(open_revocation(accounts.vault, row))
        async with database.reading() as session:
            needed = await _is_needed(session, accounts.vault, connector, row, stored)
        if not needed:
            async with asyncio.timeout(_ANSWER_S):
                await _revoke(accounts, row.workspace_id, connector, stored)
    except (PlatformError, TimeoutError, VaultError) as error:
        code = error.code if isinstance(error, PlatformError) else type(error).__name__
        log.info("authorization.not_revoked", code=code, attempts=row.attempts, **about)
        if datetime.now(UTC) < row.given_up_after:
            async with database.answers.transaction() as session:
                await postpone_revocation(session, row.id, pause_after(row.attempts))
            return
        action, details = AccountAction.NOT_REVOKED, {}
    else:
        action, details = (AccountAction.NOT_REVOKED, NEEDED) if needed else (AccountAction.REVOKED, {})
        log.info("authorization.kept" if needed else "authorization.revoked", **about)

    async def end() -> None:
        async with database.answers.transaction() as session:
            if await delete_revocation(session, row.id) and row.account_id is not None:
                _add_line(session, row, action, RevocationCause(row.cause), revocation_id=row.id, **details)

    await persist(end)


async def _revoke(accounts: AccountConnections, workspace_id: str, connector: OAuthConnector[Any], stored: Any) -> None:
    platform = connector.platform
    credentials = with_app_secret(accounts.registered_apps, platform, stored, workspace_id)
    wire = accounts.wire_for(platform, credentials, workspace_id, connector.read_error)
    client_id, secret = platform.app_id(credentials), getattr(credentials, "client_secret", None)
    registered = accounts.registered_apps.by_client(platform, client_id, workspace_id)
    await connector.revoke(wire, App(client_id, secret, registered.options if registered else {}), credentials)


async def _is_needed(
    session: AsyncSession,
    vault: Vault,
    connector: OAuthConnector[Any],
    authorization: Authorization | PendingRevocation,
    credentials: Any,
) -> bool:
    """Return whether a connected account of any workspace would, or might, lose its access with an authorization."""
    aliases = tuple(connector.aliases(credentials)) if isinstance(connector, AccountAliases) else ()
    if connector.ends is Ends.AUTHORIZATION:
        users = aliases
        if await _has_same_tokens(session, vault, connector, authorization, credentials):
            return True
    else:
        users = (*authorization.user_ids, *aliases)
    if connector.ends is Ends.ACCOUNT and not users:
        return True
    family = connector.platform.app.family or authorization.platform
    of_app = [name for name, platform in platforms().items() if (platform.app.family or name) == family]
    return await is_access_shared(
        session,
        authorization,
        users=users,
        family=of_app if connector.ends is Ends.PERSON else (),
        besides_own=connector.ends is Ends.AUTHORIZATION,
    )


async def _has_same_tokens(
    session: AsyncSession,
    vault: Vault,
    connector: OAuthConnector[Any],
    authorization: Authorization | PendingRevocation,
    credentials: Any,
) -> bool:
    """Return whether the account is connected by this very authorization. Raises VaultError."""
    if authorization.account_id is None:
        return False
    account = await find_row(session, Account, *(authorization.workspace_id, authorization.account_id))
    if account is None or account.platform != authorization.platform:
        return False
    current = connector.platform.credentials.model_validate(open_credentials(vault, account))
    return not connector.revocable_tokens(current).isdisjoint(connector.revocable_tokens(credentials))


def _add_line(
    session: AsyncSession,
    authorization: Authorization | PendingRevocation,
    action: AccountAction,
    cause: RevocationCause,
    **details: Any,
) -> None:
    add_account_event(
        session,
        workspace_id=authorization.workspace_id,
        platform=authorization.platform,
        account_id=authorization.account_id or "",
        action=action,
        actor=WORKER,
        details={"cause": cause.value, **details},
    )

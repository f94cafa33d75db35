"""Worker steps on connected accounts on demand: check an account with its platform, and remove an account.

The API cannot read tokens, so a worker does both. The results are in rows; Temporal carries ids only.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from activities.commands import AccountCommand
from activities.credentials.token_times import platform_can_renew, rules_of
from activities.persist import persist
from activities.step_context import StepContextFactory
from domain.account_events import AccountAction
from domain.audit import WORKER, api_key
from domain.schedule import rfc3339
from platforms.access.connect import Connector, connectors
from platforms.access.inspection import Inspection
from platforms.access.registered_apps import App
from platforms.errors import ErrorKind, PlatformError
from platforms.registry import platforms
from store.accounts.checks import claim_check, note_check
from store.accounts.connected import accept_account, refuse_account
from store.accounts.removal import delete_account_row, is_access_shared
from store.audit.account_events import add_account_event
from store.models import Account
from store.secrets.vault import VaultError

log = structlog.get_logger(__name__)

_ANSWER_S = 15.0
"""The time limit for a platform's response, because the client waits for it."""


class AccountSteps:
    """The activities that check and remove accounts."""

    def __init__(self, factory: StepContextFactory) -> None:
        self._factory = factory
        self._database = factory.database

    @activity.defn
    async def check_account(self, command: AccountCommand) -> None:
        """Ask the platform about an account, unless it was asked a moment ago, and save the result."""
        key, connector = (command.workspace_id, command.account_id), connectors().get(command.platform)
        every = connector.checked_every if connector else Connector.checked_every
        async with self._database.transaction() as session:
            account = await claim_check(session, key, every)
        if account is None:
            return
        try:
            async with asyncio.timeout(_ANSWER_S):
                found = await self._inspect(account, connector)
        except PlatformError as error:
            await self._not_accepted(account, error)
        except TimeoutError:
            label = platforms()[account.platform].label
            await self._not_accepted(
                account, PlatformError(ErrorKind.TRANSIENT, f"{label} did not answer.", code="timed_out")
            )
        except VaultError:
            log.warning("account.unreadable", account_id=account.id, platform=account.platform)
        else:
            await self._accepted(account, found)

    @activity.defn
    async def remove_account(self, command: AccountCommand) -> None:
        """Delete an account and its tokens, then revoke the tokens if no other account needs that access.

        Does nothing unless a client has just requested that: the row says so, and not the command, because everybody
        who reaches Temporal can write a command.
        """
        about: dict[str, Any] = {
            "workspace_id": command.workspace_id,
            "platform": command.platform,
            "account_id": command.account_id,
        }
        async with self._database.transaction() as session:
            account = await delete_account_row(session, **about)
            if account is None:
                return
            connector, credentials = connectors().get(account.platform), self._credentials_of(account)
            gives_back = (
                bool(account.removal_revokes)
                and self._factory.accounts.renews
                and await self._may_revoke(session, account, credentials)
            )
            details = {"username": account.username, "revokes": gives_back}
            if connector is not None:
                remains = connector.remains(credentials) if credentials is not None and gives_back else None
                details |= {"to_remove": connector.to_remove(credentials), **({"remains": remains} if remains else {})}
            actor = api_key(account.removal_requested_by) if account.removal_requested_by else WORKER
            add_account_event(session, action=AccountAction.REMOVED, actor=actor, details=details, **about)
        log.info("account.removed", platform=account.platform, account_id=account.id, gives_back=gives_back)
        if not gives_back:
            return
        ended = await self._revoke(account, credentials)

        async def write() -> None:
            action = AccountAction.REVOKED if ended else AccountAction.NOT_REVOKED
            async with self._database.answers.transaction() as session:
                add_account_event(session, action=action, actor=WORKER, **about)

        await persist(write)

    async def _inspect(self, account: Account, connector: Connector[Any] | None) -> Inspection:
        if connector is None:
            await self._factory.accounts.whoami(account)
            return Inspection()
        return await connector.inspect(self._factory.accounts.connect(account))

    async def _accepted(self, account: Account, found: Inspection) -> None:
        platform = platforms()[account.platform]
        renewed = rules_of(platform) is not None and platform_can_renew(
            platform, self._factory.accounts.credentials_of(account)
        )

        async def write() -> None:
            async with self._database.answers.transaction() as session:
                await accept_account(session, account)
                await note_check(
                    session,
                    (account.workspace_id, account.id),
                    account.credentials,
                    inspection={"missing": list(found.missing), "notes": list(found.notes)},
                    scopes=found.scopes,
                    expires_at=found.expires_at,
                    ends=not renewed,
                )

        await persist(write)

    async def _not_accepted(self, account: Account, error: PlatformError) -> None:
        refused = error.kind is ErrorKind.AUTH
        said = (
            f"At {rfc3339(datetime.now(UTC))} {platforms()[account.platform].label} could not be asked: {error.message}"
        )

        async def write() -> None:
            async with self._database.answers.transaction() as session:
                if refused:
                    await refuse_account(session, account, account.credentials, error.message, error.code)
                await note_check(
                    session,
                    (account.workspace_id, account.id),
                    account.credentials,
                    inspection={} if refused else {"unanswered": said},
                )

        await persist(write)
        log.info("account.check_failed", account_id=account.id, platform=account.platform, code=error.code)

    def _credentials_of(self, account: Account) -> Any:
        """Return an account's credentials; None if they cannot be read."""
        try:
            return self._factory.accounts.credentials_of(account)
        except VaultError:
            log.warning("account.unreadable", account_id=account.id, platform=account.platform)
            return None

    async def _may_revoke(self, session: AsyncSession, account: Account, credentials: Any) -> bool:
        """Return whether the access of a deleted account can be ended without a loss for any other account."""
        connector = connectors().get(account.platform)
        if connector is None or credentials is None or not connector.can_revoke(credentials):
            return False
        family = connector.platform.app_family or account.platform
        platforms_of_app = [
            platform for platform, each in platforms().items() if (each.app_family or platform) == family
        ]
        shared = platforms_of_app if connector.ends_all_of_person else []
        users = () if connector.ends_own_only else (account.user_id, *connector.user_ids(credentials))
        return not await is_access_shared(session, account, users=users, family=shared)

    async def _revoke(self, account: Account, credentials: Any) -> bool:
        platform, connector = platforms()[account.platform], connectors()[account.platform]
        try:
            wire = self._factory.accounts.wire_for(platform, credentials, account.workspace_id, connector.error_of)
            client_id, secret = platform.app_id(credentials), getattr(credentials, "client_secret", None)
            registered = self._factory.accounts.registered_apps.by_client(platform, client_id, account.workspace_id)
            app = App(client_id, secret, registered.options if registered else {})
            async with asyncio.timeout(_ANSWER_S):
                await connector.revoke(wire, app, credentials)
        except (PlatformError, TimeoutError) as error:
            code = error.code if isinstance(error, PlatformError) else type(error).__name__
            log.info("account.not_revoked", account_id=account.id, platform=account.platform, code=code)
            return False
        return True

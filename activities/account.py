"""Steps for which a client waits: connect, check or remove an account, list the values of a setting.

The API cannot read tokens, so a worker does them. The results are in rows; Temporal carries ids only.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any

import structlog
from temporalio import activity

from accounts.connecting.context import ConnectContext, ConnectRefused, refusal_for, unanswered
from accounts.connecting.grants import revoke_obtained
from accounts.connecting.steps import begin, finish, push, select
from accounts.credentials.connections import AccountConnections
from accounts.facts import platform_can_renew, token_rules
from accounts.revoking import account_authorization, revoking_for, try_revocation
from activities.commands import AccountCommand, ChoicesCommand, ConnectCommand
from domain.audit import WORKER, AccountAction, RevocationCause, api_key
from domain.schedule import rfc3339
from platforms.access.connector import Connector, Inspection, connectors
from platforms.capabilities import ListsChoices
from platforms.errors import ErrorKind, PlatformError
from platforms.registry import platforms
from store.accounts.connected import (
    accept_account,
    claim_check,
    delete_account_row,
    note_check,
    open_credentials,
    refuse_account,
)
from store.accounts.pending_connections import note_choices
from store.accounts.revocations import claim_revocations_of_account
from store.audit import add_account_event, has_given_up_revocations
from store.database import Database
from store.failures import persist
from store.models import Account, ChoiceList, PendingConnection
from store.rows import current_row, find_row
from store.secrets.handover import HandoverError
from store.secrets.vault import VaultError

log = structlog.get_logger(__name__)

_ANSWER_S = 15.0
"""The time limit for a platform's responses, because the client waits for them."""


class Choosing:
    """The activity that lists the values of settings."""

    def __init__(self, database: Database, accounts: AccountConnections) -> None:
        self._database = database
        self._accounts = accounts

    @activity.defn
    async def list_choices(self, command: ChoicesCommand) -> None:
        """Save the values that a request asks for, or the error of the platform."""
        async with self._database.reading() as session:
            choice_list = await current_row(session, ChoiceList, command.list_id)
            if choice_list is None:
                return
            account = await find_row(session, Account, choice_list.workspace_id, choice_list.account_id)
        if account is None:
            return
        try:
            async with asyncio.timeout(_ANSWER_S):
                result = await self._list(account, choice_list)
        except PlatformError as error:
            result = _error(error)
        except TimeoutError:
            label = platforms()[account.platform].label
            result = _error(PlatformError(ErrorKind.TRANSIENT, f"{label} did not answer.", code="timed_out"))
        except VaultError:
            log.warning("account.unreadable", account_id=account.id, platform=account.platform)
            return

        async def write() -> None:
            async with self._database.answers.transaction() as session:
                await note_choices(session, command.list_id, result)

        await persist(write)

    async def _list(self, account: Account, choice_list: ChoiceList) -> dict[str, Any]:
        platform = platforms()[account.platform]
        if not isinstance(platform, ListsChoices):
            raise TypeError(f"{platform.name} lists no choices")
        connection = self._accounts.connection(account)
        values = await platform.choices(connection, choice_list.setting, choice_list.within)
        return {"choices": [[choice.value, choice.label] for choice in values.items], "more": values.more}


def _error(error: PlatformError) -> dict[str, Any]:
    wait = None if error.retry_after is None else int(error.retry_after.total_seconds())
    return {"kind": error.kind.value, "error": error.message, "status": error.status, "retryAfter": wait}


_STEP_S = 21.0
"""The time limit of a step: it ends before its workflow does, so a repeated request does not meet a running step."""


class Connecting:
    """The worker's part of connecting accounts."""

    def __init__(self, database: Database, accounts: AccountConnections, most_accounts: int) -> None:
        self._database = database
        self._accounts = accounts
        self._most_accounts = most_accounts

    @activity.defn
    async def connect(self, command: ConnectCommand) -> None:
        """Take one step, and save its result. A repeated step continues from the saved state."""
        async with self._database.reading() as session:
            row = await current_row(session, PendingConnection, command.connection_id)
        if row is None:
            return
        context = ConnectContext(self._database, self._accounts, row, self._most_accounts)
        take, column = {
            "begin": (begin, "outcome"),
            "push": (push, "outcome"),
            "finish": (finish, "outcome"),
            "select": (select, "selection_result"),
        }[command.step]
        try:
            async with asyncio.timeout(_STEP_S):
                await take(context)
                return
        except ConnectRefused as error:
            refused = error
        except PlatformError as error:
            refused = refusal_for(context.platform, error, context.server_param)
        except TimeoutError:
            refused = unanswered(context.platform)
        except (VaultError, HandoverError):
            refused = ConnectRefused("connection_expired", "This connection can no longer be read. Start again.")
        outcome = refused.outcome
        log.info("connect.refused", platform=row.platform, code=outcome["error"]["code"], final=outcome["final"])
        if not outcome["final"] or not context.obtained:
            await context.write(**{column: outcome})
            return

        async def end() -> None:
            async with context.database.answers.transaction() as session:
                await revoke_obtained(session, context, **{column: outcome})

        await persist(end)


"""The time limit for a platform's response, because the client waits for it."""
_TRIED_AT_ONCE = 10
"""Authorizations of a removed account that are ended while the client waits; the worker ends the others later."""


class AccountSteps:
    """The activities that check and remove accounts."""

    def __init__(self, database: Database, accounts: AccountConnections) -> None:
        self._database = database
        self._accounts = accounts

    @activity.defn
    async def check_account(self, command: AccountCommand) -> None:
        """Ask the platform about an account, unless it was asked a moment ago, and save the result."""
        key, connector = (command.workspace_id, command.account_id), connectors().get(command.platform)
        every = connector.check_interval if connector else Connector.check_interval
        async with self._database.transaction() as session:
            account = await claim_check(session, key, every)
        if account is None:
            return
        try:
            async with asyncio.timeout(_ANSWER_S):
                inspection = await self._inspect(account, connector)
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
            await self._accepted(account, inspection)

    @activity.defn
    async def remove_account(self, command: AccountCommand) -> None:
        """Delete an account and its tokens, then end its authorizations if no other account needs that access.

        If the platform does not end one now, the worker tries it again later. Does nothing unless a client has just
        requested that: the row says so, not the command, because everybody who reaches Temporal can write one.
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
            connector, credentials = connectors().get(account.platform), self._stored_credentials(account)
            revoking = revoking_for(self._accounts) if account.removal_revokes else None
            # Earlier authorizations of the account, which its platform has not ended yet.
            revocations = [] if revoking is None else await claim_revocations_of_account(session, **about)
            own = None
            if revoking is not None and credentials is not None:
                authorization = account_authorization(account, credentials)
                own = await revoking.later(session, authorization, RevocationCause.REMOVED, claimed=True)
            details: dict[str, Any] = {"username": account.username}
            if own is not None:
                revocations.append(own)
                details["revocations"] = [row.id for row in revocations]
                details["some_remain"] = await has_given_up_revocations(session, **about)
            if connector is not None:
                advice = connector.removal_advice(credentials)
                details["to_remove"] = advice.to_remove
                if own is not None and advice.remains is not None:
                    details["remains"] = advice.remains
            actor = api_key(account.removal_requested_by) if account.removal_requested_by else WORKER
            add_account_event(session, action=AccountAction.REMOVED, actor=actor, details=details, **about)
        log.info("account.removed", platform=account.platform, account_id=account.id, revocations=len(revocations))
        await asyncio.gather(
            *(try_revocation(self._database, self._accounts, row) for row in revocations[-_TRIED_AT_ONCE:])
        )

    async def _inspect(self, account: Account, connector: Connector[Any] | None) -> Inspection:
        if connector is None:
            await self._accounts.whoami(account)
            return Inspection()
        return await connector.inspect(self._accounts.connection(account))

    async def _accepted(self, account: Account, result: Inspection) -> None:
        platform = platforms()[account.platform]
        renewed = token_rules(platform) is not None and platform_can_renew(
            platform, self._accounts.request_credentials(account)
        )

        async def write() -> None:
            async with self._database.answers.transaction() as session:
                await accept_account(session, account)
                await note_check(
                    session,
                    (account.workspace_id, account.id),
                    account.credentials,
                    inspection={"missing": list(result.missing), "notes": list(result.notes)},
                    scopes=result.scopes,
                    expires_at=result.expires_at,
                    ends=not renewed,
                )

        await persist(write)

    async def _not_accepted(self, account: Account, error: PlatformError) -> None:
        refused = error.kind is ErrorKind.AUTH
        sentence = (
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
                    inspection={} if refused else {"unanswered": sentence},
                )

        await persist(write)
        log.info("account.check_failed", account_id=account.id, platform=account.platform, code=error.code)

    def _stored_credentials(self, account: Account) -> Any:
        """Return an account's credentials without the secret of the operator's app; None if they cannot be read."""
        try:
            stored = open_credentials(self._accounts.vault, account)
        except VaultError:
            log.warning("account.unreadable", account_id=account.id, platform=account.platform)
            return None
        return platforms()[account.platform].credentials.model_validate(stored)

"""Renewal of tokens that are due although nothing uses them.

Instagram's and Threads' tokens can be renewed only before they expire, and other platforms' refresh tokens expire if
they are not used for weeks. Overdue tokens are renewed as well: the row has the due time, however long no worker ran.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog

from accounts.credentials.connections import AccountConnections
from accounts.token_times import may_rotate, token_rules
from platforms.errors import ErrorKind, PlatformError
from platforms.registry import platforms
from reconcile.rounds import BackgroundTask
from store.accounts.connected import refuse_account
from store.accounts.renewals import claim_due, never_renew
from store.database import Database
from store.failures import is_database_unavailable
from store.models import Account

log = structlog.get_logger(__name__)

_EVERY_S = 30.0
_BATCH = 50
_CONCURRENCY = 5
"""The number of accounts that one worker renews here at the same time: renewals that posts need have priority."""
_AGAIN_IN = timedelta(minutes=2)
"""The time after which another worker may renew an account whose renewal was begun and never ended."""


def renewal_task(database: Database, accounts: AccountConnections) -> BackgroundTask:
    """Return the task that renews every half minute."""

    async def renew_all() -> None:
        while await renew_due(database, accounts) == _BATCH:
            pass

    return BackgroundTask(renew_all, _EVERY_S, "renewals.postponed", looks_for="renewals")


async def renew_due(database: Database, accounts: AccountConnections) -> int:
    """Renew some of the accounts whose renewal is due; return how many were renewed."""
    rotating = [name for name, platform in platforms().items() if may_rotate(platform)]
    async with database.transaction() as session:
        due = await claim_due(session, rotating, _AGAIN_IN, _BATCH)
    room = asyncio.Semaphore(_CONCURRENCY)

    async def renew(account: Account) -> None:
        async with room:
            await _renew(database, accounts, account)

    await asyncio.gather(*map(renew, due))
    return len(due)


async def _renew(database: Database, accounts: AccountConnections, account: Account) -> None:
    key, used = (account.workspace_id, account.id), account.credentials
    try:
        if not await accounts.renew(account):
            async with database.answers.transaction() as session:
                await never_renew(session, key, used)
    except PlatformError as error:
        # The renewal itself has saved and logged it.
        if error.kind is ErrorKind.AUTH and _has_ended(account):
            async with database.answers.transaction() as session:
                await refuse_account(session, account, used, error.message, error.code)
    except Exception as error:
        if not is_database_unavailable(error):
            log.exception("account.not_renewed", account_id=account.id, platform=account.platform)


def _has_ended(account: Account) -> bool:
    """Return whether the access token has expired, so that posts need not try it."""
    rules = token_rules(platforms()[account.platform])
    itself = rules is not None and rules.renews_itself
    return itself or account.expires_at is None or account.expires_at <= datetime.now(UTC)

"""The work on accounts: recheck refused ones, renew tokens that nothing uses, end authorizations that none needs.

Instagram's and Threads' tokens can be renewed only before they expire, and other platforms' refresh tokens expire if
they are not used for weeks. Overdue tokens are renewed as well: the row has the due time, however long no worker ran.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from weakref import WeakValueDictionary

import structlog

from accounts.connecting.context import ConnectContext, ConnectRefused
from accounts.connecting.grants import note_sealed_grant, revoke_obtained
from accounts.credentials.connections import AccountConnections
from accounts.facts import may_rotate, token_rules
from accounts.revoking import try_revocation
from activities.apps import Apps
from platforms.errors import ErrorKind, PlatformError
from platforms.registry import platforms
from reconcile.rounds import BackgroundTask
from store.accounts.connected import TO_RECHECK, accept_account, claim_accounts_to_recheck, refuse_account
from store.accounts.pending_connections import ABANDONED, claim_abandoned
from store.accounts.renewals import TO_RENEW, claim_due, never_renew
from store.accounts.revocations import TO_REVOKE, claim_due_revocations
from store.apps import REFUSED, TO_PROBE, claim_probe_posts
from store.database import Database
from store.failures import is_database_unavailable
from store.maintenance.waiting import HELD_FOR_OTHERS, claim_released_posts
from store.models import Account, PendingRevocation
from store.posts.delivery import plan_with_accounts
from store.secrets.vault import VaultError
from workflows.client.post_workflows import PostWorkflows

log = structlog.get_logger(__name__)

_RENEWALS_EVERY_S = 30.0
_RENEWALS_BATCH = 50
_RENEWALS_AT_ONCE = 5
"""The number of accounts that one worker renews here at the same time: renewals that posts need have priority."""
_AGAIN_IN = timedelta(minutes=2)
"""The time after which another worker may renew an account whose renewal was begun and never ended."""


def renewal_task(database: Database, accounts: AccountConnections) -> BackgroundTask:
    """Return the task that renews every half minute."""

    async def renew_all() -> None:
        while await renew_due(database, accounts) == _RENEWALS_BATCH:
            pass

    return BackgroundTask(renew_all, _RENEWALS_EVERY_S, "renewals.postponed", due=(TO_RENEW,), is_shared=True)


async def renew_due(database: Database, accounts: AccountConnections) -> int:
    """Renew some of the accounts whose renewal is due; return how many were renewed."""
    rotating = [name for name, platform in platforms().items() if may_rotate(platform)]
    async with database.transaction() as session:
        due = await claim_due(session, rotating, _AGAIN_IN, _RENEWALS_BATCH)
    room = asyncio.Semaphore(_RENEWALS_AT_ONCE)

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


_REVOCATIONS_EVERY_S = 2.0
_REVOCATIONS_BATCH, _OF_WORKSPACE = 50, 5
"""The number of revocations that begin in one round, and of them those of one workspace."""
_REVOCATIONS_AT_ONCE = 2
"""The number of a workspace's revocations at the same time: its accounts may name servers that do not answer."""


def revocation_task(database: Database, accounts: AccountConnections) -> BackgroundTask:
    """Return the task that begins what is due every few seconds."""
    revocations = Revocations(database, accounts)
    return BackgroundTask(
        revocations.begin_due,
        _REVOCATIONS_EVERY_S,
        "revocations.postponed",
        close=revocations.close,
        due=(TO_REVOKE, ABANDONED),
        is_shared=True,
    )


class Revocations:
    """The running revocations of one worker. A slow server delays only the workspace that named it."""

    def __init__(self, database: Database, accounts: AccountConnections) -> None:
        self._database = database
        self._accounts = accounts
        self._running: dict[str, asyncio.Task[None]] = {}
        self._room: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def begin_due(self) -> None:
        """Begin the revocations that are due, also of pending connections that were never completed."""
        async with self._database.transaction() as session:
            for row in await claim_abandoned(session, datetime.now(UTC), _REVOCATIONS_BATCH):
                context = ConnectContext(self._database, self._accounts, row)
                _note_sealed(context)
                await revoke_obtained(session, context)
        async with self._database.transaction() as session:
            due = await claim_due_revocations(session, _REVOCATIONS_BATCH, _OF_WORKSPACE)
        for revocation in due:
            if revocation.id not in self._running:
                self._running[revocation.id] = asyncio.create_task(self._try(revocation))

    async def finished(self) -> None:
        """Wait until no revocation is running."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def close(self) -> None:
        """Cancel all; they are tried again later."""
        for task in self._running.values():
            task.cancel()
        await self.finished()

    async def _try(self, revocation: PendingRevocation) -> None:
        room = self._room.setdefault(revocation.workspace_id, asyncio.Semaphore(_REVOCATIONS_AT_ONCE))
        try:
            async with room:
                await try_revocation(self._database, self._accounts, revocation)
        except Exception as error:
            if is_database_unavailable(error):
                log.warning("revocations.postponed", reason=type(error).__name__)
            else:
                log.exception("authorization.not_tried", platform=revocation.platform, revocation_id=revocation.id)
        finally:
            del self._running[revocation.id]


def _note_sealed(context: ConnectContext) -> None:
    """Note what a pending connection obtained; nothing if it cannot be read, or its app is gone."""
    try:
        note_sealed_grant(context, context.open_secrets())
    except (VaultError, ConnectRefused, ValueError) as error:
        log.warning("connect.unreadable", connection_id=context.row.id, reason=type(error).__name__)


_EVERY_S = 2.0
_REFUSALS_EVERY_S = 10.0
"""How often a worker reads which apps others know to be refused. Until then it asks the platform, as the first did."""
_RELEASED_AGAIN_AFTER = timedelta(minutes=10)
"""The pause before a workflow is notified again that it may continue, if it has not."""
_BATCH = 200
_CONCURRENCY = 5
"""The number of accounts that one server is asked about at the same time."""
_ANSWER_S = 20.0
"""The time limit for a server's response about one account."""


def refusals_task(apps: Apps) -> BackgroundTask:
    """Return the task that brings a worker's refused apps up to date. Each worker runs it."""
    return BackgroundTask(apps.refresh, _REFUSALS_EVERY_S, "refusals.not_read", due=(REFUSED,))


def recheck_task(database: Database, accounts: AccountConnections, workflows: PostWorkflows) -> BackgroundTask:
    """Return the task that rechecks refused accounts and apps every few seconds, and releases held posts."""
    checks = AccountChecks(database, accounts)

    async def check() -> None:
        await checks.ask_due()
        await probe_apps(database, workflows)
        while await release_posts(database, workflows) == _BATCH:
            pass

    return BackgroundTask(
        check, _EVERY_S, "accounts.postponed", close=checks.close, due=(TO_RECHECK, TO_PROBE, HELD_FOR_OTHERS)
    )


class AccountChecks:
    """The running checks of refused accounts. A slow server delays only its own accounts."""

    def __init__(self, database: Database, accounts: AccountConnections) -> None:
        self._database = database
        self._accounts = accounts
        self._out: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._room: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def ask_due(self) -> None:
        """Begin to ask the platforms of refused accounts whether they accept them again."""
        async with self._database.transaction() as session:
            due = await claim_accounts_to_recheck(session)
        for account in due:
            self.ask(account)

    def ask(self, account: Account) -> None:
        """Ask an account's platform whether it accepts the account, unless a check is running already."""
        key = account.workspace_id, account.id
        if key not in self._out:
            task = self._out[key] = asyncio.create_task(self._ask(account))
            task.add_done_callback(lambda _: self._out.pop(key))

    async def answered(self) -> None:
        """Wait until no check is running."""
        while self._out:
            await asyncio.wait(self._out.values())

    async def close(self) -> None:
        """Cancel all checks; the accounts are checked again later."""
        for task in self._out.values():
            task.cancel()
        await self.answered()

    async def _ask(self, account: Account) -> None:
        about = {"account_id": account.id, "platform": account.platform}
        try:
            room = self._room.setdefault(self._accounts.server_url(account), asyncio.Semaphore(_CONCURRENCY))
            async with room, asyncio.timeout(_ANSWER_S):
                await self._accounts.whoami(account)
            async with self._database.answers.transaction() as session:
                await accept_account(session, account)
        except PlatformError as error:
            log.info("account.still_refused", code=error.code, **about)
        except TimeoutError:
            log.info("account.still_refused", code="timed_out", **about)
        except Exception as error:
            if not is_database_unavailable(error):
                log.exception("account.not_asked", **about)
        else:
            log.info("account.accepted", **about)


async def probe_apps(database: Database, workflows: PostWorkflows) -> None:
    """Release one held post for each refused app that is to be probed now: if it is published, the others follow."""
    async with database.transaction() as session:
        plans = [await plan_with_accounts(session, post) for post in await claim_probe_posts(session)]
    for plan in plans:
        await workflows.release(plan)
        log.info("app.probed", post_id=plan.post_id, workflow_id=plan.workflow_id)


async def release_posts(database: Database, workflows: PostWorkflows) -> int:
    """Signal the workflows of held posts whose accounts work again; return how many there were."""
    now = datetime.now(UTC)
    async with database.transaction() as session:
        posts = await claim_released_posts(session, now, released_before=now - _RELEASED_AGAIN_AFTER, limit=_BATCH)
        plans = [await plan_with_accounts(session, post) for post in posts]
    for plan in plans:
        await workflows.release(plan)
        log.info("post.released", post_id=plan.post_id, workflow_id=plan.workflow_id)
    return len(plans)

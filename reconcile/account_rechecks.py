"""Rechecks of accounts that their platforms refuse: ask from time to time, and release their posts once they work."""

import asyncio
from datetime import UTC, datetime, timedelta
from weakref import WeakValueDictionary

import structlog

from accounts.credentials.connections import AccountConnections
from activities.apps import Apps
from platforms.errors import PlatformError
from reconcile.rounds import BackgroundTask
from store.accounts.connected import accept_account, claim_accounts_to_recheck
from store.apps import claim_probe_posts
from store.database import Database
from store.failures import is_database_unavailable
from store.maintenance.holds import claim_released_posts
from store.models import Account
from store.posts.delivery import plan_with_accounts
from workflows.client.post_workflows import PostWorkflows

log = structlog.get_logger(__name__)

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
    return BackgroundTask(apps.refresh, _REFUSALS_EVERY_S, "refusals.not_read", looks_for="refusals")


def recheck_task(database: Database, accounts: AccountConnections, workflows: PostWorkflows) -> BackgroundTask:
    """Return the task that rechecks refused accounts and apps every few seconds, and releases held posts."""
    checks = AccountChecks(database, accounts)

    async def check() -> None:
        await checks.ask_due()
        await probe_apps(database, workflows)
        while await release_posts(database, workflows) == _BATCH:
            pass

    return BackgroundTask(check, _EVERY_S, "accounts.postponed", close=checks.close, looks_for="accounts")


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

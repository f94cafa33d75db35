"""Look after accounts that their networks refuse: ask again now and then, and let their posts go on once they work."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy.exc import SQLAlchemyError

from activities.desk import Desk
from domain.errors import Unavailable
from platforms.errors import NetworkError
from store.accounts import accept_account, accounts_to_ask
from store.app_refusals import posts_to_probe_with
from store.holds import released_posts
from store.plans import plan_with_accounts
from workflows.client import PostWorkflows

log = structlog.get_logger(__name__)

_EVERY_S = 2.0
_TOLD_AGAIN_AFTER = timedelta(minutes=10)
"""When a workflow is told once more that it may go on, should nothing have come of it."""
_BATCH = 200


async def look_after_accounts(desk: Desk, workflows: PostWorkflows) -> None:
    """Look every few seconds. A part that is away is waited for."""
    while True:
        try:
            await ask_about_accounts(desk)
            await desk.apps.refresh()
            await probe_apps(desk, workflows)
            while await release_posts(desk, workflows) == _BATCH:
                pass
        except (Unavailable, SQLAlchemyError, OSError) as error:
            log.warning("accounts.postponed", reason=type(error).__name__)
        await asyncio.sleep(_EVERY_S)


async def ask_about_accounts(desk: Desk) -> None:
    """Ask the networks of refused accounts whether they accept them by now."""
    async with desk.database.transaction() as session:
        due = await accounts_to_ask(session)
    for account in due:
        try:
            await desk.asks_about(account)
        except NetworkError as error:
            log.info("account.still_refused", account_id=account.id, platform=account.platform, code=error.code)
            continue
        async with desk.database.transaction() as session:
            await accept_account(session, account)
        log.info("account.accepted", account_id=account.id, platform=account.platform)


async def probe_apps(desk: Desk, workflows: PostWorkflows) -> None:
    """Release one held post for each refused app that is to be probed now: if it is published, the others follow."""
    async with desk.database.transaction() as session:
        plans = [await plan_with_accounts(session, post) for post in await posts_to_probe_with(session)]
    for plan in plans:
        await workflows.release(plan)
        log.info("app.probed", post_id=plan.post_id, workflow_id=plan.workflow_id)


async def release_posts(desk: Desk, workflows: PostWorkflows) -> int:
    """Tell the workflows of held posts whose accounts work again; return how many there were."""
    now = datetime.now(UTC)
    async with desk.database.transaction() as session:
        posts = await released_posts(session, now, told_before=now - _TOLD_AGAIN_AFTER, limit=_BATCH)
        plans = [await plan_with_accounts(session, post) for post in posts]
    for plan in plans:
        await workflows.release(plan)
        log.info("post.released", post_id=plan.post_id, workflow_id=plan.workflow_id)
    return len(plans)

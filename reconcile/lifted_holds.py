"""Posts that a closed gate holds and that nothing else settles.

If no gate stops a post any more, it continues: it fell due while its pause ended, in a blackout that has ended, or its
gate was opened by hand. If its campaign has ended, it becomes a draft, or fails if it is partly public.
"""

from datetime import UTC, datetime, timedelta

import structlog

from domain.audit import WORKER, Action, AuditEntry
from reconcile.rounds import BackgroundTask
from store.campaigns.ending import settle_ended
from store.database import Database
from store.locks import try_lock
from store.pauses.missed import lock_free, publish_missed, spaced

log = structlog.get_logger(__name__)

EVERY_S = 10.0
_BATCH = 200


def hold_task(database: Database) -> BackgroundTask:
    """Return the task that looks for such posts every few seconds."""

    async def lift_all() -> None:
        for settle in lift_holds, settle_holds:
            while await settle(database) == _BATCH:
                pass

    return BackgroundTask(lift_all, EVERY_S, "holds.postponed")


async def lift_holds(database: Database) -> int:
    """Let a batch of such posts continue now; the sweep delivers them. Return how many there were.

    It takes no gate's lock: if a gate closes meanwhile, the step of the post is held again.
    """
    async with database.transaction() as session:
        if not await try_lock(session, "lifted_holds"):
            return 0
        now = datetime.now(UTC)
        posts = await lock_free(session, now, _BATCH)
        await publish_missed(session, posts, spaced(posts, now, timedelta(0)), AuditEntry(Action.RELEASED, WORKER), now)
    for post in posts:
        log.info("post.lifted", post_id=post.id, workspace_id=post.workspace_id)
    return len(posts)


async def settle_holds(database: Database) -> int:
    """Settle a batch of posts that the gates of ended campaigns hold. Return how many there were."""
    async with database.transaction() as session:
        if not await try_lock(session, "lifted_holds"):
            return 0
        post_ids = await settle_ended(session, datetime.now(UTC), _BATCH)
    for post_id in post_ids:
        log.info("post.campaign_ended", post_id=post_id)
    return len(post_ids)

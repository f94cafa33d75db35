"""Hand a saved change to its post's workflow, and keep in the revision how that went."""

from domain.errors import Conflict
from domain.plan import Plan
from store.database import Database
from store.posts import STALE
from store.revisions import find_revision, refuse_revision
from workflows.client import PostWorkflows


async def hand_over(
    database: Database, workflows: PostWorkflows, plan: Plan, revision_id: str, reason: str | None = None
) -> bool:
    """Have the workflow make the change; False where the post has been changed since it was saved.

    `reason` is for the Web UI. Raises Conflict where publishing has begun, Unavailable.
    """
    try:
        await workflows.amend(plan, revision_id, reason)
    except Conflict as conflict:
        async with database.transaction() as session:
            await refuse_revision(session, revision_id, conflict.first)
        raise
    async with database.transaction() as session:
        revision = await find_revision(session, revision_id)
    return revision is None or revision.error_code != STALE

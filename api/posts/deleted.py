"""The list of deleted posts, from the audit trail, which outlives them."""

from pydantic import ConfigDict, Field

from api.dependencies import Dependencies
from api.posts.answers.actors import ActorView, actor_view
from api.posts.answers.views import HasMore, Moment, NextCursor, PlatformName, View
from api.posts.listing import cursor_after
from domain.ids import made_at
from domain.post import PostStatus
from domain.schedule import rfc3339
from store.audit.trail import deletions
from store.models import AuditEvent


class DeletedTargetView(View):
    """A target that a deleted post had."""

    model_config = ConfigDict(title="DeletedTarget")

    platform: PlatformName = Field(description="The platform.")
    account_id: str = Field(description="The account.", examples=["ig_123"])


class DeletionView(View):
    """A post that was deleted. Its content was deleted with it."""

    model_config = ConfigDict(title="PostDeletion")

    id: str = Field(
        description="The post, whose history can still be read.", examples=["post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2"]
    )
    deleted_at: Moment = Field(description="When it was deleted.")
    deleted_by: ActorView = Field(description="Who deleted it.")
    created_at: Moment = Field(description="When it was created.")
    status: PostStatus = Field(description="Its status when it was deleted.", examples=["scheduled"])
    scheduled_for: Moment | None = Field(description="The time that it had then.")
    platforms: list[DeletedTargetView] = Field(description="Its targets; the first 50 if there were more.")


class DeletionsView(View):
    """One page of the deleted posts."""

    model_config = ConfigDict(title="PostDeletions")

    posts: list[DeletionView] = Field(description="The last one deleted first.")
    cursor: NextCursor = Field(examples=["eyJpZCI6NDJ9"])
    has_more: HasMore = Field(examples=[False])


async def list_deleted(deps: Dependencies, workspace_id: str, before_id: int, limit: int) -> DeletionsView:
    """Return a page of the deleted posts of a workspace; `before_id` is the end of the page before, 0 for the first."""
    async with deps.database.reading() as session:
        entries = await deletions(session, workspace_id, limit + 1, before_id)
    page, more = entries[:limit], len(entries) > limit
    return DeletionsView.model_construct(
        posts=[_view(event, key_name) for event, key_name in page],
        cursor=cursor_after(page[-1][0].id) if more else None,
        has_more=more,
    )


def _view(event: AuditEvent, key_name: str | None) -> DeletionView:
    details = event.details
    return DeletionView.model_construct(
        id=event.post_id,
        deleted_at=rfc3339(event.at),
        deleted_by=actor_view(event.actor_type, event.actor_id, key_name, identities=False),
        created_at=rfc3339(made_at(event.post_id)),
        status=PostStatus(details["status"]),
        scheduled_for=details["scheduledFor"],
        platforms=[
            DeletedTargetView.model_construct(platform=target["platform"], account_id=target["accountId"])
            for target in details["targets"]
        ],
    )

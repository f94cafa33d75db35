"""The list of deleted posts, from the audit trail, which outlives them."""

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from api.dependencies import Dependencies
from api.posts.answers.actors import ActorView, actor_view
from api.posts.listing import cursor_after
from api.views import HasMore, Moment, NextCursor, PlatformName, described, view
from domain.ids import made_at
from domain.post import PostStatus
from domain.schedule import rfc3339
from store.audit import deletions
from store.models import AuditEvent


@view("DeletedTarget")
class DeletedTargetView(TypedDict):
    """A target that a deleted post had."""

    platform: Annotated[PlatformName, described("The platform.")]
    accountId: Annotated[str, described("The account.", "ig_123")]


@view("PostDeletion")
class DeletionView(TypedDict):
    """A post that was deleted. Its content was deleted with it."""

    id: Annotated[str, described("The post, whose history can still be read.", "post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2")]
    deletedAt: Annotated[Moment, described("When it was deleted.")]
    deletedBy: Annotated[ActorView, described("Who deleted it.")]
    createdAt: Annotated[Moment, described("When it was created.")]
    status: Annotated[PostStatus, described("Its status when it was deleted.", "scheduled")]
    scheduledFor: Annotated[Moment | None, described("The time that it had then.")]
    platforms: Annotated[list[DeletedTargetView], described("Its targets; the first 50 if there were more.")]


@view("PostDeletions")
class DeletionsView(TypedDict):
    """One page of the deleted posts."""

    posts: Annotated[list[DeletionView], described("The last one deleted first.")]
    cursor: Annotated[NextCursor, Field(examples=["eyJpZCI6NDJ9"])]
    hasMore: Annotated[HasMore, Field(examples=[False])]


async def list_deleted(deps: Dependencies, workspace_id: str, before_id: int, limit: int) -> DeletionsView:
    """Return a page of the deleted posts of a workspace; `before_id` is the end of the page before, 0 for the first."""
    async with deps.database.reading() as session:
        entries = await deletions(session, workspace_id, limit + 1, before_id)
    page, more = entries[:limit], len(entries) > limit
    return DeletionsView(
        posts=[_view(event, key_name) for event, key_name in page],
        cursor=cursor_after(page[-1][0].id) if more else None,
        hasMore=more,
    )


def _view(event: AuditEvent, key_name: str | None) -> DeletionView:
    details = event.details
    return DeletionView(
        id=event.post_id,
        deletedAt=rfc3339(event.at),
        deletedBy=actor_view(event.actor_type, event.actor_id, key_name, identities=False),
        createdAt=rfc3339(made_at(event.post_id)),
        status=PostStatus(details["status"]),
        scheduledFor=details["scheduledFor"],
        platforms=[
            DeletedTargetView(platform=target["platform"], accountId=target["accountId"])
            for target in details["targets"]
        ],
    )

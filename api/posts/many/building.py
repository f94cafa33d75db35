"""The rows of the database for many checked posts, and the delivery of posts that are due soon."""

from collections.abc import Sequence
from datetime import UTC, datetime

from api.dependencies import Dependencies
from api.posts.many.checking import SLICE, CheckedPost
from api.posts.media_warnings import warn_of_media_in
from domain.audit import Actor
from domain.ids import made_at, new_id, workflow_id
from domain.loop_share import loop_share
from domain.ownership import BULK_LEAD
from store.posts.contents import NewPost, new_columns


async def build_posts(
    deps: Dependencies, workspace_id: str, actor: Actor, posts: Sequence[CheckedPost], size: int
) -> list[NewPost]:
    """Return the posts to insert, in their order, each with an id of its own. `size` is as in `check_rows`."""
    built_posts: list[NewPost] = []
    for begin in range(0, len(posts), SLICE):
        async with loop_share(size) as turn:
            for post in posts[begin : begin + SLICE]:
                built_posts.append(_build(deps, workspace_id, actor, post))
                await turn.pause()
            await turn.rest()
    return built_posts


def _build(deps: Dependencies, workspace_id: str, actor: Actor, post: CheckedPost) -> NewPost:
    post_id = new_id("post")
    new = new_columns(
        post_id,
        workspace_id,
        workflow_id(workspace_id, post_id, None),
        post.parsed.content,
        status=post.parsed.status,
        due_at=post.parsed.due_at,
        # Lists filter posts by the time in their ids, so `created_at` must be the same time.
        now=made_at(post_id),
        created_by=actor.id,
        external_digest=post.digest if post.parsed.content.external_id is not None else None,
    )
    warn_of_media_in(new, deps)
    return new


def total_bytes(posts: Sequence[NewPost]) -> int:
    """Return the size of posts as the limits of a workspace count it."""
    return sum(post.columns["answer_bytes"] for post in posts)


def deliver_due(deps: Dependencies, posts: Sequence[NewPost]) -> None:
    """Begin to deliver those of many inserted posts whose workflows must know them now, the soonest due first.

    The workers' sweep delivers the others at its pace, and these if this process ends.
    """
    soon = datetime.now(UTC) + BULK_LEAD
    due_posts = [post.columns for post in posts if post.columns["due_at"] and post.columns["due_at"] <= soon]
    due_posts.sort(key=lambda columns: columns["due_at"])
    deps.delivery.deliver_saved([columns["id"] for columns in due_posts])

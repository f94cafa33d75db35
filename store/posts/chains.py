"""Posts that wait for other posts: what is checked when one begins to wait, and those whose waiting is over."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.campaigns import CampaignStatus
from domain.moves import MOST_POSTS, FirstPost
from domain.post import PostStatus
from store.due import Due
from store.models import Campaign, Post
from store.posts.queries import read_posts
from store.rows import lock

_ABOVE = text("""
WITH RECURSIVE above (id, after_post_id, place) AS (
  SELECT id, after_post_id, 1 FROM posts WHERE id = :first_id
  UNION ALL
  SELECT posts.id, posts.after_post_id, place + 1
  FROM above JOIN posts ON posts.id = above.after_post_id WHERE place <= :most
)
SELECT id FROM above ORDER BY place
""")
_ENDS = text("""
WITH RECURSIVE above (first_id, after_post_id, place) AS (
  SELECT id, after_post_id, 1 FROM posts WHERE id = ANY(:ids) AND workspace_id = :workspace_id
  UNION ALL
  SELECT above.first_id, posts.after_post_id, place + 1
  FROM above JOIN posts ON posts.id = above.after_post_id WHERE place <= :most
)
SELECT posts.id, posts.status, posts.published_at, max(place) AS length
FROM above JOIN posts ON posts.id = above.first_id
GROUP BY posts.id
""")
_BELOW = text("""
WITH RECURSIVE below (id, place) AS (
  SELECT id, 1 FROM posts WHERE after_post_id = :post_id
  UNION
  SELECT posts.id, place + 1 FROM below JOIN posts ON posts.after_post_id = below.id WHERE place <= :most
)
SELECT coalesce(max(place), 0) FROM below
""")


@dataclass(frozen=True, slots=True)
class Link:
    """A post that is to wait for another one, and what that means for the chain of both."""

    first: FirstPost
    is_circle: bool
    """Whether the first post waits for the other one, itself or through others."""
    length: int
    """How many posts the chain would have, at least."""


@dataclass(frozen=True, slots=True)
class ChainEnd:
    """A post for which others are to wait, and how many posts its chain has so far."""

    first: FirstPost
    length: int


async def lock_chains(session: AsyncSession, workspace_id: str) -> None:
    """Keep the chains of a workspace as they are until the transaction ends; existing posts are locked before."""
    await lock(session, f"chains.{workspace_id}")


async def chain_ends(session: AsyncSession, workspace_id: str, post_ids: Collection[str]) -> dict[str, ChainEnd]:
    """Return, by id, those of some posts that the workspace has, each as the end of a chain."""
    values = {"ids": list(post_ids), "workspace_id": workspace_id, "most": MOST_POSTS}
    rows = await session.execute(_ENDS, values) if post_ids else ()
    return {row.id: ChainEnd(FirstPost(PostStatus(row.status), row.published_at), row.length) for row in rows}


async def inspect_link(session: AsyncSession, workspace_id: str, post_id: str, first_id: str) -> Link | None:
    """Return what it means that a post waits for another one; None if the workspace has no such other post.

    No other chain of the workspace changes until the transaction ends.
    """
    await lock_chains(session, workspace_id)
    first = await find_first(session, first_id, workspace_id)
    if first is None:
        return None
    above = list(await session.scalars(_ABOVE, {"first_id": first_id, "most": MOST_POSTS}))
    below = await session.scalar(_BELOW, {"post_id": post_id, "most": MOST_POSTS})
    return Link(first, post_id in above, len(above) + 1 + below)


async def find_first(session: AsyncSession, first_id: str, workspace_id: str) -> FirstPost | None:
    """Return the post of a workspace for which another one waits; None if there is none."""
    query = select(Post.status, Post.published_at).where(Post.id == first_id, Post.workspace_id == workspace_id)
    row = (await session.execute(query)).one_or_none()
    return FirstPost(PostStatus(row.status), row.published_at) if row else None


async def write_link(session: AsyncSession, post: Post) -> None:
    """Write for which post a post waits that the transaction has inserted (`create_post_v1` does not know it)."""
    link = {name: getattr(post, name) for name in ("after_post_id", "after_delay", "after_on_failure")}
    await session.execute(update(Post).where(Post.id == post.id).values(**link))


Place = tuple[str, str]
"""The place of a waiting post in the order of the search: the post that it waits for, and its own id."""
FIRST_PLACE: Place = ("", "")

CHAINED = Due("posts", "posts.after_post_id IS NOT NULL")
_SEARCH = text(f"""
WITH waiting AS (
  SELECT id, after_post_id, after_on_failure, workspace_id, campaign_id FROM posts
  WHERE {CHAINED.sql()} AND (after_post_id, id) > (:first_id, :id)
  ORDER BY after_post_id, id LIMIT :most
)
SELECT
  ARRAY(
    SELECT waiting.id FROM waiting
    LEFT JOIN posts AS first ON first.id = waiting.after_post_id AND first.workspace_id = waiting.workspace_id
    WHERE (first.id IS NULL OR (first.status IN ('published', 'partial') AND first.published_at IS NOT NULL)
        OR (first.status = 'failed' AND waiting.after_on_failure = 'skip'))
      AND NOT EXISTS (SELECT FROM campaigns WHERE campaigns.id = waiting.campaign_id AND campaigns.status = 'draft')
  ) AS ready,
  (SELECT ARRAY[after_post_id, id] FROM waiting ORDER BY after_post_id, id OFFSET :most - 1) AS last
""")  # noqa: S608 our own condition


async def search_ready(session: AsyncSession, after: Place, most: int) -> tuple[list[str], Place]:
    """Return the posts whose waiting may be over, among the next `most` waiting ones after a place.

    Also returns the place after which the next search begins. Posts of a campaign that has not started wait on.
    """
    values = {"first_id": after[0], "id": after[1], "most": most}
    ready, last = (await session.execute(_SEARCH, values)).one()
    return list(ready), (last[0], last[1]) if last else FIRST_PLACE


async def has_ended(session: AsyncSession, campaign_id: str | None) -> bool:
    """Return whether a campaign has ended; False for none."""
    query = select(Campaign.id).where(Campaign.id == campaign_id, Campaign.status == CampaignStatus.ENDED)
    return campaign_id is not None and await session.scalar(query) is not None


async def lock_waiting(session: AsyncSession, post_id: str) -> Post | None:
    """Lock a post that waits for another one; None if it waits no more, or another transaction changes it now."""
    waits = (Post.id == post_id, Post.after_post_id.is_not(None))
    return (await read_posts(session, *waits, lock=True, skip_locked=True)).get(post_id)

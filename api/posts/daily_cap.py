"""A warning about days for which an account has more posts than its platform allows: the last ones wait."""

from collections import Counter
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from api.posts.bodies.parse_post import ParsedPost
from domain.content import PostContent
from domain.errors import Problem
from domain.post import PostStatus
from domain.request_limits import RateLimit
from domain.schedule import zone_named
from platforms.registry import platforms
from store.database import Database
from store.posts.counts import count_planned

DAY = timedelta(days=1)


def day_limit(platform: str) -> RateLimit | None:
    """Return how many posts a platform allows an account in 24 hours."""
    return next((limit for limit in platforms()[platform].rules.rate_limits if limit.per == DAY), None)


async def warn_of_daily_cap(database: Database, workspace_id: str, parsed_post: ParsedPost) -> list[Problem]:
    """Return the warnings about a post that is about to be scheduled for its own time."""
    if parsed_post.status is not PostStatus.SCHEDULED or parsed_post.due_at is None:
        return []
    async with database.reading() as session:
        return await daily_cap_warnings(session, workspace_id, parsed_post.content, parsed_post.due_at)


async def daily_cap_warnings(
    session: AsyncSession, workspace_id: str, content: PostContent, due_at: datetime
) -> list[Problem]:
    """Return a warning for each account whose posts of the day, this one included, are more than it may publish.

    Days are those of the post's zone. Platforms without a limit of a day cost no query.
    """
    limits = {target.account_id: limit for target in content.targets if (limit := day_limit(target.platform))}
    if not limits:
        return []
    zone = zone_named(content.timezone)
    day = due_at.astimezone(zone).date()
    counts = Counter[tuple[str, str]]()
    for account, since, posts in await count_planned(session, workspace_id, limits, due_at - DAY, due_at + DAY, ()):
        if since.astimezone(zone).date() == day:
            counts[account] += posts
    warnings = []
    for number, target in enumerate(content.targets):
        limit, planned = limits.get(target.account_id), counts[target.platform, target.account_id] + 1
        if limit is not None and planned > limit.limit:
            label = platforms()[target.platform].label
            sentence = (
                f"{planned:,} posts are planned for {target.account_id} on {day}, and {label} allows {limit.limit:,} a "
                "day: the last ones wait"
            )
            param = f"platforms.{number}.accountId"
            warnings.append(Problem(sentence, "over_daily_cap", param, target.platform, target.account_id))
    return warnings

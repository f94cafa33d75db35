"""The rules of a post's campaign and the daily caps of its accounts, when it is created, changed or validated.

No change of the campaign waits for this. If it ends or gets a blackout meanwhile, its gate stops the post when that is
due.
"""

from collections import Counter
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from api.http.body import JsonObject
from api.posts.bodies.parse_post import ParsedPost
from domain.campaigns import CAMPAIGN_HAS_ENDED, CampaignRules, CampaignStatus
from domain.content import PostContent
from domain.errors import Conflict, PostsError, Problem, Unprocessable
from domain.ids import is_campaign_id
from domain.post import PostStatus
from domain.request_limits import RateLimit
from domain.schedule import UnknownZone, zone_named
from platforms.registry import platforms
from store.campaigns.campaigns import campaign_rules, join_campaign, read_campaign_rules
from store.database import Database
from store.models import Campaign, Post
from store.posts.counts import count_planned
from store.rows import find_row

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


UNKNOWN_CAMPAIGN = Problem("The workspace has no such campaign", "campaign_not_found", "campaignId")
_NO_ZONE = Problem(
    "The campaign's time zone no longer exists: give the campaign another timezone", "invalid_field_value", "campaignId"
)
_OF_STATE = frozenset({"campaign_ended", "campaign_not_started"})
"""The codes of problems that another state of the campaign would solve."""


async def read_campaign(database: Database, workspace_id: str, payload: JsonObject) -> CampaignRules | None:
    """Return the rules of the campaign that a body names; None if it names none, or one that does not exist."""
    campaign_id = payload.get("campaignId")
    if not isinstance(campaign_id, str) or not is_campaign_id(campaign_id):
        return None
    return await read_campaign_rules(database, workspace_id, campaign_id)


async def campaign_of_change(session: AsyncSession, post: Post, payload: JsonObject) -> CampaignRules | None:
    """Return the rules of the campaign that a locked post has after a change; None as of `read_campaign`.

    A campaign that the post joins is not deleted until the transaction ends.
    """
    campaign_id = payload.get("campaignId", post.campaign_id)
    if not isinstance(campaign_id, str) or not is_campaign_id(campaign_id):
        return None
    if campaign_id != post.campaign_id:
        return await join_campaign(session, post.workspace_id, campaign_id)
    campaign = await find_row(session, Campaign, post.workspace_id, campaign_id)
    return campaign_rules(campaign) if campaign else None


async def require_campaign_to_join(
    session: AsyncSession, post: Post, content: PostContent, payload: JsonObject
) -> None:
    """Raise Conflict or Unprocessable if a locked post that has begun may not join the campaign of a change.

    Its time is past, so only the campaign's existence and status matter.
    """
    if content.campaign_id is None or content.campaign_id == post.campaign_id:
        return
    campaign = await campaign_of_change(session, post, payload)
    if campaign is None:
        raise Unprocessable(UNKNOWN_CAMPAIGN)
    if problem := campaign.find_problem(PostStatus.PUBLISHING, None):
        raise campaign_refusal(problem)


async def require_campaign_goes_on(session: AsyncSession, post: Post) -> None:
    """Raise Conflict if the campaign of a locked post has ended, so that nothing of the post would be sent."""
    if post.campaign_id is None:
        return
    campaign = await find_row(session, Campaign, post.workspace_id, post.campaign_id)
    if campaign is not None and campaign_rules(campaign).status is CampaignStatus.ENDED:
        raise Conflict(CAMPAIGN_HAS_ENDED)


def find_campaign_problem(
    parsed_post: ParsedPost, campaign: CampaignRules | None, *, joins: bool = True
) -> Problem | None:
    """Return why a post may not be in its campaign; `joins` is as in `CampaignRules.find_problem`."""
    if parsed_post.content.campaign_id is None:
        return None
    if campaign is None:
        return UNKNOWN_CAMPAIGN
    try:
        return campaign.find_problem(parsed_post.status, parsed_post.due_at, joins=joins)
    except UnknownZone:
        return _NO_ZONE


def campaign_refusal(problem: Problem) -> PostsError:
    """Return the error of a request that a campaign's rules refuse."""
    return Conflict(problem) if problem.code in _OF_STATE else Unprocessable(problem)

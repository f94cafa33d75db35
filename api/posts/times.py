"""The rules for a post's time: its campaign's, its queue's, those of the post it follows, and daily caps.

No change of the campaign waits for this. If it ends or gets a blackout meanwhile, its gate stops the post when that is
due.
"""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from api.http.body import JsonObject
from api.posts.bodies.parse_post import ParsedPost
from api.shared.caches import target_accounts
from domain.campaigns import CAMPAIGN_HAS_ENDED, CampaignRules, CampaignStatus
from domain.content import PostContent
from domain.errors import Conflict, PostsError, Problem, Unprocessable
from domain.ids import is_campaign_id, is_post_id
from domain.moves import MOST_POSTS, FirstPost, FollowDecision, OnFailure, decide_follow, follow_time
from domain.post import PostStatus
from domain.queues import FARTHEST, NEXT
from domain.request_limits import RateLimit
from domain.schedule import LATE_COUNTS_AS_NOW, ScheduledTime, UnknownZone, zone_named
from platforms.registry import platforms
from store.campaigns.campaigns import campaign_rules, join_campaign, read_campaign_rules
from store.database import Database
from store.models import Campaign, Post, Queue
from store.posts.chains import inspect_link
from store.posts.counts import count_planned
from store.queues.queues import AccountName, queues_of_accounts
from store.queues.slots import QueueFullError, first_free_slot
from store.rows import find_row, lock_row

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
_NO_CAMPAIGN_ZONE = Problem(
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
        return _NO_CAMPAIGN_ZONE


def campaign_refusal(problem: Problem) -> PostsError:
    """Return the error of a request that a campaign's rules refuse."""
    return Conflict(problem) if problem.code in _OF_STATE else Unprocessable(problem)


UNKNOWN_QUEUE = Problem(
    "This workspace has no such queue; GET /v1/queues lists those it has", "queue_not_found", "queue"
)
NO_QUEUE_ZONE = Problem(
    "The time zone of the queue, or of the post's campaign, no longer exists; give it another one",
    "invalid_field_value",
    "queue",
)
_SEVERAL = Problem(
    "The post's accounts are in several queues: name one of them in queue, or create a post for each",
    "ambiguous_queue",
    "queue",
)


async def choose_slot(
    session: AsyncSession,
    workspace_id: str,
    wish: str,
    content: PostContent,
    now: datetime,
    campaign: CampaignRules | None,
    *,
    post_id: str | None = None,
    lock: bool = True,
) -> tuple[str, ScheduledTime]:
    """Return the queue that a post asks for, and the first slot that is free there and open for the post's campaign.

    With `lock` it is free until the transaction ends; the post's row is locked before, if there is one. The slot that
    the post `post_id` has counts as free. Raises Unprocessable, Conflict.
    """
    queue_id = wish
    if wish == NEXT:
        queue_id = next_queue(content, await queues_of_accounts(session, workspace_id, target_accounts(content)))
    queue = await (lock_row if lock else find_row)(session, Queue, workspace_id, queue_id)
    if queue is None:
        raise Unprocessable(UNKNOWN_QUEUE)
    try:
        slot = await first_free_slot(session, queue, now, campaign, post_id=post_id)
    except QueueFullError as error:
        raise Unprocessable(_full(queue)) from error
    except UnknownZone as error:
        raise Unprocessable(NO_QUEUE_ZONE) from error
    if campaign and (problem := campaign.find_problem(PostStatus.SCHEDULED, slot.instant)):
        raise campaign_refusal(problem)
    return queue.id, slot


def next_queue(content: PostContent, queue_ids: Mapping[AccountName, str]) -> str:
    """Return the id of the queue in which all accounts of a post are; `queue_ids` are by account.

    Raises Unprocessable.
    """
    accounts = target_accounts(content)
    if len({queue_ids[account] for account in accounts if account in queue_ids}) > 1:
        raise Unprocessable(_SEVERAL)
    if problems := [_without(account, at) for at, account in enumerate(accounts) if account not in queue_ids]:
        raise Unprocessable(problems)
    return queue_ids[accounts[0]]


def _without(account: AccountName, position: int) -> Problem:
    platform, account_id = account
    sentence = (
        f"{platforms()[platform].label} account {account_id} is in no queue: name a queue by its id, or add the "
        "account to one by PATCH /v1/queues/{queueId}"
    )
    return Problem(sentence, "queue_not_found", f"platforms.{position}.accountId", platform, account_id)


def _full(queue: Queue) -> Problem:
    sentence = (
        f"The queue {queue.name[:100]} has no free slot in the next {FARTHEST.days} days: add slots to it, or give a "
        "scheduledFor"
    )
    return Problem(sentence, "queue_full", "queue")


_PARAM = "after.postId"
UNKNOWN_POST = Problem("This workspace has no such post", "post_not_found", _PARAM)
_CIRCLE = Problem("That post waits for this one, itself or through others", "chain_circle", _PARAM)
_TOO_LONG = Problem(f"A chain has at most {MOST_POSTS} posts that wait for each other", "chain_too_long", _PARAM)
_FAILED = Problem("That post has failed: retry it first, or wait for its retry with onFailure wait", "conflict", _PARAM)
_TOO_LATE = Problem(
    "That post was published, and delay after it is more than 5 minutes in the past: give scheduledFor or publishNow",
    "scheduled_time_passed",
    "after.delay",
)
_NO_ZONE = Problem("The post's time zone no longer exists; give another timezone", "invalid_field_value", "timezone")


async def require_link(
    session: AsyncSession, workspace_id: str, post_id: str, content: PostContent, now: datetime
) -> None:
    """Raise Unprocessable or Conflict if a post may not wait for the one that its content names.

    No other chain of the workspace changes until the transaction ends. The post's own row is locked before, if it has
    one.
    """
    first_id = content.after_post_id or ""
    link = await inspect_link(session, workspace_id, post_id, first_id) if is_post_id(first_id) else None
    if link is None:
        raise Unprocessable(UNKNOWN_POST)
    problem = find_link_problem(link.first, content, now, is_circle=link.is_circle, length=link.length)
    if problem is not None:
        raise (Conflict if problem is _FAILED else Unprocessable)(problem)


def find_link_problem(
    first: FirstPost | None, content: PostContent, now: datetime, *, is_circle: bool, length: int
) -> Problem | None:
    """Return why a post may not wait for another one; None as `first`: for one that is saved together with it.

    `length`: how many posts the chain would have.
    """
    if is_circle:
        return _CIRCLE
    if length > MOST_POSTS:
        return _TOO_LONG
    if first is None:
        return None
    decision = decide_follow(first, OnFailure(content.after_on_failure or OnFailure.SKIP))
    if decision is FollowDecision.FAILED:
        return _FAILED
    if decision is FollowDecision.SCHEDULE and first.published_at is not None:
        try:
            due_at = follow_time(first.published_at, content.after_delay, content.timezone)
        except UnknownZone:
            return _NO_ZONE
        if due_at < now - LATE_COUNTS_AS_NOW:
            return _TOO_LATE
    return None

"""The time of a post that another post or a queue decides."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from api.posts.campaign_rules import campaign_refusal
from api.shared.closed_gates import target_accounts
from domain.campaigns import CampaignRules
from domain.content import PostContent
from domain.errors import Conflict, Problem, Unprocessable
from domain.ids import is_post_id
from domain.moves import MOST_POSTS, FirstPost, FollowDecision, OnFailure, decide_follow, follow_time
from domain.post import PostStatus
from domain.queues import FARTHEST, NEXT
from domain.schedule import LATE_COUNTS_AS_NOW, ScheduledTime, UnknownZone
from platforms.registry import platforms
from store.models import Queue
from store.posts.chains import inspect_link
from store.queues.queues import AccountName, queues_of_accounts
from store.queues.slots import QueueFullError, first_free_slot
from store.rows import find_row, lock_row

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

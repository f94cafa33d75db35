"""The slot of a queue that a post asks for instead of a time."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from api.posts.campaign_rules import campaign_refusal
from api.shared.closed_gates import target_accounts
from domain.campaigns import CampaignRules
from domain.content import PostContent
from domain.errors import Problem, Unprocessable
from domain.post import PostStatus
from domain.queues import FARTHEST, NEXT
from domain.schedule import ScheduledTime, UnknownZone
from platforms.registry import platforms
from store.models import Queue
from store.queues.queues import AccountName, find_queue, queues_of_accounts
from store.queues.slots import QueueFullError, first_free_slot

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
    queue = await find_queue(session, workspace_id, queue_id, lock=lock) if queue_id.isprintable() else None
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

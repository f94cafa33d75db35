"""The slots that the posts of many rows ask for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from sqlalchemy.ext.asyncio import AsyncSession

from api.posts.bodies.parse_post import ParsedPost
from api.posts.campaign_rules import campaign_refusal
from api.posts.changes.queue_slot import NO_QUEUE_ZONE, UNKNOWN_QUEUE, next_queue
from api.posts.clock import now_ms
from domain.campaigns import CampaignRules
from domain.errors import Problem, Unprocessable
from domain.post import PostStatus
from domain.queues import FARTHEST, NEXT
from domain.schedule import UnknownZone
from store.posts.contents import NewPost
from store.queues.queues import AccountName, accounts_of_queues, list_queues
from store.queues.slots import QueueFullError, QueueGoneError, fill_slots


@dataclass(frozen=True, slots=True)
class QueuesOfRows:
    """The queues of a workspace, as the rows of one request name them."""

    is_read: bool = False
    ids: frozenset[str] = frozenset()
    by_account: Mapping[AccountName, str] = field(default_factory=dict)

    @classmethod
    async def read(cls, session: AsyncSession, workspace_id: str) -> Self:
        """Return the queues of a workspace."""
        ids = frozenset(queue.id for queue in await list_queues(session, workspace_id))
        accounts = await accounts_of_queues(session, ids)
        return cls(True, ids, {name: queue_id for queue_id, names in accounts.items() for name in names})

    def name_queue(self, parsed_post: ParsedPost, campaign: CampaignRules | None) -> ParsedPost:
        """Return a post that asks for a slot with the id of the queue; any other post as it is.

        Raises Unprocessable, Conflict.
        """
        if parsed_post.queue is None:
            return parsed_post
        is_next = parsed_post.queue == NEXT
        queue_id = next_queue(parsed_post.content, self.by_account) if is_next else parsed_post.queue
        if queue_id not in self.ids:
            raise Unprocessable(UNKNOWN_QUEUE)
        # Any time: of a campaign that has not started, no post has one.
        if campaign and campaign.keeps_drafts and (problem := campaign.find_problem(PostStatus.SCHEDULED, now_ms())):
            raise campaign_refusal(problem)
        return replace(parsed_post, queue=queue_id)


async def take_slots(
    session: AsyncSession, workspace_id: str, rows: Sequence[ParsedPost], posts: Sequence[NewPost], name: str
) -> None:
    """Give the posts of rows the slots that these ask for, in their order, in the transaction that inserts them.

    Existing posts are locked before, and the campaigns that posts join. The contents of the rows get the times, too.
    `name`: what `param` calls the rows. Raises Unprocessable.
    """
    wishes = [(post, row.queue) for row, post in zip(rows, posts, strict=True) if row.queue is not None]
    try:
        await fill_slots(session, workspace_id, wishes, now_ms())
    except QueueFullError:
        sentence = (
            f"The rows ask for more slots of a queue than are free in the next {FARTHEST.days} days: nothing was done"
        )
        raise Unprocessable(Problem(sentence, "queue_full", name)) from None
    except QueueGoneError:
        raise Unprocessable(replace(UNKNOWN_QUEUE, param=name)) from None
    except UnknownZone:
        raise Unprocessable(replace(NO_QUEUE_ZONE, param=name)) from None
    for row, post in zip(rows, posts, strict=True):
        row.content.scheduled_for = post.columns["scheduled_for"]

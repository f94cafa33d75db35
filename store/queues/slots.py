"""The slots of queues that posts have, and the choice of free ones under the lock of the queue's row.

A post has a slot by its row: `queue_id` and `scheduled_wall`, in the queue's zone. The index `posts_by_slot` lets one
post have a slot, and the trigger `leave_queue` removes a post from its queue when its time changes.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ARRAY, ColumnElement, all_, literal, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.audit import Action, Actor, AuditEntry
from domain.campaigns import CampaignRules
from domain.content import PostContent
from domain.loop_share import HEAVY, loop_share
from domain.post import PostStatus
from domain.queues import FARTHEST, NEVER, SHORTEST_NOTICE, TakenSlots, TimeRanges, closed_by_campaign, free_slots
from domain.schedule import ScheduledTime
from store.campaigns.campaigns import campaign_rules
from store.models import Campaign, Id, Post, Queue
from store.pauses.moving import move_statement, move_values, wait_statement
from store.posts.contents import NewPost, rewrite
from store.queues.queues import slot_rule
from store.rows import lock_row

_MANY = 500
"""Posts from which on it is heavy work to choose their slots."""
_FIRST_DAYS = timedelta(days=14)
"""The time that is searched first for a free slot; then twice as much after it, and so on. A queue that is full for
long is so read in pieces, and one that is not by few rows."""
_full_until: ContextVar[dict[tuple[str, str | None], datetime] | None] = ContextVar("full_until", default=None)


class QueueFullError(Exception):
    """An error: a queue has no slot that a post could take."""


class QueueGoneError(Exception):
    """An error: a queue was deleted since posts were checked that ask for its slots."""


class QueueBusyError(Exception):
    """An error: another transaction changes a post that has just joined the queue. A repeat finds the post."""


@dataclass(frozen=True, slots=True)
class WaitingPost:
    """A locked post that waits in a slot of a queue."""

    id: str
    campaign_id: str | None
    slot: ScheduledTime


def put_into_slot(post: Post, queue_id: str, slot: ScheduledTime) -> None:
    """Give a post that is not in the database yet a slot."""
    post.queue_id = queue_id
    post.timezone, post.scheduled_wall, post.scheduled_for = slot.zone, slot.wall, slot.instant
    post.due_at = slot.instant
    for target in post.targets:
        target.due_at = slot.instant


async def move_into_slot(
    session: AsyncSession,
    post: Post,
    content: PostContent,
    actor: Actor,
    queue_id: str,
    slot: ScheduledTime,
    now: datetime,
) -> None:
    """Replace a locked post's content, and schedule it for a slot; the slot that it had is free again."""
    post.queue_id = None
    await session.flush()
    in_slot = {"timezone": slot.zone, "scheduled_wall": slot.wall, "scheduled_for": slot.instant}
    rewrite(
        post,
        content.model_copy(update=in_slot),
        actor,
        status=PostStatus.SCHEDULED,
        due_at=slot.instant,
        now=now,
    )
    post.queue_id = queue_id


async def first_free_slot(
    session: AsyncSession,
    queue: Queue,
    now: datetime,
    campaign: CampaignRules | None = None,
    *,
    post_id: str | None = None,
) -> ScheduledTime:
    """Return the first slot of a queue that a post of a campaign may take; that of the post itself counts as free.

    It is free until the transaction ends if the queue's row is locked. Raises QueueFullError, UnknownZone.
    """
    rule, closed, ids = slot_rule(queue), closed_by_campaign(campaign), () if post_id is None else (post_id,)
    full_until, key = _full_until.get(), (queue.id, campaign.id if campaign else None)
    since, end = (full_until or {}).get(key, now), now + FARTHEST

    async def search(first: datetime, last: datetime) -> ScheduledTime | None:
        taken = await _taken_slots(session, queue, ids, first, last)
        return next(free_slots(rule, taken, now, closed, since=first, until=last), None)

    if since > now and (present := await _present_slot(session, queue, post_id)) and present < since:
        slot = await search(present, present)
        if slot is not None:
            return slot
    days, slot = _FIRST_DAYS, None
    while slot is None and since < end:
        slot = await search(since, since + days)
        since, days = slot.instant if slot else since + days, 2 * days
    if full_until is not None:
        full_until[key] = since
    if slot is None:
        raise QueueFullError
    return slot


@contextmanager
def remembering_full_slots() -> Iterator[None]:
    """Search a queue only once for a free slot until the block ends, and then from the slot that was free."""
    token = _full_until.set({})
    try:
        yield
    finally:
        _full_until.reset(token)


async def _present_slot(session: AsyncSession, queue: Queue, post_id: str | None) -> datetime | None:
    if post_id is None:
        return None
    return await session.scalar(select(Post.scheduled_for).where(Post.id == post_id, Post.queue_id == queue.id))


async def _taken_slots(
    session: AsyncSession,
    queue: Queue,
    except_ids: Collection[str],
    since: datetime,
    until: datetime | None = None,
) -> TakenSlots:
    """Return the slots that posts have whose instants may be from `since` to `until`, without those of some posts."""
    # A day more in any zone: zones are less than a day apart from UTC, and a clock change may skip a day.
    first = (since - timedelta(days=2)).date().isoformat()
    query = select(Post.scheduled_wall, Post.scheduled_for).where(Post.queue_id == queue.id)
    query = query.where(Post.scheduled_wall >= first, _is_other_than(except_ids))
    if until is not None:
        query = query.where(Post.scheduled_wall < (until + timedelta(days=3)).date().isoformat())
    rows = (await session.execute(query)).all()
    return TakenSlots({wall for wall, _ in rows if wall}, {instant for _, instant in rows if instant})


def _is_other_than(post_ids: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that a post is not one of these: an array, as a statement has 32,767 parameters at most."""
    return Post.id != all_(literal(list(post_ids), ARRAY(Id)))


async def _closed_by_campaigns(session: AsyncSession, campaign_ids: Collection[str | None]) -> dict[str, TimeRanges]:
    """Return for which times each campaign has no posts."""
    query = select(Campaign).where(Campaign.id.in_([name for name in campaign_ids if name is not None]))
    campaigns = list(await session.scalars(query))
    return {campaign.id: closed_by_campaign(campaign_rules(campaign)) for campaign in campaigns}


async def lock_with_posts(
    session: AsyncSession, workspace_id: str, queue_id: str
) -> tuple[Queue, list[WaitingPost]] | None:
    """Lock the posts that wait in a queue, and then the queue; return the posts in the order of their slots.

    None if there is no such queue. Raises QueueBusyError if a post that has just joined it is being changed.
    """
    query = (
        select(Post.id, Post.campaign_id, Post.scheduled_for, Post.scheduled_wall, Post.timezone)
        .where(Post.queue_id == queue_id, Post.workspace_id == workspace_id, Post.status == PostStatus.SCHEDULED)
        .order_by(Post.id)
    )
    rows = list(await session.execute(query.with_for_update()))
    queue = await lock_row(session, Queue, workspace_id, queue_id)
    if queue is None:
        return None
    newer = query.where(_is_other_than([row.id for row in rows]))
    joined = list(await session.execute(newer))
    # A change of a post may hold the post and wait for the queue: to wait for that post here would never end.
    rows += list(await session.execute(newer.with_for_update(skip_locked=True)))
    posts = [
        WaitingPost(row.id, row.campaign_id, ScheduledTime(row.scheduled_for, row.scheduled_wall, row.timezone))
        for row in rows
    ]
    if {row.id for row in joined} - {post.id for post in posts}:
        raise QueueBusyError
    return queue, sorted(posts, key=lambda post: (post.slot.instant, post.id))


async def release_posts(session: AsyncSession, posts: Sequence[WaitingPost]) -> None:
    """Let locked posts leave their queue; they keep their times."""
    await session.execute(_LEAVE, {"ids": [post.id for post in posts]})


async def reflow(
    session: AsyncSession, queue: Queue, posts: Sequence[WaitingPost], actor: Actor, now: datetime
) -> list[str]:
    """Give the posts of a queue new slots in their order; queue and posts are locked.

    Posts that are due within a minute, or were, keep their slots. Returns the ids of the moved posts. Raises
    QueueFullError, UnknownZone.
    """
    movable = [post for post in posts if post.slot.instant >= now + SHORTEST_NOTICE]
    taken = await _taken_slots(session, queue, [post.id for post in movable], now)
    slots = await _new_slots(session, queue, taken, [post.campaign_id for post in movable], now)
    moves = [(post, slot) for post, slot in zip(movable, slots, strict=True) if slot != post.slot]
    values = move_values((post.id, post.slot, slot) for post, slot in moves)
    # Two updates: a slot can be taken only once the post that had it has left.
    await session.execute(_LEAVE, {"ids": values["ids"]})
    entry = AuditEntry(Action.CHANGED, actor, details=(("queueId", queue.id),))
    await _JOIN.execute(session, {**values, "queue_id": queue.id, "timezone": queue.timezone, "now": now}, entry)
    await session.execute(_WAIT, {"ids": values["ids"], "times": values["times"]})
    return [post.id for post, _ in moves]


async def fill_slots(
    session: AsyncSession, workspace_id: str, posts: Sequence[tuple[NewPost, str]], now: datetime
) -> None:
    """Give posts that are not in the database yet slots of their queues, which are given by id, in their order.

    The slots are free until the transaction ends. Raises QueueFullError, QueueGoneError, UnknownZone.
    """
    by_queue: dict[str, list[NewPost]] = defaultdict(list)
    for post, queue_id in posts:
        by_queue[queue_id].append(post)
    # In the order of ids, so that two requests never wait for each other.
    for queue_id in sorted(by_queue):
        queue = await lock_row(session, Queue, workspace_id, queue_id)
        if queue is None:
            raise QueueGoneError
        taken = await _taken_slots(session, queue, (), now)
        campaign_ids = [post.columns["campaign_id"] for post in by_queue[queue_id]]
        slots = await _new_slots(session, queue, taken, campaign_ids, now)
        for post, slot in zip(by_queue[queue_id], slots, strict=True):
            post.columns.update(
                queue_id=queue.id,
                timezone=slot.zone,
                scheduled_wall=slot.wall,
                scheduled_for=slot.instant,
                due_at=slot.instant,
            )
            for target in post.targets:
                target["due_at"] = slot.instant


async def _new_slots(
    session: AsyncSession, queue: Queue, taken: TakenSlots, campaign_ids: Sequence[str | None], now: datetime
) -> list[ScheduledTime]:
    """Return a slot for each post, given by its campaign: the first that is free, and open for the campaign."""
    closed = await _closed_by_campaigns(session, set(campaign_ids))
    slots = list[ScheduledTime]()
    async with loop_share(HEAVY if len(campaign_ids) > _MANY else 0) as turn:
        free: list[ScheduledTime | None] = list(free_slots(slot_rule(queue), taken, now))
        # Before its place, a campaign has no slot that is free and open for it.
        places = defaultdict[str | None, int](int)
        for campaign_id in campaign_ids:
            never, place = closed.get(campaign_id or "", NEVER), places[campaign_id]
            while place < len(free) and ((slot := free[place]) is None or never.cover(slot.instant)):
                place += 1
            if place == len(free) or slot is None:
                raise QueueFullError
            slots.append(slot)
            free[place], places[campaign_id] = None, place + 1
            await turn.pause()
    return slots


_LEAVE = text("UPDATE posts SET queue_id = NULL WHERE id = ANY(CAST(:ids AS text[]))")
_JOIN = move_statement("queue_id = :queue_id, timezone = :timezone,")
_WAIT = wait_statement("post_id", begun=False)


async def posts_in_slots(session: AsyncSession, queue_id: str, first: date, last: date) -> dict[datetime, str]:
    """Return the posts in the slots of a queue with wall times on these days: their ids by the slots' instants."""
    query = select(Post.scheduled_for, Post.id).where(Post.queue_id == queue_id, Post.scheduled_for.is_not(None))
    end = (last + timedelta(days=1)).isoformat()
    query = query.where(Post.scheduled_wall >= first.isoformat(), Post.scheduled_wall < end)
    return {instant: post_id for instant, post_id in await session.execute(query) if instant}

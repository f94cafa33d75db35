"""Create, change and delete queues, and list their slots."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.http.moments import read_moment
from api.http.query import Query
from api.posts.bodies.blackouts import read_blackouts
from api.posts.bodies.schemas import NamedTarget
from api.queues.schemas import QueueBody, QueuePatchBody, SlotListView, SlotView
from domain.audit import Actor
from domain.codes import ProblemCode
from domain.errors import Conflict, InvalidRequest, NotFound, Problem, Unavailable, Unprocessable
from domain.ids import new_id
from domain.queues import FARTHEST, MOST_DAYS, MOST_QUEUES, MOST_SLOTS, SlotStatus, slot_status
from domain.schedule import HORIZON_YEARS, UnknownZone, local_time, rfc3339, zone_named
from platforms.registry import platforms
from store.accounts.connected import find_accounts
from store.models import Queue
from store.queues.queues import (
    AccountName,
    accounts_of_queues,
    find_queue_named,
    queues_of_accounts,
    replace_accounts,
    slot_rule,
)
from store.queues.slots import (
    QueueBusyError,
    QueueFullError,
    WaitingPost,
    lock_with_posts,
    posts_in_slots,
    reflow,
    release_posts,
)
from store.rows import count_rows, find_row, lock, lock_row

_USUAL = timedelta(days=30)
_FARTHEST = timedelta(days=366 * HORIZON_YEARS)


class SlotRange(NamedTuple):
    """A range of time, of which both ends are included."""

    first: datetime
    last: datetime


def read_range(query: Query, timezone: str, now: datetime) -> SlotRange:
    """Return the range that a query asks for: 30 days from now if it says nothing. Raises InvalidRequest."""
    problems: list[Problem] = []

    def bound(name: str, *, end: bool) -> datetime | None:
        time = read_moment(name, query[name], timezone, problems, end=end) if query[name] else None
        if time is not None and abs(time.instant - now) > _FARTHEST:
            sentence = f"{name} must be within {HORIZON_YEARS} years of now"
            problems.append(Problem(sentence, "invalid_field_value", name))
        return time.instant if time else None

    first, last = bound("from", end=False), bound("to", end=True)
    if first is None:
        first = now if last is None else last - _USUAL
    last = first + _USUAL if last is None else last
    if not problems and not timedelta(0) <= last - first <= timedelta(days=MOST_DAYS, hours=1):
        sentence = f"to must be at or after from, and at most {MOST_DAYS} days later"
        problems.append(Problem(sentence, "invalid_field_value", "to"))
    if problems:
        raise InvalidRequest(problems)
    return SlotRange(first, last)


async def list_slots(session: AsyncSession, queue: Queue, selection: SlotRange) -> SlotListView:
    """Return the slots of a queue in a range, the soonest first."""
    zone, now, rule = zone_named(queue.timezone), datetime.now(UTC), slot_rule(queue)
    # A day more on both sides: clock changes move slots, and posts may have slots of an earlier zone.
    days = [
        moment.astimezone(zone).date() + timedelta(days=day) for moment, day in zip(selection, (-1, 1), strict=True)
    ]
    posts = await posts_in_slots(session, queue.id, days[0], days[1])
    statuses = {slot.instant: slot_status(rule, slot, now) for slot in rule.slots(days[0], days[1])}
    statuses |= dict.fromkeys(posts, SlotStatus.TAKEN)
    return SlotListView(
        timezone=queue.timezone,
        slots=[
            SlotView(
                at=rfc3339(at),
                local=local_time(at, queue.timezone) or "",
                status=statuses[at],
                postId=posts.get(at),
            )
            for at in sorted(statuses)
            if selection.first <= at <= selection.last
        ],
    )


_UNKNOWN = Problem("This workspace has no such queue", "not_found")
_TOO_MANY = Problem(f"This workspace has {MOST_QUEUES} queues, as many as it may have", "too_many_queues")
_BUSY = Problem("Another request changes a post of this queue; please try again", "unavailable")
_TOO_FULL = Problem(
    f"The queue has fewer free slots in the next {FARTHEST.days} days than posts that wait in it; nothing was changed",
    "queue_full",
    "reflow",
)
_NO_ZONE = Problem(
    "The time zone of the queue, or of a campaign whose posts wait in it, no longer exists; give it another one",
    "invalid_field_value",
    "timezone",
)
_ZONE_NEEDS_REFLOW = Problem(
    "Posts wait in slots of the old zone: send reflow true with the new timezone, and they get new ones",
    "conflict",
    "timezone",
)


async def create_queue(deps: Dependencies, workspace_id: str, body: QueueBody) -> Queue:
    """Create a queue. Raises InvalidRequest, Unprocessable, Conflict."""
    now = datetime.now(UTC)
    queue = Queue(id=new_id("que"), workspace_id=workspace_id, slots=[], blackouts=[], created_at=now, updated_at=now)
    _write(queue, body)
    async with deps.database.transaction() as session:
        await _lock_queues(session, workspace_id)
        if await count_rows(session, Queue.workspace_id == workspace_id) >= MOST_QUEUES:
            raise Unprocessable(_TOO_MANY)
        await _require_own_name(session, queue)
        accounts = await _free_accounts(session, queue, body.accounts or [])
        session.add(queue)
        await session.flush()
        await replace_accounts(session, queue, accounts)
    return queue


async def change_queue(
    deps: Dependencies, workspace_id: str, queue_id: str, body: QueuePatchBody, actor: Actor
) -> tuple[Queue, list[str] | None]:
    """Change a queue; return it, and the ids of the posts that a reflow has moved, None without one.

    Raises NotFound, InvalidRequest, Unprocessable, Conflict, Unavailable.
    """
    async with deps.database.transaction() as session:
        await _lock_queues(session, workspace_id)
        waiting: list[WaitingPost] = []
        if body.reflow or body.timezone is not None:
            queue, waiting = await _lock_with_posts(session, workspace_id, queue_id)
        else:
            queue = await require_queue(session, workspace_id, queue_id, lock=True)
        if body.timezone not in {None, queue.timezone} and waiting and not body.reflow:
            raise Conflict(_ZONE_NEEDS_REFLOW)
        _write(queue, body)
        queue.updated_at = datetime.now(UTC)
        await _require_own_name(session, queue)
        if body.accounts is not None:
            await replace_accounts(session, queue, await _free_accounts(session, queue, body.accounts))
        if not body.reflow:
            return queue, None
        try:
            return queue, await reflow(session, queue, waiting, actor, queue.updated_at)
        except QueueFullError as error:
            raise Unprocessable(_TOO_FULL) from error
        except UnknownZone as error:
            raise Unprocessable(_NO_ZONE) from error


async def delete_queue(deps: Dependencies, workspace_id: str, queue_id: str) -> None:
    """Delete a queue; its posts keep their times. Raises NotFound, Unavailable."""
    async with deps.database.transaction() as session:
        await _lock_queues(session, workspace_id)
        queue, waiting = await _lock_with_posts(session, workspace_id, queue_id)
        await release_posts(session, waiting)
        await session.delete(queue)


async def require_queue(session: AsyncSession, workspace_id: str, queue_id: str, *, lock: bool = False) -> Queue:
    """Return a queue of the workspace; `lock` holds it until the transaction ends. Raises NotFound."""
    queue = await (lock_row if lock else find_row)(session, Queue, workspace_id, queue_id)
    if queue is None:
        raise NotFound(_UNKNOWN)
    return queue


async def _lock_queues(session: AsyncSession, workspace_id: str) -> None:
    """Let one request at a time change the queues of a workspace: their number, their names and their accounts."""
    await lock(session, f"queues.{workspace_id}")


async def _lock_with_posts(session: AsyncSession, workspace_id: str, queue_id: str) -> tuple[Queue, list[WaitingPost]]:
    try:
        locked = await lock_with_posts(session, workspace_id, queue_id)
    except QueueBusyError as error:
        raise Unavailable(_BUSY, retry_after=1) from error
    if locked is None:
        raise NotFound(_UNKNOWN)
    return locked


def _write(queue: Queue, body: QueueBody | QueuePatchBody) -> None:
    """Write the fields that a body has into a row, apart from its accounts. Raises InvalidRequest."""
    problems: list[Problem] = []
    queue.name, queue.timezone = body.name or queue.name, body.timezone or queue.timezone
    if body.slots is not None:
        if sum(len(set(slot.days)) for slot in body.slots) > MOST_SLOTS:
            sentence = f"A queue has at most {MOST_SLOTS} slots in a week: each day of each entry is one"
            problems.append(Problem(sentence, "invalid_field_value", "slots"))
        queue.slots = [{"days": slot.days, "time": slot.time} for slot in body.slots]
    if body.blackouts is not None:
        queue.blackouts = [blackout.as_json() for blackout in read_blackouts(body.blackouts, problems)]
    seen: set[AccountName] = set()
    for position, account in enumerate(body.accounts or []):
        if (name := (account.platform, account.account_id)) in seen:
            where = f"accounts.{position}.accountId"
            problems.append(Problem(f"{where} is named already", "duplicate_target", where))
        seen.add(name)
    if problems:
        raise InvalidRequest(problems)


async def _require_own_name(session: AsyncSession, queue: Queue) -> None:
    """Raise Conflict if another queue of the workspace has the name."""
    with session.no_autoflush:
        other = await find_queue_named(session, queue.workspace_id, queue.name)
    if other is not None and other.id != queue.id:
        raise Conflict(Problem(f"The queue {other.id} has this name", "conflict", "name"))


async def _free_accounts(session: AsyncSession, queue: Queue, named: Sequence[NamedTarget]) -> list[AccountName]:
    """Return accounts that may be a queue's. Raises Unprocessable, and Conflict for those of another queue."""
    names = [(account.platform, account.account_id) for account in named]
    own = set((await accounts_of_queues(session, [queue.id])).get(queue.id, ()))
    connected = await find_accounts(session, queue.workspace_id, [account_id for _, account_id in names])
    missing = [
        _problem("is not connected", "account_not_found", name, position)
        for position, name in enumerate(names)
        if name not in own and (name[1] not in connected or connected[name[1]].platform != name[0])
    ]
    if missing:
        raise Unprocessable(missing)
    queue_ids = await queues_of_accounts(session, queue.workspace_id, names)
    taken = [
        _problem(f"is in the queue {queue_ids[name]}", "account_in_another_queue", name, position)
        for position, name in enumerate(names)
        if queue_ids.get(name, queue.id) != queue.id
    ]
    if taken:
        raise Conflict(taken)
    return names


def _problem(reason: str, code: ProblemCode, account: AccountName, position: int) -> Problem:
    platform, account_id = account
    sentence = f"{platforms()[platform].label} account {account_id} {reason}"
    return Problem(sentence, code, f"accounts.{position}.accountId", platform, account_id)

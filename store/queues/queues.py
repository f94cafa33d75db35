"""The rows of queues and of their accounts, always of one workspace."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import time

from sqlalchemy import delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from domain.campaigns import Blackout
from domain.queues import SlotRule, Weekday
from store.models import Queue, QueueAccount

AccountName = tuple[str, str]
"""Platform and id of an account."""


def slot_rule(queue: Queue) -> SlotRule:
    """Return the rule that makes the slots of a queue."""
    return SlotRule(
        queue.timezone,
        frozenset((Weekday(day), time.fromisoformat(slot["time"])) for slot in queue.slots for day in slot["days"]),
        tuple(map(Blackout.from_json, queue.blackouts)),
    )


async def list_queues(session: AsyncSession, workspace_id: str) -> Sequence[Queue]:
    """Return the queues of a workspace, the oldest first."""
    return list(await session.scalars(select(Queue).where(Queue.workspace_id == workspace_id).order_by(Queue.id)))


async def find_queue_named(session: AsyncSession, workspace_id: str, name: str) -> Queue | None:
    """Return the queue of a workspace that has a name."""
    return await session.scalar(select(Queue).where(Queue.workspace_id == workspace_id, Queue.name == name))


async def accounts_of_queues(session: AsyncSession, queue_ids: Iterable[str]) -> dict[str, list[AccountName]]:
    """Return the accounts of each queue, in their order."""
    query = select(QueueAccount.queue_id, QueueAccount.platform, QueueAccount.account_id)
    query = query.where(QueueAccount.queue_id.in_(queue_ids)).order_by(QueueAccount.queue_id, QueueAccount.position)
    accounts: dict[str, list[AccountName]] = defaultdict(list)
    for queue_id, platform, account_id in await session.execute(query):
        accounts[queue_id].append((platform, account_id))
    return accounts


async def queues_of_accounts(
    session: AsyncSession, workspace_id: str, accounts: Iterable[AccountName]
) -> dict[AccountName, str]:
    """Return the id of the queue of each account that is in one."""
    name = tuple_(QueueAccount.platform, QueueAccount.account_id)
    query = select(QueueAccount.platform, QueueAccount.account_id, QueueAccount.queue_id)
    query = query.where(QueueAccount.workspace_id == workspace_id, name.in_(list(accounts)))
    return {(platform, account_id): queue_id for platform, account_id, queue_id in await session.execute(query)}


async def replace_accounts(session: AsyncSession, queue: Queue, accounts: Sequence[AccountName]) -> None:
    """Give a queue its accounts, of which none may be in another queue."""
    await session.execute(delete(QueueAccount).where(QueueAccount.queue_id == queue.id))
    session.add_all(
        QueueAccount(
            workspace_id=queue.workspace_id,
            platform=platform,
            account_id=account_id,
            queue_id=queue.id,
            position=position,
        )
        for position, (platform, account_id) in enumerate(accounts)
    )
    await session.flush()

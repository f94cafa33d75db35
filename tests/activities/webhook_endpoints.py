"""Endpoints of a new workspace, each with a receiver behind it, and the steps of a worker for them."""

import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from temporalio.testing import ActivityEnvironment

from activities.meters import Meters
from activities.webhook_requests import WebhookSender
from activities.webhooks import DeliverCommand, DeliveryRound, WebhookSteps
from domain.ids import first_id, new_id
from domain.webhooks import new_secret
from platforms.http.addresses import AllowedHosts
from platforms.http.guard import GuardedTransport
from store.models import Delivery, DeliveryAttempt, Event, Webhook
from store.secrets.vault import Vault
from store.webhooks.deliveries import make_deliveries
from store.webhooks.endpoints import NewEndpoint, create_endpoint, keep_handover_key, seal_secret
from tests.activities.receivers import Receiver, receiving
from tests.stack import Stack

NAMES = ["post.published", "webhook.disabled"]


class Endpoint:
    """An endpoint of a new workspace, with a receiver behind it."""

    def __init__(self, stack: Stack, receiver: Receiver, workspace_id: str, steps: WebhookSteps) -> None:
        self.stack, self.receiver, self.workspace_id, self.steps = stack, receiver, workspace_id, steps
        self.id = new_id("wh")
        self.secret = new_secret()

    async def create(self, url: str, enabled: bool = True) -> None:
        async with self.stack.api_database.transaction() as session:
            sealed = await seal_secret(session, self.id, self.secret)
            assert sealed
            new = NewEndpoint(self.id, self.workspace_id, url, NAMES, None, enabled, sealed)
            assert await create_endpoint(session, new, 20)

    async def happen(self, count: int = 1, type_: str = "post.published", *, with_deliveries: bool = True) -> list[str]:
        """Write events as triggers do, and make their deliveries; return their ids."""
        ids = []
        async with self.stack.database.transaction() as session:
            for number in range(count):
                event_id = new_id("evt")
                values = {"id": event_id, "workspace_id": self.workspace_id, "type": type_, "data": {"number": number}}
                await session.execute(insert(Event).values(**values))
                ids.append(event_id)
            if with_deliveries:
                await make_deliveries(session)
        return ids

    async def happen_at(self, times: Sequence[datetime]) -> list[str]:
        """Write events of past times, and make their deliveries; return their ids."""
        # An id begins with its time.
        ids = [first_id("evt", at)[:-12] + secrets.token_hex(6) for at in times]
        async with self.stack.database.transaction() as session:
            for event_id, at in zip(ids, times, strict=True):
                values = {"id": event_id, "workspace_id": self.workspace_id, "type": "post.published", "at": at}
                await session.execute(insert(Event).values(**values, data={}))
            await make_deliveries(session)
        return ids

    async def deliver(self, *, probes_now: bool = False, redelivers: bool = False) -> DeliveryRound:
        command = DeliverCommand(webhook_id=self.id, probes_now=probes_now, redelivers=redelivers)
        return await ActivityEnvironment().run(self.steps.deliver_events, command)

    async def row(self) -> Webhook:
        async with self.stack.database.reading() as session:
            row = await session.get(Webhook, self.id)
            assert row
            return row

    async def put(self, **values: Any) -> None:
        async with self.stack.database.transaction() as session:
            await session.execute(update(Webhook).where(Webhook.id == self.id).values(**values))

    async def put_deliveries(self, **values: Any) -> None:
        async with self.stack.database.transaction() as session:
            await session.execute(update(Delivery).where(Delivery.webhook_id == self.id).values(**values))

    async def deliveries(self) -> list[Delivery]:
        async with self.stack.database.reading() as session:
            rows = select(Delivery).where(Delivery.webhook_id == self.id).order_by(Delivery.event_id)
            return list(await session.scalars(rows))

    async def states(self) -> list[tuple[str, int]]:
        return [(row.state, row.attempts) for row in await self.deliveries()]

    async def attempts(self) -> list[DeliveryAttempt]:
        ids = [row.id for row in await self.deliveries()]
        async with self.stack.database.reading() as session:
            rows = select(DeliveryAttempt).where(DeliveryAttempt.delivery_id.in_(ids)).order_by(DeliveryAttempt.id)
            return list(await session.scalars(rows))


@asynccontextmanager
async def steps_of_worker(
    stack: Stack, *hosts: str, vault: Vault | None = None, publishing: Callable[[], int] = lambda: 0
) -> AsyncIterator[WebhookSteps]:
    async with GuardedTransport(AllowedHosts(hosts)) as transport:
        sender = WebhookSender(transport)
        try:
            own = vault or Vault(stack.settings.encryption_keys)
            yield WebhookSteps(stack.worker_database, own, sender, Meters(), publishing)
        finally:
            await sender.close()


@asynccontextmanager
async def endpoints(stack: Stack, count: int) -> AsyncIterator[list[Endpoint]]:
    """Make endpoints of one new workspace, each with a receiver of its own."""
    workspace_id, _ = await stack.new_workspace()
    async with stack.worker_database.transaction() as session:
        await keep_handover_key(session, Vault(stack.settings.encryption_keys))
    async with receiving() as first, receiving() as second:
        receivers = [first, second][:count]
        async with steps_of_worker(stack, *(receiver.host for receiver in receivers)) as steps:
            new_endpoints = [Endpoint(stack, receiver, workspace_id, steps) for receiver in receivers]
            for endpoint in new_endpoints:
                await endpoint.create(endpoint.receiver.url)
            yield new_endpoints

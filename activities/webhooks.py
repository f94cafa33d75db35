"""The worker's step for an endpoint: it sends what is due, and writes each answer."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import structlog
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from activities.heartbeat import heartbeating
from activities.meters import Meters
from activities.webhook_requests import NoConnection, WebhookSender
from domain.shares import Exhausted, Shares
from domain.webhooks import Answer, WebhookStatus
from platforms.http.shared_transport import wait_for_share
from store.database import Database
from store.failures import persist
from store.models import Webhook
from store.rows import current_row
from store.secrets.handover import HandoverError
from store.secrets.vault import Vault, VaultError
from store.webhooks.deliveries import (
    ClaimedDelivery,
    Settled,
    TakenEvent,
    claim_deliveries,
    drop_delivery,
    next_due,
    record_taken,
    release_deliveries,
    settle_failure,
)
from store.webhooks.endpoints import SealedSecret, count_waiting, open_secret
from store.webhooks.logs import redeliver_exhausted


class TakenEvents:
    """The events that an endpoint takes in a step."""

    def __init__(self, database: Database, webhook_id: str) -> None:
        self._database = database
        self._webhook_id = webhook_id
        self._waiting: list[TakenEvent] = []
        self._turn = asyncio.Lock()
        self._is_serving = True

    async def record(self, event: TakenEvent) -> bool:
        """Write an event that was taken, and all that wait to be written; return whether more may be sent now."""
        self._waiting.append(event)
        async with self._turn:
            # Otherwise the one before has written it, too.
            if event in self._waiting:
                events, self._waiting = self._waiting, []

                async def write() -> bool:
                    return await record_taken(self._database.answers, self._webhook_id, events, datetime.now(UTC))

                self._is_serving = await persist(write)
        return self._is_serving


log = structlog.get_logger(__name__)

_BATCH, _AT_A_TIME = 50, 8
"""Events that are claimed together, and requests at the same time to an endpoint that takes events."""
_BUSY, _LOOKS_EVERY_S = 8, 0.05
"""Targets that this process may publish in a second while it delivers; beside more of them, a batch waits."""
_LEAST_WAIT, _LONGEST_WAIT = timedelta(seconds=0.25), timedelta(seconds=5)
"""The bounds of that wait: until its first event has been due for so long, so that a worker which always publishes
delivers as many events as there are, later. Batches that are late already wait shortly, so that many of them do not
delay posts."""
STEPS = 80
"""Steps of this process that deliver at the same time; a workspace gets as many as then stay free for others."""
_NEXT_TURN = timedelta(seconds=10)
"""The wait of a step that finds no share of its workspace for two seconds."""
_ROUND_S = 30.0
"""Seconds after which a step claims no more: its claims last for 60 s, and the last requests may take 15."""


class DeliverCommand(BaseModel):
    """The endpoint, without its address and secrets."""

    webhook_id: str
    probes_now: bool = False
    """Whether an operator asks to try it now."""
    redelivers: bool = False
    """Whether an operator asks to deliver again what it did not get."""


class DeliveryRound(BaseModel):
    """The state of an endpoint after a step."""

    exists: bool
    next_at: datetime | None = None
    """When something is to be sent next; None if nothing waits."""
    waiting: int = 0
    status: WebhookStatus = WebhookStatus.ACTIVE
    failing_since: datetime | None = None
    last_failure: str | None = None


class _Turns(asyncio.Semaphore):
    """The turns of a step's requests: one at a time until the endpoint has taken an event, then _AT_A_TIME.

    So an endpoint that hangs has one of the workspace's connections, and spends one attempt of one event.
    """

    def __init__(self) -> None:
        super().__init__(1)
        self._is_open = False

    def open(self) -> None:
        """Let more requests begin: the endpoint has taken an event."""
        if not self._is_open:
            self._is_open = True
            for _ in range(_AT_A_TIME - 1):
                self.release()


@dataclass(slots=True)
class _Batch:
    """Events that are sent to an endpoint together, until the time `end`."""

    webhook: Webhook
    secrets: list[str]
    end: float
    taken: TakenEvents
    turns: _Turns
    may_continue: bool = True
    """Whether the endpoint has not begun to fail."""
    unsent: list[str] = field(default_factory=list)
    """The ids of deliveries of which nothing was sent."""


class WebhookSteps:
    """The activity that delivers events to endpoints."""

    def __init__(
        self, database: Database, vault: Vault, sender: WebhookSender, meters: Meters, publishing: Callable[[], int]
    ) -> None:
        """Deliver beside the steps of this process that publish, of which `publishing` returns the recent ones."""
        self._turns = Shares(STEPS)
        self._publishing = publishing
        self._database = database
        self._vault = vault
        self._sender = sender
        self._meters = meters

    @activity.defn
    async def deliver_events(self, command: DeliverCommand) -> DeliveryRound:
        """Send what is due to an endpoint, at most for half a minute, and return when it is to be done again."""
        async with self._database.transaction() as session:
            if command.redelivers:
                await redeliver_exhausted(session, command.webhook_id, datetime.now(UTC))
            webhook = await current_row(session, Webhook, command.webhook_id)
            if webhook is None:
                return DeliveryRound(exists=False)
            if command.probes_now and webhook.probe_at is not None:
                webhook.probe_at = datetime.now(UTC)
        try:
            turn = await wait_for_share(self._turns, webhook.workspace_id)
        except Exhausted:
            return await self._state(command.webhook_id, datetime.now(UTC) + _NEXT_TURN)
        with turn:
            async with heartbeating():
                await self._deliver_due(command.webhook_id)
            return await self._state(command.webhook_id)

    async def _deliver_due(self, webhook_id: str) -> None:
        end, turns = time.monotonic() + _ROUND_S, _Turns()
        while time.monotonic() < end:
            async with self._database.transaction() as session:
                webhook = await current_row(session, Webhook, webhook_id)
                if webhook is None:
                    return
                now = datetime.now(UTC)
                claimed = await claim_deliveries(session, webhook, now, _BATCH)
                secrets = await self._secrets(session, webhook, now) if claimed else []
            if not claimed or not secrets:
                return
            # Its events are claimed: no signal is sent for those that follow, which would cost this worker a task.
            await self._give_way(claimed, now)
            batch = _Batch(webhook, secrets, end, TakenEvents(self._database, webhook.id), turns)
            await asyncio.gather(*(self._deliver(batch, delivery) for delivery in claimed))
            if batch.unsent:
                async with self._database.transaction() as session:
                    await release_deliveries(session, batch.unsent)

    async def _give_way(self, claimed: Sequence[ClaimedDelivery], now: datetime) -> None:
        """Let posts that are being published go first, for a moment: they are late by what their events cost."""
        if any(delivery.is_test for delivery in claimed):
            # A client waits for its outcome.
            return
        overdue = now - min(delivery.due_at for delivery in claimed)
        wait = min(max(_LONGEST_WAIT - overdue, _LEAST_WAIT), _LONGEST_WAIT)
        until = time.monotonic() + wait.total_seconds()
        while self._publishing() > _BUSY and time.monotonic() < until:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(_LOOKS_EVERY_S)

    async def _secrets(self, session: AsyncSession, webhook: Webhook, now: datetime) -> list[str]:
        """Return the secrets in use, the newest first; none if this worker cannot open them, which is no failure."""
        sealed = [SealedSecret(webhook.secret_key, webhook.secret)]
        if webhook.older_secret and webhook.older_secret_key and webhook.older_until and webhook.older_until > now:
            sealed.append(SealedSecret(webhook.older_secret_key, webhook.older_secret))
        try:
            return [await open_secret(session, self._vault, webhook.id, secret) for secret in sealed]
        except (VaultError, HandoverError):
            log.warning("webhook.secret_unreadable", webhook_id=webhook.id, workspace_id=webhook.workspace_id)
            return []

    async def _deliver(self, batch: "_Batch", delivery: ClaimedDelivery) -> None:
        """Send one event, unless the endpoint has begun to fail meanwhile or the round is over."""
        async with batch.turns:
            webhook = batch.webhook
            if delivery.event is None:
                async with self._database.transaction() as session:
                    await drop_delivery(session, delivery.id)
                return
            if not (batch.may_continue or delivery.is_test) or time.monotonic() > batch.end:
                batch.unsent.append(delivery.id)
                return
            headers = {
                "X-SocialSyncerAPI-Delivery": delivery.id,
                "X-SocialSyncerAPI-Attempt": str(delivery.attempts + 1),
            }
            began = datetime.now(UTC)
            try:
                answer = await self._sender.send(
                    webhook.workspace_id, webhook.url, delivery.event, batch.secrets, headers
                )
            except NoConnection:
                batch.unsent.append(delivery.id)
                return
            if answer.is_delivered:
                batch.turns.open()
                taken = TakenEvent(delivery.id, began, answer.ms, answer.http_status, answer.response)
                batch.may_continue = await batch.taken.record(taken)
            else:
                batch.may_continue = (await self._settle_failure(webhook, delivery, answer, began)).may_continue
            self._meters.record_delivery(delivered=answer.is_delivered)
            if delivery.is_test:
                # Its client waits for the outcome.
                self._database.announcer.add([delivery.id])

    async def _settle_failure(
        self, webhook: Webhook, delivery: ClaimedDelivery, answer: Answer, began: datetime
    ) -> Settled:
        async def write() -> Settled:
            async with self._database.answers.transaction() as session:
                return await settle_failure(session, webhook.id, delivery, answer, began, datetime.now(UTC))

        settled = await persist(write)
        if settled.disabled is not None:
            log.warning(
                "webhook.disabled",
                webhook_id=webhook.id,
                workspace_id=webhook.workspace_id,
                reason=settled.disabled.value,
                event_id=delivery.event_id,
            )
        return settled

    async def _state(self, webhook_id: str, not_before: datetime | None = None) -> DeliveryRound:
        async with self._database.transaction() as session:
            webhook = await current_row(session, Webhook, webhook_id)
            if webhook is None:
                return DeliveryRound(exists=False)
            next_at = await next_due(session, webhook)
            return DeliveryRound(
                exists=True,
                next_at=max(next_at, not_before) if next_at and not_before else next_at,
                waiting=(await count_waiting(session, [webhook.id]))[webhook.id],
                status=webhook.status,
                failing_since=webhook.failing_since,
                last_failure=webhook.last_failure,
            )

"""The workflow of an endpoint that has something to get: one at a time, for as long as something waits."""

from datetime import datetime, timedelta

from pydantic import BaseModel
from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities import options
    from activities.webhooks import DeliverCommand, DeliveryRound, WebhookSteps
    from domain.webhooks import WebhookStatus

_IDLE = timedelta(seconds=60)
"""How long a run stays without work: the next event then needs no new run."""


_PAUSE = timedelta(seconds=1)
"""The shortest pause between two rounds: what another worker has claimed is due, and cannot be claimed."""


class WebhookPlan(BaseModel):
    """The endpoint, without its address."""

    workspace_id: str
    webhook_id: str


def webhook_workflow_id(workspace_id: str, webhook_id: str) -> str:
    """Return the id of an endpoint's workflow. Ids of posts' workflows begin with the workspace, so none is like it."""
    return f"webhooks/{workspace_id}/{webhook_id}"


@workflow.defn
class WebhookWorkflow:
    """The deliveries to one endpoint, in rounds. Rows say which events wait, and when they are due."""

    def __init__(self) -> None:
        self._is_woken = False
        self._probes_now = False
        self._redelivers = False

    @workflow.run
    async def run(self, plan: WebhookPlan) -> None:
        """Deliver until nothing waits."""
        while True:
            command = DeliverCommand(
                webhook_id=plan.webhook_id, probes_now=self._probes_now, redelivers=self._redelivers
            )
            self._is_woken = self._probes_now = self._redelivers = False
            state = await workflow.execute_activity_method(
                WebhookSteps.deliver_events,
                command,
                task_queue=options.WEBHOOKS_QUEUE,
                start_to_close_timeout=options.DELIVER_TIMEOUT,
                heartbeat_timeout=options.HEARTBEAT_TIMEOUT,
                retry_policy=options.RETRY_POLICY,
                summary="deliver events",
            )
            if not state.exists:
                return
            workflow.set_current_details(details(state))
            if not await self._next_round(state.next_at):
                return
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(plan)

    async def _next_round(self, next_at: datetime | None) -> bool:
        """Wait until something is due or this is woken; False if nothing came."""
        wait = _IDLE if next_at is None else max(next_at - workflow.now(), _PAUSE)
        try:
            await workflow.wait_condition(lambda: self._is_woken, timeout=wait)
        except TimeoutError:
            return next_at is not None
        return True

    @workflow.signal(description="Deliver what is due. The service sends it for each event.")
    def wake(self) -> None:
        """Begin a round."""
        self._is_woken = True

    @workflow.signal(description="Try an endpoint that fails now, and not at the time of its next probe.")
    def resume(self) -> None:
        """Begin a round with a probe."""
        self._is_woken = self._probes_now = True

    @workflow.signal(description="Deliver again what the endpoint did not get although all attempts were made.")
    def redeliver(self) -> None:
        """Begin a round with exhausted events."""
        self._is_woken = self._redelivers = True


def details(state: DeliveryRound) -> str:
    """Return what the Web UI shows of an endpoint."""
    parts = [f"{state.waiting} waiting"]
    if state.failing_since is not None and state.status is WebhookStatus.FAILING:
        parts.append(f"failing since {state.failing_since:%Y-%m-%d %H:%M} UTC ({state.last_failure})")
    else:
        parts.append(state.status)
    if state.next_at is not None:
        parts.append(f"next try {state.next_at:%Y-%m-%d %H:%M} UTC")
    return ", ".join(parts)

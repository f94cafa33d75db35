"""Errors of activities, their retries by Temporal, and the short steps on posts."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory
from temporalio.testing import ActivityEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities import options
from activities.commands import GiveUpCommand, GiveUpReason
from activities.errors import retry_error
from activities.posts import PostActivities
from domain.plan import KEY_MISSING, NO_DISK_SPACE
from domain.post import TargetStatus
from platforms.errors import ErrorKind, PlatformError
from platforms.registry import platforms
from tests.stack import Stack


async def test_incomplete_follow_up_is_reported(stack: Stack) -> None:
    post = await stack.publish("nothing follows", [stack.accounts["plain"]])
    (target,) = post.targets
    command = GiveUpCommand(
        post_id=post.id,
        version=1,
        target_id=target.id,
        platform=target.platform,
        code=GiveUpReason.INCOMPLETE,
    )
    outcome = await ActivityEnvironment().run(PostActivities(stack.worker_database).give_up, command)
    (target,) = (await stack.read(post.id)).targets
    assert (outcome.status, target.status) == (TargetStatus.PUBLISHED, TargetStatus.PUBLISHED)
    assert "could not be added" in (target.warning or "")


def failures() -> Iterator[tuple[PlatformError, bool]]:
    yield PlatformError(ErrorKind.RATE_LIMITED, "Wait.", code="rate_limited", status=429), True
    yield PlatformError(ErrorKind.TRANSIENT, "It failed.", code="http_503", status=503), True
    yield PlatformError(ErrorKind.TRANSIENT, "It could not be reached.", code="unreachable"), True
    yield PlatformError(ErrorKind.TRANSIENT, "The disk is full.", code=NO_DISK_SPACE), True
    yield PlatformError(ErrorKind.TRANSIENT, "The key is missing.", code=KEY_MISSING), True
    yield PlatformError(ErrorKind.TRANSIENT, "The decoder broke.", code="decoder_unavailable"), False


@pytest.mark.parametrize(("error", "is_expected"), list(failures()))
def test_only_faults_of_this_service_count(error: PlatformError, is_expected: bool) -> None:
    raised = ActivityEnvironment().run(lambda: retry_error(platforms()["twitter"], error))
    assert (raised.category is ApplicationErrorCategory.BENIGN) is is_expected


WAITS = 10


@activity.defn
async def wait_often_then_die() -> None:
    """Fail WAITS times as a step that waits for its rate limit, then as a step whose worker is killed."""
    if activity.info().attempt <= WAITS:
        raise ApplicationError("not yet", next_retry_delay=timedelta(milliseconds=1))
    await asyncio.sleep(60)


@workflow.defn
class Waiting:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(
            wait_often_then_die,
            schedule_to_close_timeout=timedelta(hours=1),
            heartbeat_timeout=timedelta(seconds=1),
            retry_policy=options.RETRY_POLICY,
        )


@pytest.fixture
async def workflow_id(stack: Stack) -> AsyncIterator[str]:
    name = f"waiting-{secrets.token_hex(4)}"
    async with Worker(
        stack.client,
        task_queue=name,
        workflows=[Waiting],
        activities=[wait_often_then_die],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        handle = await stack.client.start_workflow(Waiting.run, id=name, task_queue=name)
        yield name
        await handle.terminate()


@pytest.mark.thorough
async def test_step_is_repeated_within_a_minute_after_a_worker_crash(stack: Stack, workflow_id: str) -> None:
    handle = stack.client.get_workflow_handle(workflow_id)
    async with asyncio.timeout(60):
        while True:
            (pending,) = (await handle.describe()).raw_description.pending_activities or [None]
            if pending and pending.attempt > WAITS + 1 and pending.HasField("next_attempt_schedule_time"):
                break
            await asyncio.sleep(0.2)
    wait = pending.next_attempt_schedule_time.ToDatetime(UTC) - datetime.now(UTC)
    assert wait < timedelta(seconds=75)

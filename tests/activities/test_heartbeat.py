"""State that one attempt of an activity leaves to the next."""

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from activities.errors import media_busy_error, wait_before_retry
from activities.heartbeat import count_waiting_tries, heartbeating
from activities.options import FIRST_RETRY
from media.admission import MediaBusy
from platforms.errors import ErrorKind, PlatformError
from platforms.registry import platforms

TWITTER = platforms()["twitter"]


@activity.defn
async def give_back_twice() -> list[int]:
    async with heartbeating() as progress:
        progress.append("fetched 1.0 MB")
        if activity.info().attempt < 3:
            raise media_busy_error(TWITTER, MediaBusy(timedelta(0)), timedelta(milliseconds=1))
        return [activity.info().attempt, count_waiting_tries()]


@workflow.defn(name="give-back")
class GiveBack:
    @workflow.run
    async def run(self) -> list[int]:
        return await workflow.execute_activity(
            give_back_twice, start_to_close_timeout=timedelta(seconds=20), heartbeat_timeout=timedelta(seconds=10)
        )


async def test_heartbeat_counts_tries_that_only_waited(temporal: WorkflowEnvironment) -> None:
    queue = f"give-back-{uuid4().hex}"
    async with Worker(
        temporal.client,
        task_queue=queue,
        workflows=[GiveBack],
        activities=[give_back_twice],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        counts = await temporal.client.execute_workflow(GiveBack.run, id=queue, task_queue=queue)
    assert counts == [3, 2]


@pytest.mark.parametrize(("attempt", "details", "doubled"), [(1, [], 0), (3, [], 2), (9, [8], 0), (9, ["50%", 6], 2)])
async def test_tries_that_only_waited_do_not_lengthen_the_next_wait(
    attempt: int, details: list[object], doubled: int
) -> None:
    environment = ActivityEnvironment()
    environment.info = replace(ActivityEnvironment.default_info(), attempt=attempt, heartbeat_details=details)
    failure = PlatformError(ErrorKind.TRANSIENT, "The platform had an error.", code="server_error")
    wait = environment.run(wait_before_retry, failure)
    expected = FIRST_RETRY * 2**doubled
    assert expected * 0.8 <= wait <= expected * 1.2


async def test_try_that_only_waits_is_no_failure() -> None:
    environment = ActivityEnvironment()
    heard: list[object] = []
    environment.on_heartbeat = lambda *details: heard.extend(details)
    error = environment.run(media_busy_error, TWITTER, MediaBusy(timedelta(seconds=7)), timedelta(seconds=7))
    assert isinstance(error, ApplicationError)
    assert (error.next_retry_delay, error.non_retryable, heard) == (timedelta(seconds=7), False, [1])

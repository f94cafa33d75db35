"""The least that Temporal itself must do for a post: what our throughput is held against."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow


@activity.defn
async def nothing(number: int) -> int:
    """Do nothing, as a network's step would."""
    return number


@workflow.defn
class BareSleep:
    """Sleep for an hour, as a scheduled post does."""

    @workflow.run
    async def run(self) -> None:
        """Sleep."""
        await workflow.sleep(timedelta(hours=1))


@workflow.defn
class BarePublish:
    """Run two activities at once and tell who waits, as a post to two networks does."""

    def __init__(self) -> None:
        self._results: list[int] | None = None

    @workflow.run
    async def run(self) -> list[int]:
        """Run both activities."""
        self._results = await asyncio.gather(
            *(
                workflow.execute_activity(nothing, number, start_to_close_timeout=timedelta(seconds=10))
                for number in range(2)
            )
        )
        return self._results

    @workflow.update
    async def outcome(self) -> list[int]:
        """Wait for both."""
        await workflow.wait_condition(lambda: self._results is not None)
        return self._results or []

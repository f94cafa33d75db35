"""Publish what a client waits for right where its workflow runs, for as long as its network leaves room there."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.commands import TargetCommand
from activities.options import LEFT, queue_of
from activities.publish import Publishing
from domain.outcome import Outcome
from domain.waits import MEDIA_BUSY

ROOM = 25
"""Steps of one network at a time: one that does not answer takes no room of the others."""


class AtHand:
    """Be the publish step on the posts' own queue.

    Temporal hands a step to the worker that asks for it where both are of one queue: no other has to be found for it.
    What there is no room for, and what this worker does not serve, is left to the network's own queue.
    """

    def __init__(self, publishing: Publishing, platforms: Iterable[str]) -> None:
        self._publishing = publishing
        self._under_way: dict[str, set[asyncio.Task[Outcome]]] = {platform: set() for platform in platforms}
        self._stops = False

    @property
    def room(self) -> int:
        """Return how many steps there may be at a time, of all networks."""
        return ROOM * max(len(self._under_way), 1)

    @activity.defn(name="publish")
    async def publish(self, command: TargetCommand) -> Outcome:
        """Publish as `Publishing.publish` does, or leave it to the network's own queue."""
        steps = self._under_way.get(command.platform)
        if self._stops or steps is None or len(steps) >= ROOM:
            raise _left(command)
        step = asyncio.create_task(self._publishing.publish(command))
        steps.add(step)
        try:
            return await step
        except ApplicationError as error:
            if error.type == MEDIA_BUSY:
                raise _left(command) from error
            raise
        except asyncio.CancelledError:
            if self._stops and step.cancelled():
                raise _left(command) from None
            raise
        finally:
            steps.discard(step)

    async def stop(self, grace: timedelta) -> None:
        """Take nothing new, and cut short what is not over after the grace: another worker goes on with it."""
        self._stops = True
        if under_way := set[asyncio.Task[Outcome]]().union(*self._under_way.values()):
            _, late = await asyncio.wait(under_way, timeout=grace.total_seconds())
            for step in late:
                step.cancel()


def _left(command: TargetCommand) -> ApplicationError:
    return ApplicationError(
        f"left to the queue {queue_of(command.platform)}",
        type=LEFT,
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN,
    )

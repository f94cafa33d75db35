"""Queries of workflows for their posts' states, for as long as a worker responds."""

import asyncio

from workflows.client.runs import Run, Runs
from workflows.messages import StatusView

_MAX_FAILURES = 3
"""After this many workflows in a row without a response, the cause is a missing worker, not the workflows."""


class RunQueries:
    """Queries of workflows, a few at a time. They stop once no worker answers, because every timeout costs seconds."""

    def __init__(self, runs: Runs, concurrency: int) -> None:
        self._runs = runs
        self._slots = asyncio.Semaphore(concurrency)
        self._in_a_row = 0
        self.unanswered: set[str] = set()
        """Workflows that could not be queried."""

    async def query_status(self, run: Run) -> StatusView | None:
        """Return a run's view of its post, None if no worker responded."""
        async with self._slots:
            view = None if self._in_a_row >= _MAX_FAILURES else await self._runs.query_status(run)
            self._in_a_row = 0 if view else self._in_a_row + 1
        if view:
            self.unanswered.discard(run.workflow_id)
        else:
            self.unanswered.add(run.workflow_id)
        return view

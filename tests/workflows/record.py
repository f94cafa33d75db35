"""A recorder of posts' workflows for the replay test: `uv run python -m tests.workflows.record [SCENARIO …]`.

Without names it records every scenario that has no history yet. Only a shape of the workflow that was never released
may be recorded again over an old history. Histories of released shapes stay for as long as a post of that time may
sleep.
"""

import asyncio
import gzip
import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory

from platforms.registry import platforms
from runtime import worker
from runtime.parts import open_parts
from tests.postgres import postgres_server
from tests.running import running_stack
from tests.stack import Stack
from tests.temporal import temporal_server
from tests.workflows import campaign_scenarios, long_scenarios, operator_scenarios, rare_scenarios, row_scenarios  # noqa: F401 they register their scenarios
from tests.workflows.scenarios import RATE_LIMITED, SCENARIOS, TEMPORALS, Handle

HISTORIES = Path(__file__).parents[1] / "histories"
SUFFIX = ".json.gz"
_OF_A_MACHINE = {"identity", "stackTrace"}


def history_path(name: str) -> Path:
    """Return the path of a scenario's history."""
    return HISTORIES / f"{name}{SUFFIX}"


def recorded() -> list[str]:
    """Return the names of all histories, including those of runs that continue another run."""
    return sorted(path.name.removesuffix(SUFFIX) for path in HISTORIES.glob(f"*{SUFFIX}"))


def read_history(name: str) -> str:
    """Return a recorded history as JSON."""
    return gzip.decompress(history_path(name).read_bytes()).decode()


def depersonalised(value: Any) -> Any:
    """Remove the process, the machine and the code's path from a history; a replay does not need them."""
    if isinstance(value, list):
        return [depersonalised(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("kind") == "TASK_QUEUE_KIND_STICKY":
        return {**value, "name": "sticky"}
    return {name: "recorded" if name in _OF_A_MACHINE else depersonalised(item) for name, item in value.items()}


async def fetch_histories(stack: Stack, handle: Handle) -> list[WorkflowHistory]:
    """Return the histories of all runs of a workflow that may have continued as new, the first run first."""
    runs = [await handle.fetch_history()]
    while earlier := runs[0].events[0].workflow_execution_started_event_attributes.continued_execution_run_id:
        runs.insert(0, await stack.client.get_workflow_handle(handle.id, run_id=earlier).fetch_history())
    return runs


async def record(stack: Stack, name: str) -> None:
    handle = await SCENARIOS[name](stack)
    for later in HISTORIES.glob(f"{name}.run_*{SUFFIX}"):
        later.unlink()
    for number, history in enumerate(await fetch_histories(stack, handle), 1):
        path = history_path(name if number == 1 else f"{name}.run_{number}")
        written = json.dumps(depersonalised(history.to_json_dict()), sort_keys=True)
        path.write_bytes(gzip.compress(written.encode(), mtime=0))
        print(f"{path.name}: {len(history.events)} events", flush=True)  # noqa: T201
    await stack.clear_faults()


async def record_on(url: str, temporal: dict[str, Any], names: list[str]) -> None:
    async with temporal_server(**temporal) as environment, running_stack(url, environment) as stack:
        for name in names:
            settings = stack.settings.model_copy(update={"platform_rate_limits": name in RATE_LIMITED})
            async with (
                open_parts(settings, stack.worker_database) as parts,
                worker.running_workers(stack.client, parts),
            ):
                await record(stack, name)


async def main(names: list[str]) -> None:
    HISTORIES.mkdir(exist_ok=True)
    for platform in platforms().values():
        # The sandbox shows posts at once, and the scenarios name the waits after a refusal.
        type(platform).read_lag = timedelta(0)
    unrecorded = names or [name for name in SCENARIOS if not history_path(name).exists()]
    kinds = [{}, *(kind for index, kind in enumerate(TEMPORALS.values()) if kind not in [*TEMPORALS.values()][:index])]
    with postgres_server() as url:
        for kind in kinds:
            if chosen := [name for name in unrecorded if TEMPORALS.get(name, {}) == kind]:
                await record_on(url, kind, chosen)


if __name__ == "__main__":
    if unknown := set(sys.argv[1:]) - set(SCENARIOS):
        sys.exit(f"There is no scenario {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}.")
    asyncio.run(main(sys.argv[1:]))

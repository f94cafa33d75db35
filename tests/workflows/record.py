"""Record what posts' workflows do, for the replay test: `uv run python -m tests.workflows.record [LIFE …]`.

Without names it records every life that has no history yet. Only a shape of the workflow that was never released may be
recorded anew over an old one: histories of released shapes stay for as long as a post of that time may be asleep.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from runtime import worker
from tests.postgres import postgres_server
from tests.stack import Stack, running_stack, temporal_server
from tests.workflows.lives import LIVES, PACED

HISTORIES = Path(__file__).parents[1] / "histories"


def depersonalised(value: Any) -> Any:
    """Leave out which process on which machine did it; a replay does not ask."""
    if isinstance(value, list):
        return [depersonalised(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("kind") == "TASK_QUEUE_KIND_STICKY":
        return {**value, "name": "sticky"}
    return {name: "recorded" if name == "identity" else depersonalised(item) for name, item in value.items()}


async def record(stack: Stack, name: str) -> None:
    handle = await LIVES[name](stack)
    history = (await handle.fetch_history()).to_json_dict()
    path = HISTORIES / f"{name}.json"
    path.write_text(json.dumps(depersonalised(history), indent=1, sort_keys=True) + "\n")
    print(f"{path.name}: {len(history['events'])} events", flush=True)  # noqa: T201
    await stack.clear_faults()


async def main(names: list[str]) -> None:
    HISTORIES.mkdir(exist_ok=True)
    wanted = names or [name for name in LIVES if not (HISTORIES / f"{name}.json").exists()]
    with postgres_server() as url:
        async with temporal_server() as environment, running_stack(url, environment) as stack:
            for name in wanted:
                settings = stack.settings.model_copy(update={"pacing": name in PACED})
                async with worker.desk(settings, stack.database) as desk, worker.running(stack.client, desk):
                    await record(stack, name)


if __name__ == "__main__":
    if unknown := set(sys.argv[1:]) - set(LIVES):
        sys.exit(f"There is no life {', '.join(sorted(unknown))}; there are {', '.join(LIVES)}.")
    asyncio.run(main(sys.argv[1:]))

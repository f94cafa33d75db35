"""Recorded histories of posts' workflows, replayed with the present code: posts sleep for years."""

import asyncio
import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from platforms.registry import platforms
from tests.workflows.changed import Gated, Ungated
from tests.workflows.record import HISTORIES, read_history, recorded
from tests.workflows.scenarios import SCENARIOS, WORDS
from workflows.campaign import CampaignWorkflow
from workflows.post import PostWorkflow
from workflows.targets import TargetCoroutines

# Each replay ends threads, and coverage of greenlets leaves work behind for each of them. During that work, CPython
# 3.11 was once seen to loop for ever in a place that no time limit reaches. Coverage of replays is therefore measured
# below, in a separate process.
pytestmark = pytest.mark.no_cover

RUNBOOK = """
PostWorkflow does not do any more what it did in tests/histories/{name}.json.gz.
Posts that were scheduled before this change would stop with a nondeterminism error when they are due.
- Put the new way behind `if workflow.patched("a-name"):` and keep the old one in the else branch. It depends on the
  order of timers, activities, their types and queues; PREPARE_AHEAD and confirm_wait() decide upon it, too.
- See docs/change-the-workflow.md.
- Only if no version that was ever released has done it this way:
  uv run python -m tests.workflows.record {name}
Temporal says: {error}
"""
COVERAGE = r"""
[run]
branch = true
data_file = {folder}/coverage
source = workflows
concurrency = thread
[report]
fail_under = 100
show_missing = true
include =
    workflows/campaign.py
    workflows/targets.py
    workflows/post.py
    workflows/post_run.py
    workflows/steps.py
    workflows/details.py
exclude_also =
    # Texts of the Web UI, which tests/workflows/test_details.py has.
    ^def \w+\(.*\) -> str:$
    # A replay asks no validator and no query, and makes no mistake.
    @\w+\.validator$
    @workflow\.query
    raise mistake
    return mistake
"""
ROOT = HISTORIES.parents[1]
RECORDED = recorded()
SOME = ["published_now", "scheduled", "moved_often.run_2"]


async def replay(name: str, runner: WorkflowRunner, workflow: type = PostWorkflow) -> None:
    """Replay a scenario's history. If it fails, the message says what to do."""
    # Loading every platform takes longer than the time limit of a workflow task.
    platforms()
    history = WorkflowHistory.from_json(name, read_history(name))
    replayer = Replayer(
        workflows=[workflow, CampaignWorkflow], workflow_runner=runner, data_converter=pydantic_data_converter
    )
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    if result.replay_failure:
        pytest.fail(RUNBOOK.format(name=name, error=result.replay_failure), pytrace=False)


@pytest.mark.parametrize(
    "runner", [UnsandboxedWorkflowRunner, pytest.param(SandboxedWorkflowRunner, marks=pytest.mark.thorough)]
)
async def test_recorded_histories_replay(runner: type[WorkflowRunner]) -> None:
    for name in RECORDED:
        await replay(name, runner())


@pytest.mark.thorough
def test_histories_cover_every_line_of_the_workflow(tmp_path: Path) -> None:
    """A step in no history can be changed without a failure in this file, and break posts that are asleep."""
    (tmp_path / "rc").write_text(COVERAGE.format(folder=tmp_path))

    def coverage(action: str, *more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "coverage", action, "--rcfile", str(tmp_path / "rc"), *more]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
        return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)

    replayed = coverage("run", "-m", __name__)
    assert replayed.returncode == 0, replayed.stderr
    report = coverage("report")
    assert report.returncode == 0, f"{report.stdout}\nNo scenario in tests/workflows/*scenarios.py goes there: add one."


def test_every_scenario_is_recorded() -> None:
    assert set(SCENARIOS) <= set(RECORDED), "record them: uv run python -m tests.workflows.record"


@pytest.mark.parametrize("name", SOME)
async def test_unpatched_change_fails_with_advice(name: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=r"(?s)workflow\.patched.*Temporal says: .*ondeterminism") as stop:
        await replay(name, UnsandboxedWorkflowRunner(), Ungated)
    assert f"tests/histories/{name}.json.gz" in str(stop.value)
    assert f"tests.workflows.record {name}" in str(stop.value)


@pytest.mark.parametrize("name", SOME)
async def test_patched_change_breaks_no_sleeping_post(name: str) -> None:
    await replay(name, UnsandboxedWorkflowRunner(), Gated)


async def test_omitted_step_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TargetCoroutines, "has_to_prepare", lambda _: False)
    with pytest.raises(pytest.fail.Exception, match=r"workflow\.patched"):
        await replay("scheduled_with_media_soon", UnsandboxedWorkflowRunner())


def test_a_history_holds_ids_and_no_content() -> None:
    for name in RECORDED:
        for text in texts(json.loads(read_history(name))):
            assert WORDS not in text, name
            assert "example.com" not in text, name
            assert "oken" not in text, name


def texts(value: Any) -> Iterator[str]:
    """Yield every string of a history, with decoded payloads."""
    if isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name == "data" and isinstance(item, str):
                yield base64.b64decode(item).decode()
            else:
                yield from texts(item)
    elif isinstance(value, str):
        yield value


async def main() -> None:
    for name in RECORDED:
        await replay(name, UnsandboxedWorkflowRunner())


if __name__ == "__main__":
    asyncio.run(main())

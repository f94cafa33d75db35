"""The same workflow in other runners than production's: in Temporal's sandbox, and replayed at every step."""

import pytest

from tests.stack import Stack
from tests.workflows import scenarios
from tests.workflows.workers import SANDBOXED, UNCACHED, posts_worker


@pytest.mark.parametrize(
    "scenario",
    [scenarios.published_now, scenarios.partial_and_retried_by_signal, scenarios.amended],
    ids=lambda scenario: scenario.__name__,
)
async def test_workflow_runs_in_temporals_sandbox(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, scenario: scenarios.Scenario
) -> None:
    async with posts_worker(stack, monkeypatch, "posts-sandboxed", **SANDBOXED):
        handle = await scenario(stack)
        assert (await handle.query("status"))["status"] == "published"


@pytest.mark.parametrize(
    "scenario",
    [
        scenarios.scheduled_with_media_soon,
        scenarios.unconfirmed_and_found,
        scenarios.failed_and_retried_by_update,
        scenarios.edited,
    ],
    ids=lambda scenario: scenario.__name__,
)
async def test_workflow_runs_without_a_cache(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, scenario: scenarios.Scenario
) -> None:
    async with posts_worker(stack, monkeypatch, "posts-uncached", **UNCACHED):
        handle = await scenario(stack)
        assert (await handle.query("status"))["status"] == "published"

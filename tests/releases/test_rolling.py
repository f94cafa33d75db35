"""Processes of the last release and of the present code replace each other, and clients notice nothing."""

import shutil
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.releases.folders import ROOT, releases
from tests.releases.rolling import roll
from tests.releases.trees import Tree, released_tree
from tests.stack import running_stack


@pytest.mark.thorough
@pytest.mark.timeout(600)
@pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="needs a clone, and git")
async def test_a_rolling_upgrade_refuses_doubles_and_loses_nothing(
    postgres_url: str, temporal: WorkflowEnvironment, tmp_path: Path
) -> None:
    old = released_tree(releases()[-1].version, tmp_path / "released")
    async with running_stack(postgres_url, temporal) as stack:
        figures = await roll(stack, old, Tree("the present code", ROOT), 5, tmp_path / "log")
    assert figures.statuses.total() > 20
    # How late posts are depends on the machine's load; the module measures that when it is run alone.
    assert (figures.refused, figures.doubled, figures.unpublished) == (0, [], []), f"from {old.name}: {figures}"

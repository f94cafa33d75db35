"""Processes of the last release and of the present code replace each other, and clients notice nothing."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.releases.rolling import roll
from tests.releases.trees import ROOT, Tree, released_tree, releases
from tests.running import running_stack
from tests.temporal import temporal_server

needs_git = pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="needs a clone, and git")


@needs_git
@pytest.mark.thorough
@pytest.mark.timeout(1200)
@pytest.mark.skipif(not releases(), reason="no release is recorded yet")
async def test_a_rolling_upgrade_refuses_doubles_and_loses_nothing(postgres_url: str, tmp_path: Path) -> None:
    old = released_tree(releases()[-1].version, tmp_path / "released")
    # A server of its own: in this process, a worker of other tests may serve the same queues for another database.
    async with temporal_server() as temporal, running_stack(postgres_url, temporal) as stack:
        figures = await roll(stack, old, Tree("the present code", ROOT), 5, tmp_path / "log")
    assert figures.statuses.total() > 20
    # How late posts are depends on the machine's load; the module measures that when it is run alone.
    assert not any(figures.faults.values()), f"from {old.name}: {figures}"


def clone_with_a_release(folder: Path) -> str:
    """Make a clone in which 0.1.0 was recorded before the last commit; return the commit that recorded it."""

    def git(*arguments: str) -> str:
        author = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
        return subprocess.run(
            ["git", *author, *arguments], cwd=folder, check=True, capture_output=True, text=True
        ).stdout.strip()

    recorded = folder / "tests/releases/0.1.0/uses.json"
    recorded.parent.mkdir(parents=True)
    git("init", "--quiet")
    for name, path in (("first", "code.py"), ("recorded", str(recorded)), ("later", "code.py")):
        (folder / path).write_text(name)
        git("add", ".")
        git("commit", "--quiet", "--message", name)
    return git("rev-parse", "HEAD^")


@needs_git
def test_a_release_without_a_tag_is_the_commit_that_recorded_it(tmp_path: Path) -> None:
    clone, shallow = tmp_path / "clone", tmp_path / "shallow"
    clone.mkdir()
    commit = clone_with_a_release(clone)
    tree = released_tree("0.1.0", tmp_path / "released", clone)
    assert tree.name.startswith(commit[:8])
    assert (tree.path / "code.py").read_text() == "first"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", clone.as_uri(), shallow], check=True)
    tree = released_tree("0.1.0", tmp_path / "of the shallow clone", shallow)
    assert tree.name.startswith("the last commit")
    assert (tree.path / "code.py").read_text() == "later"
    subprocess.run(["git", "tag", "v0.1.0"], cwd=clone, check=True)
    tree = released_tree("0.1.0", tmp_path / "of the tag", clone)
    assert tree.name == "v0.1.0"
    assert (tree.path / "code.py").read_text() == "later"

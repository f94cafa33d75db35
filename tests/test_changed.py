"""`--changed` runs the tests that are nearest to a change."""

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import changed
from tests.changed import ROOT, Choice
from tests.selection import runs


def choice(monkeypatch: pytest.MonkeyPatch, *files: str) -> Choice:
    """Return the tests of a change of these files."""
    monkeypatch.setattr(changed, "changed_files", lambda: tuple(ROOT / file for file in files))
    return changed.choice.__wrapped__()


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("media/metadata/heif.py", "media/test_strip.py"),
        ("api/posts/changes/update.py", "api/posts/changes/test_update.py"),
        ("workflows/post.py", "workflows/test_replay.py"),
        ("tests/domain/test_plan.py", "domain/test_plan.py"),
        ("tests/cpu.py", "api/test_limits.py"),
        ("deploy/prometheus/alerts.yml", "deploy/test_alerts.py"),
        ("worker.py", "docs/test_documents.py"),
    ],
)
def test_a_change_runs_the_tests_of_its_module(monkeypatch: pytest.MonkeyPatch, file: str, module: str) -> None:
    assert ROOT / "tests" / module in choice(monkeypatch, file).modules


def test_tests_use_the_fixtures_of_their_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    touched = choice(monkeypatch, "tests/api/conftest.py").touched
    assert set((ROOT / "tests/api").rglob("test_*.py")) <= set(touched)


def test_a_change_that_most_tests_need_runs_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = choice(monkeypatch, "domain/plan.py")
    assert chosen.nearest == chosen.touched[: len(chosen.nearest)]
    assert 0 < len(chosen.nearest) < len(chosen.touched) / 3
    assert "nearest of" in str(chosen)


def test_a_change_of_a_platform_runs_its_cases_of_all_tests_of_platforms(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = choice(monkeypatch, "platforms/reddit/errors.py")
    monkeypatch.setattr("tests.selection.choice", lambda: chosen)
    names = [
        "tests/platforms/test_publishing.py::test_form[reddit-text]",
        "tests/platforms/test_publishing.py::test_form[twitter-text]",
        "tests/docs/test_documents.py::test_links",
        "tests/sandbox/platforms/test_reddit.py::test_a_post",
        "tests/sandbox/platforms/test_twitter.py::test_a_post",
    ]
    items: list[Any] = [
        SimpleNamespace(nodeid=name, path=ROOT / name.partition("::")[0], get_closest_marker=lambda _: None)
        for name in names
    ]
    config: Any = SimpleNamespace(getoption=lambda option: option == "changed")
    assert [item.nodeid for item in items if not runs(config, item)] == [names[1], names[4]]


def test_changed_files_are_those_of_the_branch_or_the_last_commit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(changed, "ROOT", tmp_path)

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True)

    def commit(name: str) -> None:
        (tmp_path / name).write_text(name)
        git("add", ".")
        git("commit", "-m", name)

    def names() -> list[str]:
        return [path.name for path in changed.changed_files()]

    git("init", "-b", "main")
    commit("first")
    commit("second")
    assert names() == ["second"]
    git("checkout", "-b", "branch")
    commit("third")
    (tmp_path / "first").write_text("changed")
    (tmp_path / "new").touch()
    assert names() == ["first", "new", "third"]

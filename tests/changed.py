"""The test modules that a change touches, nearest first: the choice of `uv run pytest --changed`.

A module is one step from the modules that import it. As many of the nearest test modules run as take less than a
minute; a far one imports the changed module through others, which have tests of their own.
"""

import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
_PACKAGES = [folder.name for folder in sorted(ROOT.iterdir()) if (folder / "__init__.py").exists()]
_MOST_FUNCTIONS = 200
"""One of fifteen test functions. All of them take four minutes, and a run some seconds until its first test."""
_PROCESSES = {ROOT / "tests/docs/test_runbook.py", ROOT / "tests/docs/test_tutorial.py"}
"""Tests of documents that run commands. The others compare documents with code that they do not import, in seconds."""


@dataclass(frozen=True)
class Choice:
    """The test modules that a change touches, and the nearest of them, which a run has time for."""

    changed: tuple[Path, ...]
    touched: tuple[Path, ...]
    nearest: tuple[Path, ...]
    by_platform: tuple[Path, ...]
    """Modules whose tests run for every platform: of these, only the cases of changed `platforms` run."""
    platforms: frozenset[str]

    def __str__(self) -> str:
        return (
            f"the tests of the documents, and the {len(self.nearest)} nearest of {len(self.touched)} test modules that "
            f"depend on changed files ({len(self.changed)})"
        )

    @property
    def modules(self) -> list[Path]:
        """The test modules that run, in whole or in part."""
        always = _test_modules("docs/test_*.py", "test_*.py") - _PROCESSES
        return sorted({*self.nearest, *self.by_platform, *always})

    def has(self, item: pytest.Item) -> bool:
        """Return whether a test of one of these modules runs."""
        return item.path not in self.by_platform or any(platform in item.nodeid for platform in self.platforms)


@cache
def choice() -> Choice:
    """Return the test modules that the changes of this branch touch."""
    changed = changed_files()
    touched = by_distance(changed)
    nearest: list[Path] = []
    functions = 0
    for path in touched:
        functions += len(re.findall(r"^ *(?:async )?def test_", path.read_text(), re.MULTILINE))
        if functions > _MOST_FUNCTIONS and nearest:
            break
        nearest.append(path)
    known = {entry.stem for entry in (ROOT / "sandbox/platforms").iterdir()} - {"__init__", "__pycache__"}
    platforms = known.intersection(Path(part).stem for path in changed for part in path.parts)
    by_platform = _test_modules("platforms/test_*.py", "sandbox/**/test_*.py") if platforms else set()
    return Choice(changed, touched, tuple(nearest), tuple(by_platform - set(nearest)), frozenset(platforms))


def changed_files() -> tuple[Path, ...]:
    """Return the files that differ from the commit at which this branch left main, with those that git does not know.

    On main they differ from its last commit; if no file does, from the commit before.
    """
    (base,) = _git("merge-base", "HEAD", "main") or ["HEAD"]
    unknown = _git("ls-files", "--others", "--exclude-standard")
    names = {*unknown, *_git("diff", "--name-only", base)} or set(_git("diff", "--name-only", "HEAD~1"))
    return tuple(ROOT / name for name in sorted(names))


def by_distance(changed: Iterable[Path]) -> tuple[Path, ...]:
    """Return the test modules that depend on a file, the nearest first."""
    graph = _imports()
    tests = {module for module in graph.modules if module.rpartition(".")[2].startswith("test_")}
    distances: dict[str, int] = {}
    reached = {module for file in changed for module in _nearest_modules(file, graph.modules)}
    while reached := reached - distances.keys():
        distances |= dict.fromkeys(reached, max(distances.values(), default=-1) + 1)
        importers = {importer for module in reached for importer in graph.find_modules_that_directly_import(module)}
        # A test uses the fixtures of its folder without an import.
        fixtures = tuple(module.removesuffix("conftest") for module in reached if module.endswith(".conftest"))
        reached = importers | {test for test in tests if test.startswith(fixtures)}
    named = tuple(f"test_{file.stem}" for file in changed)

    def rank(test: str) -> tuple[int, bool, str]:
        return distances[test], not test.rpartition(".")[2].startswith(named), test

    return tuple(map(_file, sorted(tests & distances.keys(), key=rank)))


@cache
def _imports() -> grimp.ImportGraph:
    return grimp.build_graph(*_PACKAGES, cache_dir=None)


def _nearest_modules(file: Path, modules: set[str]) -> set[str]:
    """Return a module and the tests of its folder; of another file, the modules that name it, or else its folder."""
    path = file.relative_to(ROOT)
    if path.suffix == ".py":
        module = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        mirrored = f"tests.{module.rpartition('.')[0]}.test_"
        return {name for name in modules if name == module or name.startswith(mirrored)}
    texts = {module: _file(module).read_text() for module in modules}
    return next(
        (named for word in (path.name, path.parent.name) if (named := {name for name in texts if word in texts[name]})),
        set(),
    )


def _test_modules(*patterns: str) -> set[Path]:
    return {path for pattern in patterns for path in (ROOT / "tests").glob(pattern)}


def _file(module: str) -> Path:
    path = ROOT / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _git(*arguments: str) -> list[str]:
    command = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return command.stdout.splitlines()

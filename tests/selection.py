"""The choice of the tests that a run makes, and their order."""

import contextlib
import importlib
from pathlib import Path

import pytest

from tests.changed import choice

_FOLDER = Path(__file__).parent
_WAITING = frozenset({"cli", "docs", "reconcile", "runtime", "workflows"})
_LONG = frozenset({"test_gateways.py", "test_costs_of_answers.py", "test_document.py", "test_calendar_page.py"})
"""Files that compute for minutes: they come first, so that a run does not end with one of them."""
_OVER_AFTER = 0.7


def narrow(config: pytest.Config) -> None:
    """Restrict a run with `--changed` to the test modules that a change touches, within the folders of its command."""
    config.args = [str(path) for path in choice().modules if _is_requested(config, path)]


def _is_requested(config: pytest.Config, module: Path) -> bool:
    folders = [Path(argument.partition("::")[0]).resolve() for argument in config.args]
    return any(module.is_relative_to(folder) for folder in folders)


def import_by_turns(config: pytest.Config) -> None:
    """Import the test modules, in each of several processes from another place on.

    In a fresh clone nothing is compiled, and each process would compile all modules at the same time as the others. In
    this way it finds most of them compiled. Collection repeats imports that fail, and reports them.
    """
    process: dict[str, str | int] = getattr(config, "workerinput", {})
    if not process:
        return
    modules = [path for path in sorted(_FOLDER.rglob("test_*.py")) if _is_requested(config, path)]
    first = len(modules) * int(str(process["workerid"]).removeprefix("gw")) // int(process["workercount"])
    for path in modules[first:] + modules[:first]:
        with contextlib.suppress(Exception):
            importlib.import_module(".".join(path.relative_to(_FOLDER.parent).with_suffix("").parts))


def description(config: pytest.Config) -> str:
    """Return what a run makes and what it does not, for its header."""
    if config.getoption("changed"):
        return f"{choice()}, without the thorough ones"
    if config.getoption("thorough"):
        return "every test; one that needs a program which is not installed is skipped, and says so"
    return "every test but those of whole stacks, browsers, other servers and long waits, which --thorough runs too"


def runs(config: pytest.Config, item: pytest.Item) -> bool:
    """Return whether this run makes a collected test."""
    if item.get_closest_marker("thorough") and not config.getoption("thorough"):
        return False
    return not config.getoption("changed") or choice().has(item)


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Alternate files that wait, for whole stacks and for clocks, with files that compute.

    The waiting files are spread over the first 0.7 of the order, and the longest begin. At the end, they would keep one
    process busy while the others are idle.
    """
    files = sorted(dict.fromkeys(item.path for item in items), key=lambda file: file.name not in _LONG)
    kinds: tuple[list[Path], list[Path]] = ([], [])
    for file in files:
        kinds[file.relative_to(_FOLDER).parts[0] not in _WAITING].append(file)
    places = {
        file: place / len(kind) * share
        for kind, share in zip(kinds, (_OVER_AFTER, 1), strict=True)
        for place, file in enumerate(kind)
    }
    return sorted(items, key=lambda item: places[item.path])

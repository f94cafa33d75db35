"""Say in which order tests run, and load what they run."""

from pathlib import Path

import pytest

_FOLDER = Path(__file__).parent
_WAITING = frozenset({"cli", "runtime", "workflows"})
_OVER_AFTER = 0.7


def pytest_configure(config: pytest.Config) -> None:
    """Load the product where tests are run: a process that only hands them out begins seconds sooner without it."""
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        config.pluginmanager.import_plugin("tests.product")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let files that wait, for whole stacks and for clocks, take turns with files that compute.

    They are over after 0.7 of the others: left for the end, they would keep one process busy and the rest without work.
    """
    files = list(dict.fromkeys(item.path for item in items))
    kinds: tuple[list[Path], list[Path]] = ([], [])
    for file in files:
        kinds[file.relative_to(_FOLDER).parts[0] not in _WAITING].append(file)
    places = {
        file: place / len(kind) * share
        for kind, share in zip(kinds, (_OVER_AFTER, 1), strict=True)
        for place, file in enumerate(kind)
    }
    items.sort(key=lambda item: places[item.path])

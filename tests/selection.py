"""The choice of the tests that a run makes, and their order.

The README's command makes a sample of all tests that takes less than three minutes on two cores. CI makes all of them.
"""

import math
import random
from pathlib import Path

import pytest

_FOLDER = Path(__file__).parent
_ONE_IN = {
    "accounts": 2,
    "activities": 2,
    "api": 2,
    "api/accounts": 3,
    "api/connect": 3,
    "cli": 2,
    "media": 2,
    "platforms": 2,
    "platforms/test_never_twice.py": 1,
    "reconcile": 2,
    "reconcile/doctor": 3,
    "runtime": 2,
    "sandbox": 2,
    "sandbox/platforms": 3,
    "store": 2,
    "workflows": 2,
}
"""One in so many tests of each file is in the sample of all tests; the innermost path that is named here decides."""
_Groups = dict[str, tuple[int, list[pytest.Item]]]
"""Tests by the name of their group, each with the number of which a sample has one."""

_WAITING = frozenset({"cli", "docs", "reconcile", "runtime", "workflows"})
_OVER_AFTER = 0.7


def left_out(config: pytest.Config, items: list[pytest.Item]) -> set[pytest.Item]:
    """Return the tests that this run does not make.

    `--thorough` makes all of them. Without it, those marked as `thorough` are left out, and a run of the whole folder
    makes a sample of the others, which is always the same one. A run of single files or folders makes all others.
    """
    if config.getoption("thorough"):
        return set()
    excluded = {item for item in items if item.get_closest_marker("thorough")}
    if any(_FOLDER.is_relative_to(_path(argument)) for argument in config.args):
        for groups in (_cases, _files):
            excluded |= _not_sampled(groups([item for item in items if item not in excluded]))
    return excluded


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Alternate files that wait, for whole stacks and for clocks, with files that compute.

    The waiting files are spread over the first 0.7 of the order. At the end, they would keep one process busy while the
    others are idle.
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
    return sorted(items, key=lambda item: places[item.path])


def _path(argument: str) -> Path:
    return Path(argument.partition("::")[0]).resolve()


def _cases(items: list[pytest.Item]) -> _Groups:
    """Return the cases of each test that is marked as `one_in(n)`, and n."""
    groups: _Groups = {}
    for item in items:
        if marker := item.get_closest_marker("one_in"):
            groups.setdefault(item.nodeid.partition("[")[0], (marker.args[0], []))[1].append(item)
    return groups


def _files(items: list[pytest.Item]) -> _Groups:
    """Return the tests of each file that `_ONE_IN` names by its own path or a folder's, and the number there."""
    groups: _Groups = {}
    for item in items:
        file = item.path.relative_to(_FOLDER)
        if number := next((_ONE_IN[str(path)] for path in (file, *file.parents) if str(path) in _ONE_IN), None):
            groups.setdefault(str(file), (number, []))[1].append(item)
    return groups


def _not_sampled(groups: _Groups) -> set[pytest.Item]:
    """Return what is not in the sample of one in n of each group."""
    excluded: set[pytest.Item] = set()
    for name, (number, items) in groups.items():
        # A fixed stride would meet the same value of a second parameter each time.
        excluded |= set(items) - set(random.Random(name).sample(items, math.ceil(len(items) / number)))
    return excluded

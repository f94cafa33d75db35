"""The size of the code, which only falls: each capability pays for what stands here already.

Lower a limit when the code gets smaller. Raise one only with a decision in docs/adr that says what is worth it.
"""

import pytest

from api.openapi.operations import OPERATIONS
from tests.releases.trees import ROOT

LINES = {
    "accounts": 2_131,
    "activities": 4_021,
    "api": 25_888,
    "benchmarks": 7_160,
    "cli": 8_473,
    "clients": 2_875,
    "deploy": 456,
    "domain": 5_534,
    "media": 5_276,
    "platforms": 21_966,
    "reconcile": 5_589,
    "runtime": 2_085,
    "sandbox": 12_487,
    "storage": 1_363,
    "store": 17_815,
    "workflows": 2_802,
}
"""The most lines of Python of each room."""
MODULES = 1_173
LINES_OF_AN_OPERATION = 666
"""The most lines for each operation of the API, of the rooms through which its requests and posts go."""
SERVING = ("accounts", "activities", "api", "domain", "reconcile", "runtime", "storage", "store", "workflows")
_GENERATED = "clients/python/socialsyncer_client/generated"


def modules(room: str) -> list[str]:
    """Return the texts of a room's modules, without generated ones."""
    return [path.read_text() for path in (ROOT / room).rglob("*.py") if not path.is_relative_to(ROOT / _GENERATED)]


def lines(room: str) -> int:
    return sum(text.count("\n") for text in modules(room))


@pytest.mark.parametrize("room", LINES)
def test_a_room_does_not_grow(room: str) -> None:
    assert lines(room) <= LINES[room]


def test_modules_do_not_multiply() -> None:
    assert sum(len(modules(room)) for room in LINES) + len(list(ROOT.glob("*.py"))) <= MODULES


def test_an_operation_does_not_cost_more() -> None:
    assert sum(map(lines, SERVING)) / len(OPERATIONS) <= LINES_OF_AN_OPERATION

"""The size of the code, which only falls: each capability pays for what stands here already.

Lower a limit when the code gets smaller. Raise one only with a decision in docs/adr that says what is worth it.
"""

import pytest

from api.openapi.components import OPERATIONS
from tests.releases.trees import ROOT

LINES = {
    "accounts": 2_059,
    "activities": 3_918,
    "api": 24_052,
    "benchmarks": 7_159,
    "cli": 8_462,
    "clients": 2_874,
    "deploy": 456,
    "domain": 5_590,
    "media": 5_076,
    "platforms": 21_086,
    "reconcile": 5_468,
    "runtime": 2_064,
    "sandbox": 12_122,
    "storage": 1_362,
    "store": 16_444,
    "workflows": 2_699,
}
"""The most lines of Python of each room."""
MODULES = 787
LINES_OF_AN_OPERATION = 630.3
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

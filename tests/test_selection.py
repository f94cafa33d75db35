"""The sample of all tests is always the same one, and has tests of every file."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.selection import left_out

TESTS = Path(__file__).parent


@dataclass(eq=False)
class Item:
    """A collected test, as far as a selection looks at it."""

    file: str
    name: str
    marks: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return TESTS / self.file

    @property
    def nodeid(self) -> str:
        return f"tests/{self.file}::{self.name}"

    def get_closest_marker(self, name: str) -> Any:
        return SimpleNamespace(args=self.marks[name]) if name in self.marks else None


def items() -> list[Any]:
    return [
        *(Item("workflows/test_one.py", f"test_{number}") for number in range(7)),
        *(Item("domain/test_two.py", f"test_case[{number}]", {"one_in": (3,)}) for number in range(7)),
        *(Item("domain/test_two.py", f"test_{number}") for number in range(2)),
        Item("store/test_three.py", "test_alone"),
        Item("domain/test_two.py", "test_slow", {"thorough": ()}),
    ]


def run(*arguments: str, thorough: bool = False) -> list[str]:
    """Return the names of the tests that a run makes."""
    config: Any = SimpleNamespace(getoption=lambda _: thorough, args=list(arguments))
    every = items()
    excluded = left_out(config, every)
    return [item.nodeid for item in every if item not in excluded]


def of(names: list[str], file: str) -> int:
    return sum(name.startswith(f"tests/{file}") for name in names)


@pytest.mark.parametrize("all_tests", [str(TESTS), str(TESTS.parent)])
def test_a_run_of_all_tests_makes_a_sample(all_tests: str) -> None:
    made = run(all_tests)
    assert [of(made, file) for file in ("workflows/", "domain/", "store/")] == [4, 5, 1]
    assert run(all_tests) == made


def test_a_run_of_named_files_makes_all_but_the_thorough_tests() -> None:
    made = run(str(TESTS / "workflows"), f"{TESTS / 'domain/test_two.py'}::test_case")
    assert [item.nodeid for item in items() if item.nodeid not in made] == ["tests/domain/test_two.py::test_slow"]


def test_a_thorough_run_makes_every_test() -> None:
    assert run(str(TESTS), thorough=True) == [item.nodeid for item in items()]

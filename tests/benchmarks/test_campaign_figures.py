"""A figure of the benchmark of campaigns misses its bar if any of its limits is exceeded."""

from pathlib import Path

import pytest

from benchmarks.campaigns.__main__ import BEGIN, END
from benchmarks.campaigns.measure import Bar, Figure, p99
from benchmarks.proof.report import put_into


@pytest.mark.parametrize(
    ("ours", "floor", "bar", "is_right"),
    [
        (4.0, 1.0, Bar(5, 6), True),
        (5.5, 1.0, Bar(5, 6), False),
        (4.0, 0.5, Bar(5, 6), False),
        (95.0, 100.0, Bar(least_ratio=0.95), True),
        (94.0, 100.0, Bar(least_ratio=0.95), False),
        (3.0, None, Bar(most=2), False),
        (3.0, None, Bar(), True),
    ],
)
def test_a_figure_keeps_all_its_limits(ours: float, floor: float | None, bar: Bar, is_right: bool) -> None:
    assert Figure("work", ours, "s", floor, bar).is_right is is_right


def test_a_row_shows_the_floor_the_ratio_the_verdict_and_the_idle_share() -> None:
    row = Figure("work", 3.0, "s", 2.0, Bar(most_ratio=1.2)).row(0.42)
    assert row == "| work | 3 s | 2 s | 1.50 | at most 1.2 times: MISSED | 42% |"


def test_one_of_a_hundred_exceeds_the_p99() -> None:
    assert p99([number / 1000 for number in range(1, 101)]) == 99
    assert p99([0.5]) == 500


def test_the_table_is_written_into_its_place_in_the_document() -> None:
    document = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text()
    written = put_into(document, "| a table |", BEGIN, END)
    before, _, after = document.partition(BEGIN)
    assert written.startswith(f"{before}{BEGIN}\n\n| a table |\n\n{END}")
    assert written.endswith(after.partition(END)[2])
    assert len(before) > len("# Benchmarks")

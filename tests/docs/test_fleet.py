"""The derived figures of docs/fleet.md follow from the measured ones in it."""

import math
from pathlib import Path

import pytest

DOCUMENT = (Path(__file__).parents[2] / "docs/fleet.md").read_text()
DAYS = (10_000, 100_000, 1_000_000)
PARTS = ("API", "worker", "Temporal", "PostgreSQL")


def read_row(first: str) -> list[str]:
    """Return the cells of the only row that begins so."""
    (line,) = [line for line in DOCUMENT.splitlines() if line.startswith(f"| {first} |")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def milliseconds(first: str) -> dict[str, float]:
    return dict(zip(PARTS, (float(cell.removesuffix(" ms")) for cell in read_row(first)), strict=True))


def cores(day: int, published: str, part: str) -> float:
    """Return the cores of a part in the busiest minute, which has a hundredth of the day's posts."""
    cost = milliseconds("create a scheduled post")[part] + milliseconds(published)[part]
    return day / 100 / 60 * cost / 1000


@pytest.mark.parametrize("day", DAYS)
def test_cores_are_the_costs_of_the_busiest_minute(day: int) -> None:
    lines = [line for line in DOCUMENT.splitlines() if line.startswith(f"| {day:,} |")]
    cells = [float(cell) for cell in lines[1].strip("|").split("|")[1:]]
    text, picture = "`publishNow`, text", "`publishNow`, a picture"
    derived = [
        cores(day, picture, "API"),
        cores(day, text, "worker"),
        cores(day, picture, "worker"),
        cores(day, picture, "Temporal"),
        cores(day, text, "PostgreSQL"),
    ]
    assert cells == pytest.approx(derived, rel=0.1, abs=0.07)


def test_processes_are_twice_the_cores() -> None:
    text, picture = "`publishNow`, text", "`publishNow`, a picture"
    apis = [int(cell) for cell in read_row("API processes")]
    assert apis == [max(2, math.ceil(2 * cores(day, picture, "API"))) for day in DAYS]
    texts, pictures = (math.ceil(2 * cores(DAYS[-1], kind, "worker")) for kind in (text, picture))
    assert read_row("workers") == ["2", "2", f"{texts} for texts, {pictures} for pictures"]
    connections_of_process = 8 + 2 + 2
    connections = [str((2 + 2) * connections_of_process)] * 2 + [
        f"{(apis[-1] + texts) * connections_of_process} to {(apis[-1] + pictures) * connections_of_process}"
    ]
    (line,) = [line for line in DOCUMENT.splitlines() if line.startswith("| connections to PostgreSQL")]
    assert [cell.strip() for cell in line.strip("|").split("|")][1:] == connections

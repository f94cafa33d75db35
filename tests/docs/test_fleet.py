"""The derived figures of docs/fleet.md follow from the measured ones in it."""

import math
from pathlib import Path

import pytest

from runtime.database_settings import DatabaseSettings
from tests.api.test_hot_path import OPENED, PUBLISHED, SLEPT, WRITES

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
    # The defaults of both settings, and two direct ones. One worker has a third: it listens for webhooks.
    api, worker = (most + DatabaseSettings.model_fields["database_reserved"].default + 2 for most in (12, 8))
    small, most_texts, most_pictures = (
        number * api + workers * worker + 1 for number, workers in ((2, 2), (apis[-1], texts), (apis[-1], pictures))
    )
    assert read_row("connections to PostgreSQL, at most") == [
        str(small),
        str(small),
        f"{most_texts} to {most_pictures}",
    ]
    direct = [2 * (apis[-1] + workers) + 1 for workers in (texts, pictures)]
    assert read_row("of these direct, if the others go through PgBouncer") == ["9", "9", f"{direct[0]} to {direct[1]}"]


def test_steps_of_a_day_are_those_that_are_counted() -> None:
    counted = {
        "statements that write, each committed by itself": sum(WRITES.values()),
        "statements that open a step": OPENED,
        "events of its workflow, without its tasks": sum(PUBLISHED.values()) + sum(SLEPT.values()),
    }
    for name, number in counted.items():
        assert read_row(name)[:4] == [str(number), *(f"{number * day:,}" for day in DAYS)]

"""Gated changes are listed in one place, each with the day from which its gate may be removed."""

from datetime import date
from pathlib import Path

from workflows.patches import LONGEST_RUN, PATCHES, Patch

WORKFLOWS = Path(__file__).parents[2] / "workflows"


def test_every_patch_is_in_the_list() -> None:
    gated = [path.name for path in WORKFLOWS.glob("*.py") if "workflow.patched(" in path.read_text()]
    assert gated == ["patches.py"]
    assert len({patch.name for patch in PATCHES}) == len(PATCHES)


def test_patch_is_needed_while_a_run_can_be_open() -> None:
    assert Patch("an-example", date(2027, 1, 1)).needed_until == date(2027, 1, 1) + LONGEST_RUN
    assert LONGEST_RUN.days > 5 * 365

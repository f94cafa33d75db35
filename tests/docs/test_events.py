"""docs/events.md names every event, and those only."""

import re
from pathlib import Path

from domain.webhooks import KEPT, EventType

PAGE = (Path(__file__).parents[2] / "docs/events.md").read_text()


def test_the_page_lists_every_event() -> None:
    assert re.findall(r"^\| `(\w+\.\w+)` \|", PAGE, re.MULTILINE) == [*EventType]


def test_the_page_says_how_long_events_are_kept() -> None:
    assert f"Events are kept for {KEPT.days} days. The workspace stops listening {KEPT.days} days after" in PAGE

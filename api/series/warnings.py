"""Warnings about a series: exclusions without an effect, exceptions that a change leaves behind, equal texts."""

from collections.abc import Iterator, Sequence
from datetime import datetime, time
from typing import Any

from domain.errors import Problem
from domain.recurrence.expansion import FARTHEST, ChangedDay, Pattern, day_walls
from domain.series import SeriesContent, coming_from
from platforms.registry import platforms

_NAMED = 5
"""Days or times that a sentence names."""


def exclusion_warnings(pattern: Pattern[Any], now: datetime) -> Iterator[Problem]:
    """Yield a warning if exclusions meet no occurrence. Midnight stands for a day, which need not have one."""
    first = coming_from(now)
    coming = [wall for wall in pattern.exclude if first <= wall <= first + FARTHEST and wall.time() != time()]
    walls = day_walls(pattern, {wall.date() for wall in coming})
    if unmet := sorted(wall for wall in coming if wall not in walls[wall.date()] and wall not in pattern.include):
        sentence = f"exclude has times at which the series has no occurrence: {_named(unmet)}"
        yield Problem(sentence, "no_occurrence", "exclude")


def change_warnings(days: Sequence[ChangedDay]) -> Iterator[Problem]:
    """Yield warnings about exceptions that new rules cannot take over one by one."""
    if left := [wall for day in days if day.before and not day.after for wall in day.exceptions]:
        sentence = (
            f"The new rule has no time on the days of exceptions, and posts on other days: {_named(sorted(left))}"
        )
        yield Problem(sentence, "exception_not_carried", "recurrence")
    if uneven := sorted(day.day for day in days if day.is_uneven and day.held):
        sentence = f"Days with exceptions get no new times, because their number differs: {_named(uneven)}"
        yield Problem(sentence, "exception_not_carried", "recurrence")


def same_text_warnings(content: SeriesContent) -> Iterator[Problem]:
    """Yield a warning for each account whose platform refuses the text that all its posts have."""
    texts: dict[tuple[str, str], set[str]] = {}
    for variation in content.contents:
        for target in variation.targets:
            texts.setdefault((target.platform, target.account_id), set()).add(variation.text_for(target))
    for (platform, account_id), texts_of_account in texts.items():
        if len(texts_of_account) < 2 and platforms()[platform].rules.refuses_repeats:
            sentence = (
                f"All posts to {account_id} have the same text, and {platforms()[platform].label} refuses to publish a "
                "text again: give variations"
            )
            yield Problem(sentence, "duplicate_content", "variations", platform, account_id)


def _named(moments: Sequence[Any]) -> str:
    more = f" and {len(moments) - _NAMED} more" if len(moments) > _NAMED else ""
    return ", ".join(moment.isoformat() for moment in moments[:_NAMED]) + more

"""The check whether an account will have used up a quota, also with thousands of targets that wait."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.preflight import is_over_quota
from domain.request_limits import RateLimit

START = datetime(2026, 3, 1, tzinfo=UTC)


class CountedReads(Sequence[Any]):
    """A sequence that counts how often an element of it is read."""

    def __init__(self, elements: Sequence[Any]) -> None:
        self.elements = elements
        self.reads = 0

    def __len__(self) -> int:
        return len(self.elements)

    def __getitem__(self, place: Any) -> Any:
        self.reads += 1
        return self.elements[place]


def test_the_sends_and_the_targets_before_count_within_the_time_of_a_limit() -> None:
    numbers = random.Random(7)
    limits = [RateLimit(6, timedelta(hours=3)), RateLimit(9, timedelta(days=1))]
    answers = set()
    for _ in range(300):
        used = sorted(START - timedelta(hours=numbers.randrange(30)) for _ in range(numbers.randrange(8)))
        queue = sorted((START + timedelta(hours=numbers.randrange(24)), f"tgt_{number}") for number in range(12))
        for due_at, target_id in queue:
            before = [at for at, other in queue if (at, other) < (due_at, target_id)]
            counts = [sum(due_at - limit.per < at <= due_at for at in (*used, *before)) for limit in limits]
            expected = any(count >= limit.limit for count, limit in zip(counts, limits, strict=True))
            assert is_over_quota(limits, used, queue, due_at, target_id) is expected
            answers.add(expected)
    assert answers == {True, False}


def test_a_target_behind_thousands_of_others_costs_few_reads() -> None:
    queue = CountedReads([(START + timedelta(seconds=number), f"tgt_{number:05}") for number in range(20_000)])
    used = CountedReads([START - timedelta(seconds=number) for number in range(20_000, 0, -1)])
    due_at, target_id = queue.elements[-1]
    assert not is_over_quota([RateLimit(50_000, timedelta(days=1))], used, queue, due_at, target_id)
    assert queue.reads + used.reads < 100

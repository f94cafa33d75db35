"""Steps that wait for their workspace's media are retried about as often as they may continue."""

from datetime import timedelta

from media.admission import WaitingSteps
from tests.domain.test_shares import Clock


def seconds(wait: timedelta, exactly: float) -> bool:
    return exactly * 0.8 <= wait.total_seconds() <= exactly * 1.2


def test_each_waiting_step_waits_longer() -> None:
    waiting = WaitingSteps(Clock())
    waits = [waiting.postpone("ws", f"step {number}", 2) for number in range(100)]
    assert all(seconds(wait, 2 * (number + 1)) for number, wait in enumerate(waits))
    # A step that is retried moves to the end of the line; steps of other workspaces do not count.
    assert seconds(waiting.postpone("ws", "step 7", 2), 200)
    assert seconds(waiting.postpone("other", "step", 2), 2)


def test_a_wait_is_neither_too_short_nor_too_long() -> None:
    waiting = WaitingSteps(Clock())
    assert seconds(waiting.postpone("ws", "step", 0.01), 1)
    assert seconds(waiting.postpone("ws", "another", 1000), 300)


def test_steps_that_continue_or_vanish_stop_counting() -> None:
    clock = Clock()
    waiting = WaitingSteps(clock)
    for number in range(9):
        waiting.postpone("ws", f"step {number}", 2)
    for number in range(5):
        waiting.admit("ws", f"step {number}")
    assert seconds(waiting.postpone("ws", "step", 2), 10)
    clock.now = 100
    assert seconds(waiting.postpone("ws", "late", 2), 2)
    for step in ("step", "late"):
        waiting.admit("ws", step)
    assert waiting.__dict__["_until"] == {}

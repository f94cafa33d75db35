"""The limits of requests as arithmetic: leases, what is left, and how long to wait."""

import math

from hypothesis import given
from hypothesis import strategies as st

from domain.request_limits import (
    LARGE_LEASE_S,
    LEASED,
    MOST_LEASED,
    WINDOW_S,
    Allowance,
    Policy,
    PolicyName,
    posts_policy,
    requests_policy,
)


def test_leases_become_smaller_towards_the_end() -> None:
    policy, allowance = requests_policy(600), Allowance()
    assert allowance.lease_size(policy, 0.0) == 16
    for remaining, size in ((599, 16), (100, 12), (16, 2), (15, 1), (1, 1), (0, 1)):
        allowance.full_at = (600 - remaining) * policy.interval_s
        assert allowance.lease_size(policy, 0.0) == size


def lease_sizes(policy: Policy, per_s: float, leases: int) -> list[int]:
    """Return the sizes of leases of which so many uses a second are made."""
    allowance, now, sizes = Allowance(), 0.0, []
    for _ in range(leases):
        size = allowance.lease_size(policy, now)
        allowance.lease(size, now)
        now += size / per_s
        assert allowance.use(size, now), "the lease ended before it was used"
        sizes.append(size)
    return sizes


def test_leases_grow_to_a_second_of_use() -> None:
    assert lease_sizes(requests_policy(6_000), 100, 6) == [16, 32, 64, 100, 100, 100]
    assert lease_sizes(requests_policy(6_000), 40, 4) == [16, 32, 40, 40]
    assert lease_sizes(requests_policy(6_000), 2, 3) == [16, 16, 16]


def test_a_lease_comes_back_within_a_second() -> None:
    for limit, size in ((60, 7), (600, 16), (6_000, 100), (12_000, 200), (6_000_000, MOST_LEASED)):
        assert max(lease_sizes(requests_policy(limit), 10_000, 20)) == size


def test_leases_shrink_with_the_use() -> None:
    policy, allowance = requests_policy(6_000), Allowance()
    allowance.lease(100, 0.0)
    assert [allowance.lease_size(policy, now) for now in (1.0, 2.0, 10.0)] == [100, 50, 16]


def test_a_small_lease_ends_after_a_minute_and_a_large_one_after_two_seconds() -> None:
    for size, ends_at in ((LEASED, WINDOW_S), (LEASED + 1, LARGE_LEASE_S)):
        allowance = Allowance()
        allowance.lease(size, 0.0)
        assert allowance.use(size - 1, ends_at - 0.1)
        assert not allowance.use(2, ends_at - 0.1)
        assert not allowance.use(1, ends_at)


def test_the_standing_counts_leased_uses_as_unused() -> None:
    policy, allowance = requests_policy(600), Allowance()
    fresh = allowance.standing(policy, 5.0)
    assert (fresh.remaining, fresh.reset_s, fresh.retry_after) == (600, 0, None)
    allowance.full_at = 5.0 + 16 * policy.interval_s
    allowance.lease(16, 5.0)
    assert allowance.use(2, 5.0)
    told = allowance.standing(policy, 5.0)
    assert (told.remaining, told.reset_s) == (598, 1)


def test_a_refusal_says_when_it_may_succeed() -> None:
    policy, allowance = requests_policy(20), Allowance()
    allowance.full_at = 100.0 + policy.burst_s
    refused = allowance.standing(policy, 100.0, 1)
    assert (refused.remaining, refused.reset_s, refused.retry_after) == (0, 60, 3)
    assert allowance.standing(policy, 100.0, 5).retry_after == 15
    assert allowance.standing(policy, 102.9, 1).retry_after == 1


@given(st.integers(1, 100_000), st.integers(1, 100_000), st.floats(-10, 200), st.integers(0, MOST_LEASED))
def test_every_standing_is_possible(limit: int, burst: int, ahead_s: float, leased: int) -> None:
    policy, allowance = Policy(PolicyName.POSTS, limit, burst), Allowance()
    allowance.full_at = 1_000 + ahead_s
    allowance.lease(leased, 1_000.0)
    told = allowance.standing(policy, 1_000.0, 1)
    assert 0 <= told.remaining <= burst
    assert 0 <= told.reset_s <= 200
    assert told.retry_after is not None
    assert told.retry_after >= 1
    if (size := allowance.lease_size(policy, 1_000.0)) > 1:
        assert allowance.wait_s(policy, size, 1_000.0) <= 0


def test_an_import_fits_the_burst_of_posts() -> None:
    assert posts_policy().burst == 10_000
    assert posts_policy(100).burst == 10_000
    assert math.isclose(posts_policy().burst_s, 100)

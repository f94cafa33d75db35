"""Targets on so many accounts that a benchmark does not reach the limits of the platforms."""

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.proof.accounts import Accounts

ACCOUNTS = 24
"""X accepts 100 posts of an account in 15 minutes, Instagram 100 in a day."""

NextTarget = Callable[[str], dict[str, str]]
RATE_LIMITS = "SOCIALSYNCER_PLATFORM_RATE_LIMITS"


def rate_limits(*, on: bool) -> dict[str, str]:
    """Return a stack's environment in which workers acquire slots of accounts' rate limits before they send, or not."""
    return {RATE_LIMITS: str(on).lower()}


async def targets_on(dev: dict[str, Any], platforms: Iterable[str]) -> NextTarget:
    """Connect accounts of some platforms; return a function that names the accounts of a platform in turn."""
    accounts = Accounts(dev)
    lent = {name: itertools.cycle(await accounts.lend([name] * ACCOUNTS)) for name in platforms}

    def next_target(platform: str) -> dict[str, str]:
        return {"platform": platform, "accountId": next(lent[platform])}

    return next_target

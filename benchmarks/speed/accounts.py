"""So many accounts of each side that a benchmark does not reach the limits of the platforms."""

import itertools
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from benchmarks.proof.accounts import Accounts
from benchmarks.speed.plain_app import Account
from cli.sandbox import SandboxAccount, introduce, stable_user_id
from platforms.registry import platforms

COUNT = 24
"""X accepts 100 posts of an account in 15 minutes, Instagram 100 in a day."""
PLATFORMS = ("twitter", "bluesky", "instagram")

NextTarget = Callable[[str], dict[str, str]]


def in_turn(account_ids: Mapping[str, Sequence[str]]) -> NextTarget:
    """Return a function that names the accounts of a platform in turn."""
    turns = {platform: itertools.cycle(ids) for platform, ids in account_ids.items()}
    return lambda platform: {"platform": platform, "accountId": next(turns[platform])}


async def our_accounts(dev: dict[str, Any]) -> NextTarget:
    """Connect our accounts."""
    accounts = Accounts(dev)
    return in_turn({platform: await accounts.lend([platform] * COUNT) for platform in PLATFORMS})


async def plain_accounts(dev: dict[str, Any]) -> list[Account]:
    """Register accounts of the plain app with the sandbox; log in at Bluesky."""
    rows = [
        Account(id=f"{platform}-{number}", platform=platform, user_id=user_id, token=secrets.token_urlsafe(24))
        for platform in PLATFORMS
        for number in range(COUNT)
        for user_id in [stable_user_id(f"plain/{platform}/{number}")]
    ]
    known = [
        SandboxAccount(
            platform=row.platform,
            account_id=platforms()[row.platform].account_id(row.user_id),
            user_id=row.user_id,
            username=row.id,
            access_token=row.token,
            premium=True,
        )
        for row in rows
    ]
    await introduce(dev["sandboxUrl"], known)
    async with httpx.AsyncClient(base_url=f"{dev['sandboxUrl']}/bluesky/xrpc", timeout=60, trust_env=False) as http:
        for row in (row for row in rows if row.platform == "bluesky"):
            login = {"identifier": row.user_id, "password": row.token}
            session = (await http.post("/com.atproto.server.createSession", json=login)).raise_for_status().json()
            row.user_id, row.token = session["did"], session["accessJwt"]
    return rows

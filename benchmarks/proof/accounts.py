"""Accounts of the sandbox: every post in flight has one of its own, so that its faults affect it alone."""

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from benchmarks.proof.platforms import PLATFORMS, api_name
from cli.own_credentials import connect_account, parse_credentials
from cli.sandbox import SandboxAccount, fake_credentials, introduce, stable_user_id
from platforms.registry import platforms
from runtime.settings import VaultSettings
from store.database import Database
from store.workspaces.keys import workspace_of_key

_CONCURRENCY = 8


class Accounts:
    """The accounts that posts borrow; if all are in use, more are connected."""

    def __init__(self, dev: dict[str, Any]) -> None:
        self._sandbox_url: str = dev["sandboxUrl"]
        self._api_key: str = dev["apiKey"]
        self._settings = VaultSettings(
            _env_file=None,
            database_url=SecretStr(dev["databaseUrl"]),
            encryption_keys=[SecretStr((Path(dev["dataDir"]) / "encryption.key").read_text().strip())],
            sandbox_url=self._sandbox_url,
        )
        self._free: defaultdict[str, list[str]] = defaultdict(list)
        self._known: dict[str, _Owner] = {}
        self._numbers = itertools.count(1)

    async def lend(self, names: Iterable[str]) -> list[str]:
        """Return the id of an account on each of these platforms, all of them unused until they are given back."""
        requested = list(names)
        for name, count in Counter(requested).items():
            missing = count - len(self._free[name])
            if missing > 0:
                self._free[name].extend(await self._connect(name, missing))
        return [self._free[name].pop() for name in requested]

    def give_back(self, name: str, account_id: str) -> None:
        """Take back an account whose post is settled."""
        self._free[name].append(account_id)

    async def reconnect(self, name: str, account_id: str) -> None:
        """Connect an account again, as its owner would with `accounts add`."""
        await self._enter(name, [self._known[account_id]])

    async def _connect(self, name: str, count: int) -> list[str]:
        prefix = "webhook-" if PLATFORMS[name].webhook else ""
        people = [f"proof_{next(self._numbers)}" for _ in range(count)]
        seeds = [f"{self._api_key}/{api_name(name)}/{person}" for person in people]
        owners = [_Owner(prefix + stable_user_id(seed), username) for seed, username in zip(seeds, people, strict=True)]
        connected = await self._enter(name, owners)
        self._known |= dict(zip(connected, owners, strict=True))
        return connected

    async def _enter(self, name: str, owners: Sequence["_Owner"]) -> list[str]:
        """Connect accounts with new tokens, after registering these in the sandbox; return the accounts' ids."""
        platform_name = api_name(name)
        platform = platforms()[platform_name]
        new_credentials = [fake_credentials(platform, owner.user_id) for owner in owners]
        known = [
            SandboxAccount(
                platform=platform_name,
                account_id=platform.account_id(owner.user_id),
                user_id=owner.user_id,
                username=owner.username,
                access_token=credentials["accessToken"],
                refresh_token=credentials.get("refreshToken"),
                premium=True,
            )
            for owner, credentials in zip(owners, new_credentials, strict=True)
        ]
        await introduce(self._sandbox_url, known)
        database, slots = Database(self._settings.database_url.get_secret_value()), asyncio.Semaphore(_CONCURRENCY)
        try:
            async with database.reading() as session:
                workspace_id = await workspace_of_key(session, self._api_key) or ""

            async def connect(credentials: dict[str, str]) -> str:
                parsed = parse_credentials(platform, credentials)
                async with slots:
                    return (await connect_account(database, self._settings, workspace_id, platform, parsed)).id

            return list(await asyncio.gather(*(connect(entry) for entry in new_credentials)))
        finally:
            await database.close()


@dataclass(frozen=True, slots=True)
class _Owner:
    user_id: str
    username: str

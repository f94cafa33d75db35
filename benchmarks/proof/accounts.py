"""Lend accounts of the sandbox: every post in flight has one of its own, so that its faults strike it alone."""

import asyncio
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable

from pydantic import SecretStr

from benchmarks.proof.networks import NETWORKS, platform_of
from benchmarks.proof.product import Product
from cli.connecting import connect_account, parsed_credentials
from cli.sandbox import SandboxAccount, introduce, invented_credentials, stable_user_id
from platforms.registry import networks
from runtime.settings import Settings
from store.database import Database
from store.vault import Vault
from store.workspaces import workspace_of_key

_AT_ONCE = 8


class Accounts:
    """Lend accounts, and connect more where all are lent."""

    def __init__(self, product: Product) -> None:
        self._sandbox_url: str = product.dev["sandboxUrl"]
        self._api_key: str = product.dev["apiKey"]
        self._settings = Settings(
            _env_file=None,
            database_url=SecretStr(product.dev["databaseUrl"]),
            encryption_keys=[SecretStr((product.folder / "encryption.key").read_text().strip())],
            sandbox_url=self._sandbox_url,
        )
        self._free: defaultdict[str, list[str]] = defaultdict(list)
        self._numbers = itertools.count(1)

    async def lend(self, names: Iterable[str]) -> list[str]:
        """Return the id of an account on each of these networks, none of them lent to anybody else."""
        wanted = list(names)
        for name, count in Counter(wanted).items():
            missing = count - len(self._free[name])
            if missing > 0:
                self._free[name].extend(await self._connect(name, missing))
        return [self._free[name].pop() for name in wanted]

    def give_back(self, name: str, account_id: str) -> None:
        """Take an account back whose post is settled."""
        self._free[name].append(account_id)

    async def _connect(self, kind: str, count: int) -> list[str]:
        platform, webhook = platform_of(kind), NETWORKS[kind].webhook
        network, vault = networks()[platform], Vault(self._settings.encryption_keys)
        numbered = [f"proof_{next(self._numbers)}" for _ in range(count)]
        told: list[SandboxAccount] = []
        given: list[dict[str, str]] = []
        for name in numbered:
            user_id = ("webhook-" if webhook else "") + stable_user_id(f"{self._api_key}/{platform}/{name}")
            given.append(invented_credentials(network, user_id))
            told.append(
                SandboxAccount(
                    platform=platform,
                    account_id=network.account_id(user_id),
                    user_id=user_id,
                    username=name,
                    access_token=given[-1]["accessToken"],
                    refresh_token=given[-1].get("refreshToken"),
                    premium=True,
                )
            )
        await introduce(self._sandbox_url, told)
        database, slots = Database(self._settings.database_url.get_secret_value()), asyncio.Semaphore(_AT_ONCE)
        try:
            async with database.reading() as session:
                workspace_id = await workspace_of_key(session, self._api_key)

            async def connect(credentials: dict[str, str]) -> str:
                async with slots, database.transaction() as session:
                    account = await connect_account(
                        session,
                        vault,
                        self._settings,
                        workspace_id or "",
                        network,
                        parsed_credentials(network, credentials),
                    )
                    return account.id

            return list(await asyncio.gather(*(connect(each) for each in given)))
        finally:
            await database.close()

"""A fake platform whose renewal a test controls, and reads of the account's row."""

import asyncio
from collections.abc import Callable
from typing import Any

from accounts.credentials.renewal import Guard, Renewals
from platforms.errors import PlatformError
from store.accounts.connected import Key, open_credentials
from store.accounts.renewals import ChangedCredentials, Tokens
from store.models import Account
from store.secrets.vault import Vault
from tests.stack import Stack

REPORTED = Tokens(None, None, ["write"], None)

Process = Callable[..., Renewals]


class Platform:
    """A platform that renews when the test lets it, and counts the renewals that it was asked for."""

    def __init__(self) -> None:
        self.asked = 0
        self.is_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.refusal: PlatformError | None = None
        self.tokens = REPORTED

    async def renew(self, stored: dict[str, Any], guard: Guard) -> ChangedCredentials:
        await guard()
        self.asked += 1
        self.is_asked.set()
        await self.may_answer.wait()
        if self.refusal:
            raise self.refusal
        return ChangedCredentials(stored | {"access_token": f"renewed {self.asked}"}, self.tokens)


def account_key(account: Account) -> Key:
    return account.workspace_id, account.id


async def row(stack: Stack, account: Account) -> Account:
    async with stack.database.transaction() as session:
        return await session.get_one(Account, (account.workspace_id, account.id))


async def token(stack: Stack, account: Account) -> str:
    return str(open_credentials(Vault(stack.settings.encryption_keys), await row(stack, account))["access_token"])

"""The connections of one process share what servers have reported."""

from runtime.parts import open_parts
from tests.stack import Stack


async def test_a_server_is_asked_for_its_limits_once_for_all_accounts_of_a_process(stack: Stack) -> None:
    accounts = [await stack.connect("mastodon") for _ in range(2)]

    async def asked() -> int:
        requests = (await stack.control("GET", "requests?platform=mastodon"))["requests"]
        return sum(request["path"].endswith("/instance") for request in requests)

    for _ in range(2):
        async with open_parts(stack.settings, stack.worker_database) as parts:
            before = await asked()
            for account in accounts:
                await parts.accounts.whoami(account)
            assert await asked() == before + 1

"""Each test of events has an account of its own."""

import pytest

from tests.stack import Stack


@pytest.fixture(autouse=True)
async def own_account(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    # The same account cannot publish under the same id again.
    monkeypatch.setitem(stack.accounts, "twitter", await stack.connect("twitter"))

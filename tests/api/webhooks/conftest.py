"""An endpoint of a client for tests of /v1/webhooks."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import delete, text

from reconcile.rounds import running_tasks
from reconcile.webhooks import wake_task
from store.announcer import CHANNEL
from store.models import Delivery, Webhook
from store.secrets.vault import Vault
from store.webhooks.endpoints import keep_handover_key
from tests.activities.receivers import Receiver, receiving
from tests.stack import Stack

_OF_LISTENER = "FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '%worker-listener%'"
_IS_GONE = f"SELECT NOT EXISTS (SELECT {_OF_LISTENER})"
_LISTENS = f"""
SELECT EXISTS (SELECT {_OF_LISTENER} AND (query LIKE '%make_deliveries%' OR query = 'LISTEN "{CHANNEL}"'))
"""


async def _become(stack: Stack, condition: str) -> None:
    async with asyncio.timeout(60), stack.database.reading() as session:
        while not await session.scalar(text(condition)):  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.01)


@pytest.fixture
async def receiver(stack: Stack, app: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Receiver]:
    """Run an endpoint that workers may call, a worker's loop that wakes its workflow, and no limit of tests."""
    async with stack.worker_database.transaction() as session:
        await keep_handover_key(session, Vault(stack.settings.encryption_keys))
    app.state.deps.webhook_tests._full_at.clear()
    port = int(stack.settings.private_webhook_hosts[0].partition(":")[2])
    # A second listener ends at once, and begins again after seconds.
    await _become(stack, _IS_GONE)
    async with receiving(port=port) as receiver, running_tasks(wake_task(stack.worker_database, stack.client)):
        await _become(stack, _LISTENS)
        yield receiver
    async with stack.database.transaction() as session:
        # In this order, as a worker locks them that still writes an answer.
        for model in (Webhook, Delivery):
            await session.execute(delete(model))

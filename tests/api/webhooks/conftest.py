"""An endpoint of a client for tests of /v1/webhooks."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import delete

from reconcile.rounds import running_tasks
from reconcile.webhooks import wake_task
from store.models import Delivery, Webhook
from store.secrets.vault import Vault
from store.webhooks.handover_keys import keep_handover_key
from tests.activities.receivers import Receiver, receiving
from tests.stack import Stack


@pytest.fixture
async def receiver(stack: Stack, app: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Receiver]:
    """Run an endpoint that workers may call, a worker's loop that wakes its workflow, and no limit of tests."""
    async with stack.worker_database.transaction() as session:
        await keep_handover_key(session, Vault(stack.settings.encryption_keys))
    app.state.deps.webhook_tests._buckets.clear()
    port = int(stack.settings.private_webhook_hosts[0].partition(":")[2])
    async with receiving(port=port) as receiver, running_tasks(wake_task(stack.worker_database, stack.client)):
        # The task listens a moment after it has begun.
        await asyncio.sleep(0.2)
        yield receiver
    async with stack.database.transaction() as session:
        # In this order, as a worker locks them that still writes an answer.
        for model in (Webhook, Delivery):
            await session.execute(delete(model))

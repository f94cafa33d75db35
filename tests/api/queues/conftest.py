"""Queues of a workspace whose accounts other tests share."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api.conftest import Client, read_answer
from tests.stack import Stack

WEEK = ["mo", "tu", "we", "th", "fr", "sa", "su"]
DAILY = [{"days": WEEK, "time": "09:00"}]


@pytest.fixture(autouse=True)
async def no_queue_remains(api: Client) -> AsyncIterator[None]:
    yield
    for queue in (await api.get("/v1/queues")).json()["queues"]:
        assert (await api.delete(f"/v1/queues/{queue['id']}")).status_code == 200


async def make_queue(api: Client, status: int = 201, **body: Any) -> Any:
    return read_answer(
        await api.post("/v1/queues", json={"name": "A queue", "timezone": "UTC", "slots": DAILY, **body}), status
    )


def account(stack: Stack, name: str = "plain") -> dict[str, str]:
    named = stack.accounts[name]
    return {"platform": named.platform, "accountId": named.id}


def queued(stack: Stack, text: str, *accounts: str, queue: str = "next", **fields: Any) -> dict[str, Any]:
    """Return the body of a post in a queue."""
    targets = [account(stack, name) for name in accounts or ("plain",)]
    return {"content": text, "platforms": targets, "queue": queue, **fields}


def day_from_now(days: int, at: str = "09:00:00") -> str:
    """Return an instant of a later day, as answers write it."""
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}T{at}Z"


TOMORROW, IN_TWO_DAYS, IN_THREE_DAYS = (day_from_now(days) for days in (1, 2, 3))
CLOSED_TODAY = [{"from": day_from_now(0)[:10], "to": day_from_now(0)[:10]}]
"""So that the first free slot is tomorrow's whatever the time is now."""


@pytest.fixture
async def queue(api: Client, stack: Stack) -> Any:
    return await make_queue(api, accounts=[account(stack)], blackouts=CLOSED_TODAY)


async def slots(api: Client, queue: Any) -> dict[str, str | None]:
    """Return the post of each slot of the next days, by instant."""
    listed = (await api.get(f"/v1/queues/{queue['id']}/slots")).json()["slots"]
    return {slot["at"]: slot["postId"] for slot in listed}

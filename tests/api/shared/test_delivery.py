"""Posts while Temporal is unavailable, and the record of their starts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client as TemporalClient
from temporalio.contrib.pydantic import pydantic_data_converter

from api.dependencies import Dependencies
from api.shared.delivery import Delivery
from cli.stack.ports import free_port
from domain.plan import Plan
from domain.post import PostStatus
from store.accounts.connected import find_accounts
from store.posts.delivery import claim_undelivered, post_plan, record_delivered
from tests.api.conftest import Client, make_client
from tests.before_due import passed
from tests.serving import app_over
from tests.stack import Stack
from workflows.client.post_workflows import PostWorkflows


@asynccontextmanager
async def without_temporal(stack: Stack) -> AsyncIterator[Client]:
    away = await TemporalClient.connect(f"127.0.0.1:{free_port()}", data_converter=pydantic_data_converter, lazy=True)
    async with (
        app_over(Dependencies.assemble(stack.api_database, PostWorkflows(away), stack.outcomes)) as app,
        make_client(app, stack.api_key) as client,
    ):
        yield client


async def test_a_scheduled_post_is_accepted_while_temporal_is_away(stack: Stack) -> None:
    target = {"platform": "twitter", "accountId": stack.accounts["twitter"].id}
    body = {"content": "patient", "platforms": [target], "scheduledFor": "2029-01-01T00:00:00Z"}
    async with without_temporal(stack) as client:
        response = await client.send_post(body)
        assert (response.status_code, response.json()["status"]) == (201, "scheduled")
        assert not (await stack.read(response.json()["id"])).is_delivered
        parts = (await client.get("/statusz?strict=true")).json()
        assert (parts["database"], parts["temporal"], parts["worker"]) == (True, False, False)


async def test_publish_now_survives_a_temporal_outage(stack: Stack) -> None:
    target = {"platform": "twitter", "accountId": stack.accounts["twitter"].id}
    async with without_temporal(stack) as client:
        body = {"content": "accepted", "platforms": [target], "publishNow": True}
        response = await client.send_post(body, Prefer="wait=1")
        assert (response.status_code, response.json()["status"]) == (201, "publishing")
    # The sweep does this after a while; this test checks that it can.
    post = await stack.read(response.json()["id"])
    assert not post.is_delivered
    await stack.start(post)
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED


@pytest.mark.thorough
async def test_a_change_and_a_deletion_hold_while_temporal_is_away(stack: Stack) -> None:
    changed, deleted = [
        await stack.save(f"unreachable {name}", [stack.accounts["plain"]], due_in=timedelta(seconds=10))
        for name in ("changed", "deleted")
    ]
    for post in (changed, deleted):
        await stack.start(post)
    async with without_temporal(stack) as client:
        later = {"content": "reached", "scheduledFor": "2029-01-01T00:00:00Z"}
        assert (await client.patch(f"/v1/posts/{changed.id}", json=later)).status_code == 200
        assert (await client.delete(f"/v1/posts/{deleted.id}")).status_code == 200
    await passed(deleted.due_at or datetime.now(UTC))
    row = await stack.read(changed.id)
    assert (row.status, row.content) == (PostStatus.SCHEDULED, "reached")
    for name in ("changed", "deleted"):
        assert await stack.public(f"unreachable {name}") == []


@pytest.mark.parametrize("count", [1, 5])
async def test_started_posts_are_noted_together(stack: Stack, count: int) -> None:
    delivery = Delivery(stack.api_database, stack.workflows)
    account = stack.accounts["twitter"]
    posts = [await stack.save("noted", [account], due_in=timedelta(days=1)) for _ in range(count)]
    async with stack.database.transaction() as session:
        accounts = await find_accounts(session, stack.workspace_id, [account.id])
    await asyncio.gather(*(delivery.deliver_and_wait(post_plan(post, accounts)) for post in posts))
    await delivery.close()
    assert all([(await stack.read(post.id)).is_delivered for post in posts])


class Recording(PostWorkflows):
    """Posts' workflows as a fake that takes every post."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack.client)
        self.asked: list[str] = []

    async def start(self, plan: Plan) -> None:
        self.asked.append(plan.post_id)


async def test_saved_posts_that_a_worker_has_claimed_or_delivered_are_left_to_it(stack: Stack) -> None:
    claimed, delivered, free = [
        await stack.save(f"saved {name}", [stack.accounts["plain"]], due_in=timedelta(seconds=number))
        for number, name in enumerate(("claimed", "delivered", "free"), start=-3)
    ]
    now = datetime.now(UTC)
    async with stack.worker_database.transaction() as session:
        assert claimed.id in {post.id for post in await claim_undelivered(session, now, now + timedelta(hours=1), 1)}
        await record_delivered(session, {delivered.id: delivered.version})
    workflows = Recording(stack)
    delivery = Delivery(stack.api_database, workflows)
    delivery.deliver_saved([claimed.id, delivered.id, free.id])
    await delivery.close()
    assert workflows.asked == [free.id]


async def test_a_saved_post_whose_claim_is_over_is_delivered(stack: Stack) -> None:
    post = await stack.save("claimed by a worker that died", [stack.accounts["plain"]], due_in=timedelta(seconds=1))
    async with stack.worker_database.transaction() as session:
        claim = datetime.now(UTC) - timedelta(minutes=1)
        posts = await claim_undelivered(session, claim, claim + timedelta(hours=1), 1000)
        assert post.id in {claimed.id for claimed in posts}
    workflows = Recording(stack)
    delivery = Delivery(stack.api_database, workflows)
    delivery.deliver_saved([post.id])
    await delivery.close()
    assert workflows.asked == [post.id]

"""A new workspace for every test, so that rows and workflows of other tests are not inspected."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from temporalio.client import WorkflowHandle

from domain.post import PostStatus
from reconcile.doctor.doctor import Doctor
from reconcile.doctor.findings import Finding, FindingKind, Report
from store.models import Post, Target
from store.posts.delivery import record_delivered
from tests.stack import Stack
from tests.temporal import release_namespace
from tests.workspaces import new_workspace
from workflows.client.runs import Runs

TOKEN = "tok-doctor"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Check a second time sooner than on a busy system."""
    monkeypatch.setattr("reconcile.doctor.doctor.AGAIN_AFTER_S", 0.2)


@pytest.fixture
async def own(stack: Stack) -> AsyncIterator[Stack]:
    """Yield the running product in a new workspace with two accounts of X and one of Instagram."""
    # Tests of other databases use the same namespace.
    await release_namespace(stack.client)
    async with new_workspace(stack) as mine:
        yield mine


async def diagnose(stack: Stack, *, platforms: bool = True) -> Report:
    """Run the doctor as the command does, or without the sandbox, as on real platforms."""
    sandbox_url = stack.sandbox_url if platforms else None
    return await Doctor(stack.database, Runs(stack.client), stack.workspace_id, sandbox_url).diagnose()


async def only(stack: Stack, kind: FindingKind, *, platforms: bool = True) -> Finding:
    """Return the only finding, which is of this kind, once Temporal lists what it has done."""
    report = await diagnose(stack, platforms=platforms)
    for _ in range(10):
        if [finding.kind for finding in report.findings] == [kind]:
            return report.findings[0]
        await asyncio.sleep(0.3)
        report = await diagnose(stack, platforms=platforms)
    raise AssertionError(report)


async def agrees(stack: Stack) -> bool:
    report = await diagnose(stack)
    return (report.findings, report.away) == ([], [])


async def until_agrees(stack: Stack) -> None:
    """Wait until the doctor finds nothing: workflows learn of changes a moment after their rows."""
    async with asyncio.timeout(60):
        while not await agrees(stack):  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.2)


async def note_started(stack: Stack, post: Post) -> None:
    async with stack.database.transaction() as session:
        await record_delivered(session, {post.id: post.version})


async def asleep(stack: Stack, text: str, due_in: timedelta) -> tuple[Post, WorkflowHandle[Any, Any]]:
    """Schedule a post as the API does, and wait until its workflow sleeps."""
    post = await stack.save(text, [stack.accounts["plain"]], due_in=due_in)
    handle = await stack.start(post)
    await note_started(stack, post)
    assert (await handle.query("status"))["status"] == PostStatus.SCHEDULED
    return post, handle


async def published(stack: Stack, text: str, account: str = "plain", **more: Any) -> Post:
    """Publish a post as the API does."""
    post = await stack.publish(text, [stack.accounts[account]], **more)
    await note_started(stack, post)
    return post


async def write(stack: Stack, post: Post, **values: Any) -> None:
    """Change a post's row without the product."""
    async with stack.database.transaction() as session:
        await session.execute(update(Post).where(Post.id == post.id).values(**values))


async def write_target(stack: Stack, post: Post, **values: Any) -> None:
    """Change the rows of a post's targets without the product."""
    async with stack.database.transaction() as session:
        await session.execute(update(Target).where(Target.post_id == post.id).values(**values))


async def toot(stack: Stack, method: str, path: str = "", **body: Any) -> str:
    """Send a request to Mastodon without the product, as the account's owner; returns the status's id."""
    response = await stack.http.request(
        method,
        f"{stack.sandbox_url}/mastodon/api/v1/statuses{path}",
        headers={"authorization": f"Bearer {TOKEN}"},
        json=body or None,
    )
    response.raise_for_status()
    return str(response.json()["id"])

"""A correction of failed targets beside a retry, a signal, a lost workflow and another correction."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from store.models import Post
from tests.api.conftest import Client
from tests.api.posts.changes.corrections import PICTURE, patch, refused, retry, words
from tests.stack import Stack

pytestmark = pytest.mark.usefixtures("early_confirm")


class TestInterleavings:
    """Events that interleave with a correction: the response stays true of what is published."""

    async def outcome(self, stack: Stack, post_id: str, old: str, new: str, status: int) -> None:
        await stack.settled(post_id)
        was, now = len(await stack.public(old)), len(await stack.public(new))
        assert status in {200, 409}
        assert was + now <= 1
        assert not (was if status == 200 else now), (status, was, now)

    async def test_with_a_retry(self, api: Client, stack: Stack) -> None:
        for number in range(6):
            old, new = words("retry race"), words("corrected in a race")
            post = await refused(api, stack, old)

            async def later(pause: float, post: dict[str, Any] = post) -> int:
                await asyncio.sleep(pause)
                return (await api.post(f"/v1/posts/{post['id']}/retry")).status_code

            pause = 0.004 * number
            correction = api.patch(f"/v1/posts/{post['id']}", json={"content": new})
            answer, retried = await asyncio.gather(correction, later(pause))
            assert retried == 200
            await self.outcome(stack, post["id"], old, new, answer.status_code)
            assert len(await stack.public(old)) + len(await stack.public(new)) == 1

    async def test_with_an_operators_signal(self, api: Client, stack: Stack) -> None:
        for number in range(6):
            old, new = words("signal race"), words("corrected beside a signal")
            post = await refused(api, stack, old)
            handle = stack.client.get_workflow_handle((await stack.read(post["id"])).workflow_id)

            async def later(pause: float, where: str, body: dict[str, Any]) -> Any:
                await asyncio.sleep(pause)
                return await api.patch(where, json=body)

            correction = later(0.01 * number, f"/v1/posts/{post['id']}", {"content": new})
            _, answer = await asyncio.gather(handle.signal("retry"), correction)

            async def public(post_id: str = post["id"]) -> bool:
                return (await stack.read(post_id)).status == "published"

            assert await stack.outcomes.wait(post["id"], public, 20)
            await self.outcome(stack, post["id"], old, new, answer.status_code)

    async def test_with_a_lost_workflow(self, api: Client, stack: Stack) -> None:
        old, new = words("lost workflow"), words("corrected without it")
        post = await refused(api, stack, old)
        handle = stack.client.get_workflow_handle((await stack.read(post["id"])).workflow_id)
        await handle.terminate()
        await patch(api, post, {"content": new})
        assert (await retry(api, post))["status"] == "published"
        await self.outcome(stack, post["id"], old, new, 200)

    async def test_a_step_begun_before_the_correction_sends_nothing(self, api: Client, stack: Stack) -> None:
        """The step's run knows of the first retry, but not of the correction and the retry after it."""
        old, new = words("before"), words("after")
        post = await refused(api, stack, old)
        async with stack.database.transaction() as session:
            row = (await session.scalars(select(Post).where(Post.id == post["id"]))).one()
            # As after a restore of Temporal: a run that knows an older version publishes.
            version = row.version
        plan = (await stack.plan(await stack.read(post["id"]))).model_copy(deep=True)
        await patch(api, post, {"content": new})
        assert (await stack.read(post["id"])).version == version + 1
        plan.version = version
        for target in plan.targets:
            target.status = type(target.status)("pending")
        handle = stack.client.get_workflow_handle((await stack.read(post["id"])).workflow_id)
        await handle.terminate()
        await stack.workflows.update_plan(plan)
        await asyncio.sleep(1)
        assert await stack.public(old) == await stack.public(new) == []
        assert (await retry(api, post))["status"] == "published"
        await self.outcome(stack, post["id"], old, new, 200)

    async def test_concurrent_corrections_both_hold(self, api: Client, stack: Stack) -> None:
        post = await refused(api, stack, words("twice"), mediaItems=[PICTURE])
        content, tags = {"content": words("by one")}, {"tags": ["by another"]}
        await asyncio.gather(patch(api, post, content), patch(api, post, tags))
        after = (await api.get(f"/v1/posts/{post['id']}")).json()
        assert {**content, **tags}.items() <= after.items()

"""Many repeats of one keyed request while its post is publishing: they share their reads, up to a limit."""

import asyncio
from uuid import uuid4

import pytest

from api.shared.waiting import Repeats
from domain.errors import TooManyRequests
from store.posts.idempotency import KeyedRequest
from tests.api.conftest import Client
from tests.stack import Stack
from tests.statements import Statement

REQUEST = KeyedRequest("ws", "key", b"digest")


async def test_repeats_share_one_read_that_began_after_they_asked() -> None:
    repeats, reads, value = Repeats(), 0, 0

    async def read() -> int:
        nonlocal reads
        reads += 1
        seen = value
        await asyncio.sleep(0.05)
        return seen

    with repeats.answering(REQUEST) as first, repeats.answering(REQUEST) as second:
        assert (first, second) == (False, True)
        early = [asyncio.create_task(repeats.share(REQUEST, "post", read)) for _ in range(20)]
        await asyncio.sleep(0.01)
        value = 1
        late = [asyncio.create_task(repeats.share(REQUEST, "post", read)) for _ in range(20)]
        assert await asyncio.gather(*early) == [0] * 20
        assert await asyncio.gather(*late) == [1] * 20
    assert reads == 2


async def test_repeats_share_an_error_and_outlive_a_lost_client() -> None:
    repeats = Repeats()

    async def fail() -> None:
        await asyncio.sleep(0.02)
        raise ValueError

    with repeats.answering(REQUEST), repeats.answering(REQUEST):
        lost = asyncio.create_task(repeats.share(REQUEST, "post", fail))
        other = asyncio.create_task(repeats.share(REQUEST, "post", fail))
        await asyncio.sleep(0)
        lost.cancel()
        with pytest.raises(ValueError):  # noqa: PT011  its own error, not another's
            await other


def test_too_many_repeats_are_refused() -> None:
    repeats = Repeats(most=2)
    with repeats.answering(REQUEST), repeats.answering(REQUEST):
        with pytest.raises(TooManyRequests), repeats.answering(REQUEST):
            pass
        with repeats.answering(KeyedRequest("ws", "key", b"other")) as is_repeat:
            assert not is_repeat
    with repeats.answering(REQUEST) as is_repeat:
        assert not is_repeat


async def test_repeats_while_a_post_is_publishing_cost_few_statements(
    api: Client, stack: Stack, statements: list[Statement]
) -> None:
    key = uuid4().hex
    account = await stack.connect("mastodon", workspace_id=api.workspace_id)
    await stack.fault("mastodon", "accept_then_delay", "publish", seconds=3)
    targets = [{"platform": "mastodon", "accountId": account.id}]
    body = {"content": f"repeated {key}", "platforms": targets, "publishNow": True}
    headers = {"Idempotency-Key": key}
    first = asyncio.create_task(api.send_post(body, **headers))
    await asyncio.sleep(0.3)
    statements.clear()
    answers = await asyncio.gather(*(api.send_post(body, **headers) for _ in range(150)), first)
    assert sorted({answer.status_code for answer in answers}) == [201, 429]
    assert {answer.content for answer in answers if answer.status_code == 201} == {answers[-1].content}
    assert [answer.status_code for answer in answers].count(201) == 100
    post_id = answers[-1].json()["id"]
    own = [statement for statement in statements if statement.concerns(key) or statement.concerns(post_id)]
    assert len([query for query in own if query.verb == "SELECT"]) < 40

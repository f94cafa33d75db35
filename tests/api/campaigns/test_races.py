"""Posts join a campaign, leave it and are published while it is ended and deleted."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from domain.ids import new_id
from store.models import Campaign, Post
from tests.api.campaigns.conftest import save_campaign
from tests.api.campaigns.test_posts import NOON, create, post_body
from tests.api.conftest import Client
from tests.stack import Stack


@pytest.mark.parametrize("unsent", ["keep", "delete"])
async def test_no_unsent_post_is_of_a_campaign_that_is_deleted_meanwhile(
    api: Client, stack: Stack, unsent: str
) -> None:
    campaign_id, other = await save_campaign(stack), await save_campaign(stack)
    inside = [await create(api, stack, campaign_id, scheduledFor=NOON) for _ in range(4)]
    outside = [await create(api, stack, other, scheduledFor=NOON) for _ in range(4)]

    async def join(post: Any) -> int:
        return (await api.patch(f"/v1/posts/{post['id']}", json={"campaignId": campaign_id})).status_code

    async def leave(post: Any) -> int:
        return (await api.patch(f"/v1/posts/{post['id']}", json={"campaignId": other})).status_code

    async def add() -> int:
        return (await api.send_post(post_body(stack, campaign_id, scheduledFor=NOON))).status_code

    async def delete() -> int:
        return (await api.delete(f"/v1/campaigns/{campaign_id}", params={"posts": unsent})).status_code

    statuses = await asyncio.gather(
        *(join(post) for post in outside[:2]), *(add() for _ in range(4)), delete(), *(leave(post) for post in inside)
    )
    statuses += await asyncio.gather(*(join(post) for post in outside[2:]), *(add() for _ in range(2)))
    assert max(statuses) < 500, statuses
    async with stack.database.reading() as session:
        assert await session.get(Campaign, campaign_id) is None
        left_over = await session.scalars(select(Post.id).where(Post.campaign_id == campaign_id))
        assert list(left_over) == []


async def test_starts_and_ends_at_the_same_time_are_one_after_the_other(api: Client, stack: Stack) -> None:
    campaign_id = await save_campaign(stack)
    post = await create(api, stack, campaign_id, scheduledFor=NOON)

    async def act(action: str, body: dict[str, str] | None = None) -> int:
        headers = {"Idempotency-Key": new_id("k")}
        return (await api.post(f"/v1/campaigns/{campaign_id}/{action}", headers=headers, json=body)).status_code

    async def change() -> int:
        body = {"endsAt": NOON, "conflicts": "skip"}
        return (await api.patch(f"/v1/campaigns/{campaign_id}", json=body)).status_code

    statuses = await asyncio.gather(
        *(act("pause", {"reason": "x"}) for _ in range(3)),
        act("end"),
        act("end"),
        *(act("resume", {}) for _ in range(3)),
        *(change() for _ in range(3)),
    )
    assert max(statuses) < 500, statuses
    shown = (await api.get(f"/v1/campaigns/{campaign_id}")).json()
    assert (shown["status"], shown["pause"]) == ("ended", None)
    assert (await api.get(f"/v1/posts/{post['id']}")).json()["isDraft"]
    assert {pause["status"] for pause in (await api.get("/v1/pauses")).json()["pauses"]} <= {"ended"}
    kinds = [
        operation["kind"]
        for operation in (await api.get(f"/v1/campaigns/{campaign_id}/operations")).json()["operations"]
    ]
    assert kinds.count("ended") == 1

"""Limits of what a workspace may connect and begin."""

import asyncio
from collections.abc import Collection
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.connecting import saving
from api.connect.begin import MOST_AN_HOUR
from api.dependencies import Dependencies
from api.shared.workspace_usage import WorkspaceLimits
from store.accounts.connected import count_accounts, has_room_for
from store.models import PendingConnection
from tests.api.conftest import Client, make_client
from tests.api.connect.consents import BACK, begin, connected, consent, refused, trade
from tests.serving import app_over
from tests.stack import Stack


@pytest.fixture
def two_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the workers connect two accounts of a workspace."""

    async def has_room(session: AsyncSession, workspace_id: str, account_ids: Collection[str], _: int) -> bool:
        return await has_room_for(session, workspace_id, account_ids, 2)

    monkeypatch.setattr(saving, "has_room_for", has_room)


async def test_account_limit_is_checked_before_consent(stack: Stack) -> None:
    deps = Dependencies.assemble(
        stack.api_database, stack.workflows, stack.outcomes, limits=WorkspaceLimits(accounts=1)
    )
    _, key = await stack.new_workspace()
    async with app_over(deps) as app, make_client(app, key) as client:
        known = await connected(client, stack, "twitter", "the only one")
        response = await client.get("/v1/connect/twitter", params={"redirect_url": BACK})
        assert "as many accounts as it may connect: 1." in await refused(response, 422, "too_many_accounts")
        again = await begin(client, "twitter", accountId=known["accountId"])
        assert (await trade(client, "twitter", await consent(stack, again, "the only one"))).status_code == 200


@pytest.mark.usefixtures("two_at_most")
async def test_concurrent_connections_respect_the_limit(stranger: Client, stack: Stack) -> None:
    backs = [await consent(stack, await begin(stranger, "twitter"), f"limited {number}") for number in range(4)]
    answers: list[httpx.Response] = await asyncio.gather(*(trade(stranger, "twitter", back) for back in backs))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 422, 422]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 422} == {"too_many_accounts"}
    async with stack.database.reading() as session:
        assert await count_accounts(session, stranger.workspace_id, 10) == 2
    # A known account may always be connected again.
    person = next(number for number, response in enumerate(answers) if response.status_code == 201)
    back = await consent(stack, await begin(stranger, "twitter"), f"limited {person}")
    assert (await trade(stranger, "twitter", back)).status_code == 200


async def test_connections_of_a_workspace_are_limited_per_hour(stranger: Client, stack: Stack) -> None:
    await begin(stranger, "twitter")
    async with stack.database.transaction() as session:
        for number in range(MOST_AN_HOUR - 1):
            values = {"id": f"sel_{stranger.workspace_id}_{number}", "workspace_id": stranger.workspace_id}
            session.add(PendingConnection(**values, platform="twitter", options={}, expires_at=stack.began_at))
    for hosted in ("true", "false"):
        response = await stranger.get("/v1/connect/twitter", params={"redirect_url": BACK, "hosted": hosted})
        await refused(response, 429, "rate_limited")
        assert 3_500 < int(response.headers["retry-after"]) <= 3_600
    response = await stranger.post("/v1/connect/telegram", json={"credentials": {"botToken": "1:a", "chatId": "1"}})
    await refused(response, 429, "rate_limited")
    # The wait that is named is long enough: the oldest connection leaves the hour.
    oldest = select(func.min(PendingConnection.created_at)).where(
        PendingConnection.workspace_id == stranger.workspace_id
    )
    async with stack.database.transaction() as session:
        first = (await session.scalars(oldest)).one()
        assert first is not None
        begun_first = update(PendingConnection).where(PendingConnection.created_at == first)
        await session.execute(
            begun_first.values(created_at=first - timedelta(seconds=int(response.headers["retry-after"])))
        )
    await begin(stranger, "twitter")

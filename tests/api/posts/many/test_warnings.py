"""Warnings about many posts say what an account cannot publish, those of before included."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.dependencies import Dependencies
from api.posts.many.building import PlanWarningView, build_posts, plan_warnings
from api.posts.many.checking import CheckedRows, Row, check_rows
from domain.loop_share import HEAVY
from store.posts.creating import create_posts
from tests.stack import Stack

BEGIN = datetime(2030, 12, 3, 22, 30, tzinfo=UTC)


@pytest.fixture
def deps(stack: Stack) -> Dependencies:
    return Dependencies.assemble(stack.api_database, stack.workflows, stack.outcomes)


async def check(deps: Dependencies, stack: Stack, posts: list[dict[str, Any]]) -> CheckedRows:
    checked = await check_rows(deps, stack.workspace_id, (Row(at, post) for at, post in enumerate(posts)), HEAVY)
    checked.require_sound()
    return checked


async def warn(deps: Dependencies, stack: Stack, checked: CheckedRows) -> list[PlanWarningView]:
    async with deps.database.reading() as session:
        return await plan_warnings(session, stack.workspace_id, checked.posts, "Europe/Berlin", [], 0)


def plan(platform: str, account_id: str, number: int, *, every: timedelta, text: str = "") -> list[dict[str, Any]]:
    return [
        {
            "content": text or f"Planned {at}",
            "platforms": [{"platform": platform, "accountId": account_id}],
            "scheduledFor": (BEGIN + at * every).isoformat(),
        }
        for at in range(number)
    ]


async def test_posts_over_a_limit_of_a_day_are_counted_with_those_of_before(deps: Dependencies, stack: Stack) -> None:
    account = (await stack.connect("linkedin")).id
    # The first two are due before midnight in Berlin, the others on the next day.
    earlier = await check(deps, stack, plan("linkedin", account, 100, every=timedelta(minutes=15)))
    assert await warn(deps, stack, earlier) == []
    posts = await build_posts(deps, stack.workspace_id, await stack.actor(), earlier.posts, HEAVY)
    async with deps.database.transaction() as session:
        await create_posts(session, posts)
    later = await check(deps, stack, plan("linkedin", account, 60, every=timedelta(minutes=15)))
    (warning,) = await warn(deps, stack, later)
    assert (warning["code"], warning["day"]) == ("over_daily_cap", "2030-12-04")
    assert (warning["planned"], warning["allowed"], warning["accountId"]) == (96 + 58, 150, account)
    assert warning["rows"] == list(range(2, 12))


async def test_posts_that_are_too_close_are_named(deps: Dependencies, stack: Stack) -> None:
    account = stack.accounts["plain"].id
    posts = plan("twitter", account, 102, every=timedelta(seconds=8.9))
    assert await warn(deps, stack, await check(deps, stack, posts[:100])) == []
    (warning,) = await warn(deps, stack, await check(deps, stack, posts))
    assert (warning["code"], warning["planned"], warning["allowed"]) == ("too_close", 102, 100)
    apart = plan("twitter", account, 102, every=timedelta(seconds=9))
    assert await warn(deps, stack, await check(deps, stack, apart)) == []


async def test_a_text_is_named_that_its_platform_refuses_twice(deps: Dependencies, stack: Stack) -> None:
    x_account, bluesky_account = stack.accounts["plain"].id, (await stack.connect("bluesky")).id
    posts = plan("twitter", x_account, 2, every=timedelta(days=1), text="Twice")
    posts += plan("bluesky", bluesky_account, 2, every=timedelta(days=1), text="Twice")
    (warning,) = await warn(deps, stack, await check(deps, stack, posts))
    assert (warning["code"], warning["platform"], warning["rows"]) == ("duplicate_content", "twitter", [0, 1])


async def test_drafts_are_planned_for_no_time(deps: Dependencies, stack: Stack) -> None:
    posts = plan("twitter", stack.accounts["plain"].id, 2, every=timedelta(days=1), text="Twice")
    checked = await check(deps, stack, [post | {"isDraft": True} for post in posts])
    assert await warn(deps, stack, checked) == []

"""Many rows are checked as the posts that they ask for, with all problems by row, and become rows of the database."""

from collections.abc import Iterator
from typing import Any

import pytest

from api.dependencies import Dependencies
from api.posts.many.building import build_posts, deliver_due
from api.posts.many.checking import MOST_ROW_PROBLEMS, CheckedRows, Row, check_rows
from domain.errors import InvalidRequest, Unprocessable
from domain.loop_share import HEAVY
from store.posts.contents import post_content
from store.posts.creating import create_posts
from tests.stack import Stack

AT = "2030-12-01T09:00"


@pytest.fixture
def deps(stack: Stack) -> Dependencies:
    return Dependencies.assemble(stack.api_database, stack.workflows, stack.outcomes)


def bodies(stack: Stack, number: int) -> Iterator[dict[str, Any]]:
    account = {"platform": "twitter", "accountId": stack.accounts["plain"].id}
    for at in range(number):
        yield {"content": f"Row {at}", "platforms": [account], "scheduledFor": AT, "timezone": "Europe/Berlin"}


async def check(deps: Dependencies, stack: Stack, rows: list[dict[str, Any]]) -> CheckedRows:
    numbered = (Row(at, body) for at, body in enumerate(rows))
    return await check_rows(deps, stack.workspace_id, numbered, HEAVY)


async def test_sound_rows_become_posts_in_one_transaction(deps: Dependencies, stack: Stack) -> None:
    checked = await check(deps, stack, list(bodies(stack, 250)))
    checked.require_sound()
    assert [post.number for post in checked.posts] == list(range(250))
    actor = await stack.actor()
    posts = await build_posts(deps, stack.workspace_id, actor, checked.posts, HEAVY)
    async with deps.database.transaction() as session:
        await create_posts(session, posts)
    deliver_due(deps, posts)
    stored = await stack.read(posts[249].columns["id"])
    assert post_content(stored) == checked.posts[249].parsed.content
    assert (stored.status, stored.created_by, stored.workflow_id) == ("scheduled", actor.id, stored.id)


async def test_all_problems_are_reported_by_row(deps: Dependencies, stack: Stack) -> None:
    sound, *others = bodies(stack, 6)
    others[0]["platforms"] = [{"platform": "twitter", "accountId": "tw_none"}]
    others[1]["content"] = "x" * 300
    others[2] |= {"contnet": "?", "scheduledFor": "soon"}
    others[3]["publishNow"] = True
    others[4]["externalId"] = sound["externalId"] = "twice"
    checked = await check(deps, stack, [sound, *others])
    assert [post.number for post in checked.posts] == [0]
    with pytest.raises(InvalidRequest) as refusal:
        checked.require_sound()
    assert [(problem.row, problem.code, problem.param) for problem in refusal.value.problems] == [
        (1, "account_not_found", "rows.1.platforms.0.accountId"),
        (2, "invalid_field_value", "rows.2.content"),
        (3, "unknown_parameter", "rows.3.contnet"),
        (3, "invalid_field_value", "rows.3.scheduledFor"),
        (4, "invalid_field_value", "rows.4.publishNow"),
        (4, "invalid_field_value", "rows.4.scheduledFor"),
        (5, "invalid_field_value", "rows.5.externalId"),
    ]


async def test_rows_that_only_a_platform_refuses_are_unprocessable(deps: Dependencies, stack: Stack) -> None:
    lengths = range(300, 301 + MOST_ROW_PROBLEMS)
    rows = [body | {"content": "x" * length} for body, length in zip(bodies(stack, len(lengths)), lengths, strict=True)]
    with pytest.raises(Unprocessable) as refusal:
        (await check(deps, stack, rows)).require_sound()
    assert len(refusal.value.problems) == MOST_ROW_PROBLEMS


async def test_errors_that_are_not_listed_are_counted(deps: Dependencies, stack: Stack) -> None:
    number = MOST_ROW_PROBLEMS + 500
    rows = [body | {"publishWithin": 1, "timezone": "Berlin"} for body in bodies(stack, number)]
    with pytest.raises(InvalidRequest) as refusal:
        (await check(deps, stack, rows)).require_sound()
    problems = {(problem.param, problem.count) for problem in refusal.value.problems}
    assert problems == {("rows.0.publishWithin", number), ("rows.0.timezone", number)}
    assert len(refusal.value.problems) == 2

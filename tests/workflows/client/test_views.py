"""Each list for operators is a query that the server accepts, and finds the workflows that its name promises."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from domain.pauses import account_gate
from tests.stack import Stack
from tests.workflows.pausing import begin as begin_pause
from tests.workspaces import new_workspace
from workflows.client.views import ListView, views

PAGE = Path(__file__).parents[3] / "docs/web-ui.md"
TAG = "a campaign / of 2030"


@pytest.mark.thorough
async def test_each_list_finds_only_the_posts_that_it_names(stack: Stack) -> None:
    async with new_workspace(stack) as own:
        accounts = {name: await own.connect(name) for name in ("twitter", "telegram", "mastodon", "discord")}
        posts = {}

        async def begin(name: str, *lists: str, due_in: timedelta | None = None) -> None:
            chosen = [accounts[platform] for platform in lists]
            posts[name] = await own.save(f"{name} in a list", chosen, due_in=due_in, tags=[TAG])
            await own.start(posts[name])

        await begin("soon", "twitter", due_in=timedelta(minutes=50))
        await begin("far", "twitter", due_in=timedelta(hours=5))
        await own.fault("telegram", "accept_then_drop", "publish", accountId=accounts["telegram"].id)
        await begin("person", "telegram")
        await own.fault("twitter", "rate_limited", "publish", seconds=600, accountId=accounts["twitter"].id)
        await begin("platform", "twitter")
        await own.fault("mastodon", "accept_then_drop", "publish", accountId=accounts["mastodon"].id)
        await own.fault("mastodon", "reject", "confirm", status=503, times=50, accountId=accounts["mastodon"].id)
        await begin("answer", "mastodon")
        await own.fault(
            "discord",
            "reject",
            "publish",
            status=400,
            body={"message": "no", "code": 50035},
            accountId=accounts["discord"].id,
        )
        await begin("failed", "discord")
        posts["account"] = await own.save("account in a list", [await own.revoked("twitter")])
        await own.start(posts["account"])
        await begin_pause(own, account_gate("bluesky", (paused := await own.connect("bluesky")).id))
        posts["paused"] = await own.save("paused in a list", [paused], tags=[TAG])
        await own.start(posts["paused"])
        # Late by its workflow's search attributes: it is due, and asleep.
        posts["late"] = await own.save("late in a list", [accounts["twitter"]], due_in=timedelta(hours=3))
        late = await own.plan(posts["late"])
        await own.workflows.start(late)

        async def listed(view: ListView) -> set[str]:
            ids = {workflow.id async for workflow in own.client.list_workflows(view.query)}
            return {name for name, post in posts.items() if post.workflow_id in ids}

        now = datetime.now(UTC)
        names = {
            "wait for their account": {"account"},
            "wait for their platform": {"platform"},
            "wait for a lost answer": {"answer"},
            "wait for a person": {"person"},
            "wait for the operator": set[str](),
            "wait for a pause": {"paused"},
            "failed, open for a retry": {"failed", "person"},
            "due within the hour": {"soon"},
            "all that are open": set(posts),
        }
        lists = {view.name: view for view in views(now, own.workspace_id)}
        assert set(lists) == {*names, "late"}
        async with asyncio.timeout(40):
            for name, expected in names.items():
                while await listed(lists[name]) != expected:  # noqa: ASYNC110 there is no event
                    await asyncio.sleep(0.2)
        # At this time the posts due now are late, and those of three hours from now, too.
        later = {view.name: view for view in views(now + timedelta(hours=4), own.workspace_id)}
        assert await listed(later["late"]) == {"soon", "late", "platform", "answer", "account", "paused"}
        assert await listed(lists["late"]) == set()
        tagged = {view.name: view for view in views(now, tag=TAG)}
        assert await listed(tagged["all that are open"]) == set(posts) - {"account", "late"}
        for name in ("soon", "far", "late"):
            await own.delete(posts[name])


def test_a_link_leads_to_the_list() -> None:
    for view in views(datetime.now(UTC), "ws_1", TAG):
        address = urlsplit(view.link("http://127.0.0.1:8233/", "default"))
        assert address.path == "/namespaces/default/workflows"
        assert parse_qs(address.query) == {"query": [view.query]}


@pytest.mark.parametrize("tag", ['"', "'", "\\", 'x" OR WorkflowId != "'])
def test_unquotable_values_are_refused(tag: str) -> None:
    with pytest.raises(ValueError, match="cannot be searched for"):
        list(views(datetime.now(UTC), tag=tag))


def test_the_page_names_each_list_and_its_query() -> None:
    rows = re.findall(r"^\| ([^|]+) \| `(.*?)`.* \|$", PAGE.read_text(), re.MULTILINE)
    written = {name: query for name, query in rows if query.startswith(("PostStatus", "WaitsFor"))}
    now = datetime(2030, 1, 1, 12, tzinfo=UTC)
    queries = {view.name: view.query.removeprefix('ExecutionStatus = "Running" AND ') for view in views(now)}
    queries["late"] = queries["late"].replace("11:59:00", "12:00:00")
    assert written == {name: query for name, query in queries.items() if name != "all that are open"}

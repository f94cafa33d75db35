"""Imports create all posts of a file or nothing, once, and a corrected file changes what differs."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from api.posts.many.checking import MOST_ROW_PROBLEMS
from domain.audit import Action
from domain.campaigns import CampaignStatus
from domain.ids import new_id
from domain.schedule import ScheduledTime
from store.campaigns.campaigns import CampaignFields, add_campaign
from store.campaigns.operations import list_operations
from store.models import Operation, Post
from tests.api.conftest import Client, problems, read_answer
from tests.stack import Stack

AT = "2030-12-01T09:00"
Rows = list[dict[str, Any]]


def rows(stack: Stack, number: int, prefix: str = "") -> Rows:
    prefix = prefix or new_id("file")
    account = {"platform": "twitter", "accountId": stack.accounts["plain"].id}
    return [
        {"externalId": f"{prefix}/{at}", "content": f"{prefix} {at}", "platforms": [account], "scheduledFor": AT}
        for at in range(number)
    ]


async def send(client: Client, posts: Rows, key: str = "", **query: str) -> httpx.Response:
    headers = {"Idempotency-Key": key or new_id("key")}
    headers |= {"Content-Type": "application/json"}
    return await client.post("/v1/imports", params=query, content=json.dumps({"posts": posts}), headers=headers)


def outcomes(response: httpx.Response) -> list[str]:
    return [result["outcome"] for result in response.json()["results"]]


async def listed(client: Client, posts: Rows) -> Sequence[dict[str, Any]]:
    pages = [(await client.get("/v1/posts", params={"externalId": post["externalId"]})).json() for post in posts]
    return [post for page in pages for post in page["posts"]]


async def test_an_import_creates_scheduled_posts_and_drafts(api: Client, stack: Stack) -> None:
    posts = rows(stack, 3)
    posts[1] = {"content": "a draft"}
    posts[2]["timezone"] = "America/New_York"
    body = read_answer(await send(api, posts, timezone="Europe/Berlin"), 201)
    assert {name: body[name] for name in ("total", "created", "unchanged", "updated", "ignored", "failed")} == {
        "total": 3,
        "created": 3,
        "unchanged": 0,
        "updated": 0,
        "ignored": 0,
        "failed": 0,
    }
    assert [result["scheduledFor"] for result in body["results"]] == [
        *("2030-12-01T08:00:00Z", None, "2030-12-01T14:00:00Z")
    ]
    first = (await api.get(f"/v1/posts/{body['results'][0]['id']}")).json()
    assert (first["status"], first["content"], first["timezone"]) == ("scheduled", posts[0]["content"], "Europe/Berlin")
    assert (await api.get(f"/v1/posts/{body['results'][1]['id']}")).json()["status"] == "draft"
    history = (await api.get(f"/v1/posts/{first['id']}/history")).json()["events"]
    assert [(event["action"], event["actor"]["type"]) for event in history] == [("created", "api_key")]
    stored = (await api.get(f"/v1/imports/{body['id']}")).json()
    assert stored == body


async def test_a_post_that_is_due_is_published(api: Client, stack: Stack) -> None:
    (post,) = rows(stack, 1)
    answer = await send(api, [post | {"scheduledFor": "2020-01-01T00:00:00Z"}])
    assert answer.status_code == 400
    answer = await send(api, [post | {"scheduledFor": datetime.now(UTC).isoformat()}])
    await stack.settled(answer.json()["results"][0]["id"])
    assert len(await stack.public(post["content"])) == 1


@pytest.mark.parametrize("kind", ["application/x-ndjson", "text/csv", "text/csv; charset=utf-8"])
async def test_files_are_imported_by_line(api: Client, stack: Stack, kind: str) -> None:
    account = stack.accounts["plain"].id
    posts = rows(stack, 2)
    if kind == "application/x-ndjson":
        text = "\n".join(map(json.dumps, posts))
    else:
        lines = [f"{post['externalId']},{post['content']},twitter:{account},{AT}" for post in posts]
        text = "\n".join(["externalId,content,platforms,scheduledFor", *lines])
    headers = {"Idempotency-Key": new_id("key"), "Content-Type": kind}
    answer = await api.post("/v1/imports", content=text.encode(), headers=headers)
    assert answer.status_code == 201
    first = 1 if kind == "application/x-ndjson" else 2
    assert [result["row"] for result in answer.json()["results"]] == [first, first + 1]
    # The same posts, sent otherwise, are the same.
    assert outcomes(await send(api, posts)) == ["unchanged", "unchanged"]


async def test_a_wrong_row_stops_the_import_and_all_problems_are_listed(api: Client, stack: Stack) -> None:
    posts = rows(stack, 4)
    posts[1]["platforms"] = [{"platform": "twitter", "accountId": "tw_none"}]
    posts[2]["contnet"] = "?"
    answer = await send(api, posts)
    assert answer.status_code == 400
    assert [(problem["row"], problem["param"]) for problem in problems(answer)] == [
        (1, "rows.1.platforms.0.accountId"),
        (2, "rows.2.contnet"),
    ]
    del posts[2]["contnet"]
    assert (await send(api, posts)).status_code == 422
    assert await listed(api, posts) == []


async def test_wrong_rows_can_be_skipped_and_sent_again(api: Client, stack: Stack) -> None:
    posts = rows(stack, 3)
    posts[1]["scheduledFor"] = "03/04/2026"
    answer = await send(api, posts, onError="skip")
    assert (answer.status_code, outcomes(answer)) == (201, ["created", "failed", "created"])
    assert answer.json()["results"][1]["errors"][0]["param"] == "rows.1.scheduledFor"
    posts[1]["scheduledFor"] = AT
    assert outcomes(await send(api, posts, onError="skip")) == ["unchanged", "created", "unchanged"]
    del posts[0]["externalId"]
    refused = await send(api, posts, onError="skip")
    assert (refused.status_code, problems(refused)[0]["param"]) == (400, "rows.0.externalId")


async def test_a_corrected_file_changes_what_differs_and_nothing_else(api: Client, stack: Stack) -> None:
    posts = rows(stack, 5)
    first = (await send(api, posts)).json()["results"]
    before = await listed(api, posts)
    posts[1]["content"] += ", corrected"
    posts[3] = {"externalId": posts[3]["externalId"], "content": "a draft now"}
    refused = await send(api, posts)
    assert refused.status_code == 422
    assert [(problem["code"], problem["row"], problem["postId"]) for problem in problems(refused)] == [
        ("external_id_taken", at, first[at]["id"]) for at in (1, 3)
    ]
    assert outcomes(await send(api, posts, onExisting="keep")) == [
        *("unchanged", "ignored", "unchanged", "ignored", "unchanged")
    ]
    assert await listed(api, posts) == before
    preview = await send(api, posts, onExisting="update", dryRun="true")
    assert (preview.status_code, preview.json()["updated"]) == (200, 2)
    assert await listed(api, posts) == before
    answer = await send(api, posts, onExisting="update")
    assert outcomes(answer) == ["unchanged", "updated", "unchanged", "updated", "unchanged"]
    assert [result["id"] for result in answer.json()["results"]] == [result["id"] for result in first]
    after = await listed(api, posts)
    assert [now == then for now, then in zip(after, before, strict=True)] == [True, False, True, False, True]
    assert (after[1]["content"], after[3]["status"]) == (posts[1]["content"], "draft")
    history = (await api.get(f"/v1/posts/{first[1]['id']}/history")).json()["events"]
    assert [event["action"] for event in history] == [Action.CREATED.value, Action.CHANGED.value]
    assert outcomes(await send(api, posts, onExisting="update")) == ["unchanged"] * 5


async def test_a_post_whose_publishing_has_begun_is_not_changed(api: Client, stack: Stack) -> None:
    posts = rows(stack, 2)
    ids = [result["id"] for result in (await send(api, posts)).json()["results"]]
    published = await api.patch(f"/v1/posts/{ids[0]}", json={"publishNow": True})
    assert published.json()["status"] == "published"
    for post in posts:
        post["content"] += ", too late"
    for dry_run in ("true", "false"):
        refused = await send(api, posts, onExisting="update", dryRun=dry_run)
        assert (refused.status_code, problems(refused)[0]["code"]) == (422, "conflict")
    assert (await listed(api, posts))[1]["content"].endswith(" 1")
    answer = await send(api, posts, onExisting="update", onError="skip")
    assert outcomes(answer) == ["failed", "updated"]


async def test_a_dry_run_creates_nothing(api: Client, stack: Stack) -> None:
    posts = rows(stack, 2)
    answer = await send(api, posts, key="dry", dryRun="true")
    assert (answer.status_code, answer.json()["id"], answer.json()["created"]) == (200, None, 2)
    assert [result["id"] for result in answer.json()["results"]] == [None, None]
    assert await listed(api, posts) == []


async def test_a_repeat_gets_the_first_answer(api: Client, stack: Stack) -> None:
    posts, key = rows(stack, 2), new_id("key")
    first, repeat = await send(api, posts, key), await send(api, posts, key)
    assert (repeat.status_code, repeat.content, repeat.headers["idempotent-replayed"]) == (201, first.content, "true")
    for other in (await send(api, posts[:1], key), await send(api, posts, key, onExisting="keep")):
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    missing = await api.post("/v1/imports", json={"posts": posts})
    assert (missing.status_code, problems(missing)[0]["param"]) == (400, "Idempotency-Key")


async def test_imports_of_a_workspace_are_carried_out_one_after_the_other(api: Client, stack: Stack) -> None:
    answers = await asyncio.gather(*(send(api, rows(stack, 50)) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    posts, key = rows(stack, 12), new_id("key")
    first, second = await asyncio.gather(*(send(api, posts, key) for _ in range(2)))
    assert (first.status_code, first.content) == (201, second.content)


async def test_an_import_that_waits_too_long_is_refused(
    api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.shared.waiting._LONGEST_TURN_S", 0)
    answers = await asyncio.gather(*(send(api, rows(stack, 50)) for _ in range(3)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201, 429, 429]
    assert all(answer.headers["retry-after"] == "5" for answer in answers if answer.status_code == 429)


async def test_results_are_read_in_pages(api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.imports.views.PAGE", 2)
    monkeypatch.setattr("api.imports.routes.PAGE", 2)
    answer = (await send(api, rows(stack, 5))).json()
    seen, cursor = answer["results"], answer["cursor"]
    while cursor:
        page = (await api.get(f"/v1/imports/{answer['id']}", params={"cursor": cursor})).json()
        assert page["created"] == 5
        seen, cursor = seen + page["results"], page["cursor"]
    assert [result["row"] for result in seen] == list(range(5))


async def test_an_import_of_another_workspace_is_not_shown(api: Client, stranger: Client, stack: Stack) -> None:
    import_id = (await send(api, rows(stack, 1))).json()["id"]
    assert (await stranger.get(f"/v1/imports/{import_id}")).status_code == 404
    assert (await api.get("/v1/imports/imp_none")).status_code == 404
    assert (await api.get(f"/v1/imports/{import_id}", params={"cursor": "x"})).status_code == 400


async def test_problems_of_many_rows_are_limited(api: Client, stack: Stack) -> None:
    posts = [{"content": "x", f"contnet{number}": "x"} for number in range(MOST_ROW_PROBLEMS + 1)]
    answer = await send(api, posts)
    assert (answer.status_code, len(problems(answer))) == (400, MOST_ROW_PROBLEMS)


@pytest.mark.parametrize(
    ("kind", "body", "status", "code"),
    [
        ("application/json", b'{"posts": []}', 400, "invalid_field_value"),
        ("application/json", b"{}", 400, "missing_required_field"),
        ("application/json", b'{"posts": [{"content": "x"}], "name": 1}', 400, "unknown_parameter"),
        ("application/json", b'{"posts": [1]}', 400, "invalid_json"),
        ("application/x-ndjson", b"\n\n", 400, "missing_required_field"),
        ("application/x-ndjson", b"{}\n" * 10_001, 400, "invalid_field_value"),
        ("text/csv", b"content\n", 400, "missing_required_field"),
        ("text/csv", b"contnet\nx\n", 400, "unknown_parameter"),
        ("text/csv", b"content\n\xff\n", 400, "invalid_csv"),
        ("text/html", b"x", 415, "unsupported_media_type"),
    ],
)
async def test_a_body_without_rows_is_refused(stranger: Client, kind: str, body: bytes, status: int, code: str) -> None:
    headers = {"Idempotency-Key": new_id("key"), "Content-Type": kind}
    answer = await stranger.post("/v1/imports", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_body_may_have_32_mib(stranger: Client) -> None:
    headers = {"Idempotency-Key": new_id("key"), "Content-Type": "application/x-ndjson"}
    line = json.dumps({"content": "x" * 100_000}).encode() + b"\n"
    fits = await stranger.post("/v1/imports", content=line * 330, headers=headers, params={"dryRun": "true"})
    assert (fits.status_code, fits.json()["created"]) == (200, 330)
    refused = await stranger.post("/v1/imports", content=line * 340, headers=headers)
    assert (refused.status_code, refused.json()["error"]) == (413, "The body is larger than 32 MiB")
    other = await stranger.post("/v1/posts", content=line * 20, headers={"Content-Type": "application/json"})
    assert (other.status_code, other.json()["error"]) == (413, "The body is larger than 1 MiB")


async def test_a_wrong_query_is_refused(stranger: Client) -> None:
    query = {"onError": "skipp", "timezone": "Berlin", "dryRun": "yes", "onExisting": "x", "campaign": "y"}
    answer = await stranger.post("/v1/imports", params=query, json={"posts": []})
    params = ["timezone", "dryRun", "onError", "onExisting", "campaign", "Idempotency-Key"]
    assert sorted(problem["param"] for problem in problems(answer)) == sorted(params)


async def test_rows_join_the_campaign_of_the_query(api: Client, stack: Stack) -> None:
    campaign_id = await new_campaign(stack, timezone="Europe/Berlin", ends_at=datetime(2030, 12, 2, tzinfo=UTC))
    posts = rows(stack, 2)
    assert (await api.get(f"/v1/campaigns/{campaign_id}")).json()["progress"]["total"] == 0
    answer = await send(api, posts, campaignId=campaign_id)
    # Counted again, though not a second has passed.
    assert (await api.get(f"/v1/campaigns/{campaign_id}")).json()["progress"]["total"] == len(posts)
    assert answer.json()["results"][0]["scheduledFor"] == "2030-12-01T08:00:00Z"
    page = (await api.get("/v1/posts", params={"campaignId": campaign_id})).json()["posts"]
    assert {post["id"] for post in page} == {result["id"] for result in answer.json()["results"]}
    (operation,) = await operations(stack, campaign_id)
    assert (operation.kind, operation.result) == ("imported", {"importId": answer.json()["id"], "posts": 2})
    late = [posts[0] | {"externalId": new_id("late"), "scheduledFor": "2030-12-03T09:00"}]
    refused = await send(api, late, campaignId=campaign_id)
    assert (refused.status_code, problems(refused)[0]["code"]) == (422, "outside_window")
    unknown = await send(api, rows(stack, 1), campaignId=new_id("cmp"))
    assert (unknown.status_code, problems(unknown)[0]["code"]) == (422, "campaign_not_found")


async def new_campaign(stack: Stack, timezone: str, ends_at: datetime) -> str:
    fields = CampaignFields("Black Friday", timezone=timezone, ends=ScheduledTime(ends_at, None, timezone))
    async with stack.database.transaction() as session:
        now = datetime.now(UTC)
        return (await add_campaign(session, stack.workspace_id, fields, CampaignStatus.ACTIVE, now)).id


async def operations(stack: Stack, campaign_id: str) -> Sequence[Operation]:
    async with stack.database.transaction() as session:
        return await list_operations(session, stack.workspace_id, 10, campaign_id=campaign_id)


async def test_a_row_that_made_its_post_is_unchanged_after_its_time(
    api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts = rows(stack, 3)
    await send(api, posts[:2])
    monkeypatch.setattr("api.posts.many.checking.now_ms", lambda: datetime(2030, 12, 2, tzinfo=UTC))
    later = {"scheduledFor": "2030-12-03T09:00"}
    assert outcomes(await send(api, [*posts[:2], posts[2] | later])) == ["unchanged", "unchanged", "created"]
    posts[0]["content"] += ", corrected"
    # The time did not change in the row, so the post's own time decides whether it may be corrected.
    for query, status in (({}, 400), ({"onExisting": "keep"}, 201), ({"onExisting": "update"}, 201)):
        assert (await send(api, posts[:2], **query)).status_code == status
    assert (await send(api, [posts[2] | {"externalId": new_id("new")}])).status_code == 400


async def test_characters_that_no_row_can_hold_are_problems(api: Client, stack: Stack) -> None:
    posts: Rows = [
        {"a\0b": 1},
        {"externalId": "a\0b"},
        {"externalId": "\ud800"},
        {"content": "\ud800"},
        *rows(stack, 1),
    ]
    for query in ({}, {"dryRun": "true"}):
        assert (await send(api, posts, **query)).status_code == 400
    assert outcomes(await send(api, posts, onError="skip")) == [*["failed"] * 4, "created"]


async def test_an_import_whose_process_dies_before_the_commit_leaves_nothing(
    api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts, key = rows(stack, 3), new_id("key")
    with monkeypatch.context() as patched:
        patched.setattr("api.imports.importing.complete", die)
        assert (await send(api, posts, key)).status_code == 500
    assert await listed(api, posts) == []
    assert outcomes(await send(api, posts, key)) == ["created"] * 3


async def test_an_import_whose_process_dies_after_the_commit_is_answered_to_a_repeat(
    api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    posts, key = rows(stack, 3), new_id("key")
    with monkeypatch.context() as patched:
        patched.setattr("api.imports.importing.deliver_due", die)
        assert (await send(api, posts, key)).status_code == 500
    saved = [post["id"] for post in await listed(api, posts)]
    repeat = await send(api, posts, key)
    assert (repeat.status_code, repeat.headers["idempotent-replayed"]) == (201, "true")
    assert [result["id"] for result in repeat.json()["results"]] == saved
    async with stack.database.transaction() as session:
        undelivered = await session.scalars(select(Post).where(Post.id.in_(saved)))
        # The workers' sweep starts their workflows.
        assert [post.delivered_version for post in undelivered] == [0, 0, 0]


async def test_two_imports_of_the_same_rows_at_once_create_them_once(
    api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.shared.waiting.ConcurrentRequests.take_in_turn", lambda *_: nullcontext())
    posts, key = rows(stack, 200), new_id("key")
    same_key = await asyncio.gather(*(send(api, posts, key) for _ in range(3)))
    assert len({answer.content for answer in same_key}) == 1
    others = rows(stack, 200)
    answers = await asyncio.gather(*(send(api, others) for _ in range(3)))
    assert sorted(answer.json()["created"] for answer in answers) == [0, 0, 200]
    assert len({tuple(result["id"] for result in answer.json()["results"]) for answer in answers}) == 1


def die(*_: object) -> None:
    """End the request here, as the end of its process would."""
    raise RuntimeError

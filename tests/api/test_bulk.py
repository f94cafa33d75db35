"""Many posts in one request: each has its own result, and a repeated request continues where the first one ended."""

import asyncio
import uuid
from typing import Any

import pytest

from api.bulk import actions
from api.shared.delivery import Delivery
from domain.plan import Plan
from domain.request_limits import Policy, PolicyName
from tests.api.conftest import Client, limited_app, make_client, problems, read_answer
from tests.stack import Stack

DISTANT = "2029-02-01T14:00:00Z"


def new_key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}


def create_body(stack: Stack, tag: str, **more: Any) -> dict[str, Any]:
    target = {"platform": "twitter", "accountId": stack.accounts["twitter"].id}
    row = str(uuid.uuid4())
    return {
        "content": f"bulk {row}",
        "platforms": [target],
        "scheduledFor": DISTANT,
        "tags": [tag],
        "externalId": row,
        **more,
    }


async def bulk(api: Client, action: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = read_answer(await api.post(f"/v1/posts/bulk{action}", json=body, headers=headers))
    assert answer["total"] == len(answer["results"]) == answer["succeeded"] + answer["failed"]
    assert [result["position"] for result in answer["results"]] == list(range(answer["total"]))
    return answer


async def make(api: Client, stack: Stack, count: int, **more: Any) -> tuple[str, list[str]]:
    """Create scheduled posts; returns their tag and their ids."""
    tag = f"tag-{uuid.uuid4()}"
    answer = await bulk(api, "", {"posts": [create_body(stack, tag, **more) for _ in range(count)]})
    assert answer["failed"] == 0, answer
    return tag, [result["id"] for result in answer["results"]]


async def tagged(api: Client, tag: str) -> list[dict[str, Any]]:
    posts: list[dict[str, Any]] = (await api.get("/v1/posts", params={"tag": tag, "limit": 100})).json()["posts"]
    return posts


async def test_each_post_is_created_or_refused_by_itself(api: Client, stack: Stack) -> None:
    tag = f"tag-{uuid.uuid4()}"
    wrong = create_body(stack, tag, timezone="Berlin")
    refused = create_body(stack, tag, content="x" * 300)
    refused["platforms"][0]["accountId"] = stack.accounts["plain"].id
    right = [create_body(stack, tag), create_body(stack, tag, isDraft=True)]
    answer = await bulk(api, "", {"posts": [right[0], wrong, refused, right[1]]})
    results = answer["results"]
    assert (answer["succeeded"], answer["failed"], answer["hasMore"]) == (2, 2, False)
    assert [item["httpStatus"] for item in results] == [201, 400, 422, 201]
    assert [item.get("status") for item in results] == ["scheduled", None, None, "draft"]
    assert [item.get("externalId") for item in results] == [
        body["externalId"] for body in (right[0], wrong, refused, right[1])
    ]
    for result, body in ((results[1], wrong), (results[2], refused)):
        alone = await api.send_post(body)
        assert (result["id"], result["error"]) == (None, alone.json())
    assert {post["id"] for post in await tagged(api, tag)} == {results[0]["id"], results[3]["id"]}


async def test_a_repeat_creates_nothing_and_answers_the_same_posts(api: Client, stack: Stack) -> None:
    tag, keyed_request = f"tag-{uuid.uuid4()}", create_body(stack, "")
    del keyed_request["externalId"]
    body = {"posts": [create_body(stack, tag), {**keyed_request, "tags": [tag], "idempotencyKey": str(uuid.uuid4())}]}
    first = await bulk(api, "", body)
    again = await bulk(api, "", body)
    assert [result["id"] for result in again["results"]] == [result["id"] for result in first["results"]]
    assert [result.get("replayed") for result in first["results"]] == [None, None]
    assert [result.get("replayed") for result in again["results"]] == [True, True]
    assert len(await tagged(api, tag)) == 2


async def test_with_a_key_the_whole_answer_is_repeated(api: Client, stack: Stack) -> None:
    body, key = {"posts": [create_body(stack, "whole"), create_body(stack, "whole", content="x" * 300)]}, new_key()
    first, again = [await api.post("/v1/posts/bulk", json=body, headers=key) for _ in range(2)]
    assert (first.status_code, first.content) == (200, again.content)
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")
    other = await api.post("/v1/posts/bulk", json={"posts": [create_body(stack, "whole")]}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_due_posts_are_published_and_awaited(api: Client, stack: Stack) -> None:
    tag = f"tag-{uuid.uuid4()}"
    due = create_body(stack, tag, publishNow=True)
    del due["scheduledFor"]
    another = {**due, "externalId": str(uuid.uuid4()), "content": f"another {tag}"}
    body, wait = {"posts": [due, another]}, {"Prefer": "wait=50"}
    response = await api.post("/v1/posts/bulk", json=body, headers=wait)
    assert response.headers["preference-applied"] == "wait=50"
    assert [result["status"] for result in response.json()["results"]] == ["published", "published"]
    assert len(await stack.public(due["content"])) == len(await stack.public(another["content"])) == 1
    assert [result["status"] for result in (await bulk(api, "", body, **wait))["results"]] == ["published", "published"]
    assert len(await stack.public(due["content"])) == 1


@pytest.mark.parametrize(
    ("action", "body", "param"),
    [
        ("", {}, "posts"),
        ("", {"posts": []}, "posts"),
        ("", {"posts": [{}] * 101}, "posts"),
        ("", {"posts": ["x"]}, "posts.0"),
        ("", {"posts": [{"content": "no key"}]}, "posts.0.externalId"),
        ("", {"posts": [{"idempotencyKey": "ä"}]}, "posts.0.idempotencyKey"),
        ("", {"posts": [{"externalId": "a"}, {"externalId": "a"}]}, "posts.1.externalId"),
        ("/update", {}, "posts"),
        ("/update", {"filter": {"platform": "twitter"}}, "change"),
        ("/update", {"filter": {}, "change": {"tags": []}}, "filter"),
        ("/update", {"posts": [{"id": "a"}], "change": {}}, "change"),
        ("/update", {"posts": [{"tags": []}]}, "posts.0.id"),
        ("/update", {"posts": [{"id": 1}]}, "posts.0.id"),
        ("/update", {"posts": [{"id": "a"}, {"id": "a"}]}, "posts.1.id"),
        ("/delete", {}, "ids"),
        ("/delete", {"filter": {"platform": None}}, "filter"),
        ("/delete", {"filter": {"status": ["lost"]}}, "filter.status.0"),
        ("/delete", {"filter": {"tags": ["a"]}}, "filter.tags"),
        ("/delete", {"filter": {"tag": ["a"]}, "cursor": "?"}, "cursor"),
        ("/delete", {"filter": {"timezone": "UTC"}}, "filter"),
        ("/delete", {"filter": {"scheduledFrom": "soon"}}, "filter.scheduledFrom"),
        ("/delete", {"filter": {"fromDate": "2026-02-02", "toDate": "2026-02-01"}}, "filter.fromDate"),
        ("/delete", {"filter": {"updatedSince": "2026-02-02", "timezone": "Berlin"}}, "filter.timezone"),
        ("/retry", {"filter": {"externalId": ""}}, "filter.externalId"),
        # A change that is wrong for every post is refused, though no post matches.
        ("/update", {"filter": {"tag": ["of none"]}, "change": {"shiftBy": "1w"}}, "change.shiftBy"),
        (
            "/update",
            {"filter": {"tag": ["of none"]}, "change": {"shiftBy": "P1W", "publishNow": True}},
            "change.shiftBy",
        ),
        ("/update", {"filter": {"tag": ["of none"]}, "change": {"scheduledFor": "soon"}}, "change.scheduledFor"),
        ("/update", {"filter": {"tag": ["of none"]}, "change": {"tagz": []}}, "change.tagz"),
        ("/retry", {"ids": ["a"], "filter": {"tag": ["a"]}}, "filter"),
        ("/retry", {"ids": ["a"] * 101}, "ids"),
    ],
    ids=str,
)
async def test_request_errors_are_all_reported(api: Client, action: str, body: dict[str, Any], param: str) -> None:
    response = await api.post(f"/v1/posts/bulk{action}", json=body, headers=new_key())
    assert (response.status_code, response.json()["param"]) == (400, param), response.text


async def test_a_change_that_holds_read_only_fields_is_checked_by_post(api: Client, stack: Stack) -> None:
    tag, (post_id,) = await make(api, stack, 1)
    shown = (await api.get(f"/v1/posts/{post_id}")).json()
    answer = await bulk(api, "/update", {"filter": {"tag": [tag]}, "change": {**shown, "content": "new"}}, **new_key())
    assert (answer["succeeded"], (await api.get(f"/v1/posts/{post_id}")).json()["content"]) == (1, "new")


async def test_a_filter_selects_what_the_list_selects(api: Client, stack: Stack) -> None:
    tag = f"tag-{uuid.uuid4()}"
    # 20 minutes before and after midnight in Berlin, on one UTC day.
    rows = [
        create_body(stack, tag, scheduledFor=moment, timezone="Europe/Berlin")
        for moment in ("2029-12-03T23:40:00", "2029-12-04T00:20:00", "2029-12-05T09:00:00")
    ]
    created = (await bulk(api, "", {"posts": rows}))["results"]
    ids = [item["id"] for item in created]
    now = (await api.get(f"/v1/posts/{ids[0]}")).json()["createdAt"]
    conditions: list[dict[str, Any]] = [
        {"scheduledFrom": "2029-12-04", "scheduledTo": "2029-12-04", "timezone": "Europe/Berlin"},
        {"scheduledFrom": "2029-12-04T00:00:00+01:00"},
        {"scheduledTo": "2029-12-03"},
        {"externalId": rows[1]["externalId"]},
        {"fromDate": now, "status": ["scheduled"]},
        {"toDate": "2020-01-01"},
        {"updatedSince": now},
    ]
    for condition in conditions:
        conditions_of_tag = {**condition, "tag": [tag]}
        listed = await api.get("/v1/posts", params={**conditions_of_tag, "sort": "createdAt"})
        body = {"filter": conditions_of_tag, "change": {"tags": [tag, "seen"]}}
        answer = await bulk(api, "/update", body, **new_key())
        assert [item["id"] for item in answer["results"]] == [post["id"] for post in listed.json()["posts"]], condition
        assert answer["failed"] == 0
    week = {"tag": [tag], "scheduledFrom": "2029-12-04", "timezone": "Europe/Berlin"}
    deleted = await bulk(api, "/delete", {"filter": week}, **new_key())
    assert {item["id"] for item in deleted["results"]} == set(ids[1:])
    assert [post["id"] for post in await tagged(api, tag)] == ids[:1]


async def test_changes_need_a_key_and_creates_need_one_for_each_post(api: Client) -> None:
    for action in ("update", "delete", "retry"):
        response = await api.post(f"/v1/posts/bulk/{action}", json={})
        assert [problem["param"] for problem in problems(response)][-1] == "Idempotency-Key"
    assert (await api.get("/v1/posts/bulk")).status_code in {404, 405}


async def test_posts_are_changed_each_by_its_own_fields(api: Client, stack: Stack) -> None:
    _, ids = await make(api, stack, 2)
    shown = (await api.get(f"/v1/posts/{ids[0]}")).json()
    posts = [{**shown, "content": "changed"}, {"id": ids[1], "tags": ["b"]}, {"id": "post_" + "0" * 32, "tags": []}]
    answer = await bulk(api, "/update", {"posts": posts}, **new_key())
    assert [result["httpStatus"] for result in answer["results"]] == [200, 200, 404]
    assert [result["id"] for result in answer["results"]] == [post["id"] for post in posts]
    assert answer["results"][2]["error"]["code"] == "not_found"
    changed = [(await api.get(f"/v1/posts/{post_id}")).json() for post_id in ids]
    assert (changed[0]["content"], changed[1]["tags"]) == ("changed", ["b"])


async def test_repeated_bulk_shift_moves_posts_once(api: Client, stack: Stack) -> None:
    tag, ids = await make(api, stack, 3, scheduledFor="2029-03-24T09:00:00", timezone="Europe/Berlin")
    body, key = {"filter": {"tag": [tag], "status": ["scheduled"]}, "change": {"shiftBy": "P1D"}}, new_key()
    answers_ = await asyncio.gather(*(bulk(api, "/update", body, **key) for _ in range(3)))
    assert answers_[0] == answers_[1] == answers_[2]
    posts = await tagged(api, tag)
    assert {result["id"] for result in answers_[0]["results"]} == set(ids)
    # Clocks change in that night.
    assert {post["scheduledForLocal"] for post in posts} == {"2029-03-25T09:00:00"}
    assert {post["scheduledFor"] for post in posts} == {"2029-03-25T07:00:00Z"}
    again = await bulk(api, "/update", body, **new_key())
    assert {result["scheduledFor"] for result in again["results"]} == {"2029-03-26T07:00:00Z"}


async def test_cursor_reaches_posts_beyond_one_request(
    api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.bulk.actions.MOST_POSTS", 2)
    tag, ids = await make(api, stack, 5)
    body: dict[str, Any] = {"filter": {"tag": [tag]}, "change": {"tags": [tag, "seen"]}}
    seen: list[str] = []
    while True:
        answer = await bulk(api, "/update", body, **new_key())
        seen += [result["id"] for result in answer["results"]]
        if not answer["hasMore"]:
            break
        body["cursor"] = answer["cursor"]
    assert seen == sorted(ids, reverse=True)
    assert all(post["tags"] == [tag, "seen"] for post in await tagged(api, tag))


async def test_posts_are_deleted_by_tag_and_the_others_stay(api: Client, stack: Stack) -> None:
    (tag, ids), (other, _) = await make(api, stack, 2), await make(api, stack, 1)
    body, key = {"filter": {"tag": [tag]}}, new_key()
    answer = await bulk(api, "/delete", body, **key)
    assert sorted(result["id"] for result in answer["results"]) == sorted(ids)
    assert await tagged(api, tag) == []
    assert len(await tagged(api, other)) == 1
    assert await bulk(api, "/delete", body, **key) == answer
    assert (await bulk(api, "/delete", {"ids": ids}, **new_key()))["failed"] == 2


async def test_failed_posts_are_retried_by_filter(api: Client, stack: Stack) -> None:
    tag, ids = await make(api, stack, 2)
    await stack.fault("twitter", "reject", "publish", status=403)
    first = await api.patch(f"/v1/posts/{ids[0]}", json={"publishNow": True})
    assert first.json()["status"] == "failed"
    body, key = {"filter": {"tag": [tag], "status": ["failed", "partial"]}}, new_key()
    answer = await bulk(api, "/retry", body, **key)
    assert [(result["id"], result["status"]) for result in answer["results"]] == [(ids[0], "published")]
    assert await bulk(api, "/retry", body, **key) == answer
    refused = await bulk(api, "/retry", {"ids": ids}, **new_key())
    assert {result["error"]["code"] for result in refused["results"]} == {"nothing_to_retry"}


async def test_posts_of_other_workspaces_are_not_found(api: Client, stranger: Client, stack: Stack) -> None:
    tag, ids = await make(api, stack, 1)
    for action, body in (("delete", {"ids": ids}), ("update", {"posts": [{"id": ids[0], "tags": []}]})):
        answer = await bulk(stranger, f"/{action}", body, **new_key())
        assert [result["httpStatus"] for result in answer["results"]] == [404]
    assert (await bulk(stranger, "/delete", {"filter": {"tag": [tag]}}, **new_key()))["total"] == 0
    assert len(await tagged(api, tag)) == 1


async def test_a_request_that_dies_halfway_is_finished_by_its_repeat(
    api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag, ids = await make(api, stack, 6)
    body, key = {"filter": {"tag": [tag]}, "change": {"shiftBy": "P1D"}}, new_key()
    halfway, deliver_and_wait, deliveries = asyncio.Event(), Delivery.deliver_and_wait, 0

    async def dying(delivery: Delivery, plan: Plan) -> None:
        nonlocal deliveries
        deliveries += 1
        if deliveries > 3:
            halfway.set()
            await asyncio.Event().wait()
        await deliver_and_wait(delivery, plan)

    with monkeypatch.context() as patched:
        patched.setattr(Delivery, "deliver_and_wait", dying)
        request = asyncio.create_task(bulk(api, "/update", body, **key))
        await halfway.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
    changed = {post["id"] for post in await tagged(api, tag) if post["scheduledFor"] != DISTANT}
    assert 0 < len(changed) <= len(ids)
    # A post that matches only since then is not part of this request.
    assert (await api.send_post(create_body(stack, tag))).status_code == 201
    answer = await bulk(api, "/update", body, **key)
    assert [result["id"] for result in answer["results"]] == sorted(ids, reverse=True)
    # A commit that was under way may have completed after the posts were read.
    assert {result["id"] for result in answer["results"] if result.get("replayed")} >= changed
    times = {post["id"]: post["scheduledFor"] for post in await tagged(api, tag)}
    assert {times[post_id] for post_id in ids} == {"2029-02-02T14:00:00Z"}
    assert len(times) == 7


async def test_a_repeat_finishes_posts_that_the_first_request_left(
    api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, ids = await make(api, stack, 2)
    with monkeypatch.context() as patched:
        patched.setattr(actions, "_LONGEST_S", -1.0)
        first = await bulk(api, "/delete", {"ids": ids}, **(key := new_key()))
    assert {(result["httpStatus"], result["retryAfter"]) for result in first["results"]} == {(503, 1)}
    assert (await bulk(api, "/delete", {"ids": ids}, **key))["succeeded"] == 2


async def test_one_failing_post_does_not_affect_others(
    api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, ids = await make(api, stack, 2)

    async def broken(*_: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(Delivery, "deliver_rest", broken)
        first = await bulk(api, "/delete", {"ids": ids}, **(key := new_key()))
    assert {(result["httpStatus"], result["error"]["code"]) for result in first["results"]} == {(500, "internal_error")}
    again = await bulk(api, "/delete", {"ids": ids}, **key)
    assert [result.get("replayed") for result in again["results"]] == [True, True]


async def test_its_posts_count_as_posts_of_the_workspace(stack: Stack) -> None:
    async with limited_app(stack, posts=Policy(PolicyName.POSTS, 1, 10)) as app, make_client(app, stack.api_key) as api:
        body = {"posts": [create_body(stack, "counted") for _ in range(8)]}
        assert (await api.post("/v1/posts/bulk", json=body)).json()["succeeded"] == 8
        refused = await api.post("/v1/posts/bulk", json=body)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert refused.headers["retry-after"]

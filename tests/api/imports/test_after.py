"""Rows of an import that wait for other rows, or for posts of the workspace."""

import itertools
import json
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from domain.ids import new_id
from domain.moves import MOST_POSTS
from store.models import Post
from tests.api.conftest import Client
from tests.api.imports.test_imports import Rows, outcomes, rows, send
from tests.stack import Stack


def follow(row: dict[str, Any], **after: str) -> None:
    """Let a row wait for another post, in place of its time."""
    row.pop("scheduledFor", None)
    row["after"] = after


def result_ids(answer: httpx.Response) -> list[str]:
    return [result["id"] for result in answer.json()["results"]]


def row_errors(answer: httpx.Response) -> list[tuple[int, str, str]]:
    return [(error["row"], error["code"], error["param"]) for error in answer.json()["errors"]]


async def shown(api: Client, post_id: str) -> dict[str, Any]:
    return dict((await api.get(f"/v1/posts/{post_id}")).json())


@pytest.mark.parametrize("order", [1, -1])
async def test_rows_wait_for_each_other_and_for_posts(api: Client, stack: Stack, order: int) -> None:
    (existing,) = result_ids(await send(api, known := rows(stack, 1)))
    first, second, third, fourth, fifth = posts = rows(stack, 5)
    follow(second, externalId=first["externalId"], delay="PT2H")
    follow(third, externalId=second["externalId"], onFailure="wait")
    follow(fourth, postId=existing)
    follow(fifth, externalId=known[0]["externalId"])
    preview = await send(api, posts[::order], dryRun="true")
    assert (preview.status_code, outcomes(preview)) == (200, ["created"] * 5)
    ids = result_ids(answer := await send(api, posts[::order]))[::order]
    assert (answer.status_code, outcomes(answer)) == (201, ["created"] * 5)
    assert [
        (post["status"], post.get("waitsFor"), post.get("after")) for post in [await shown(api, i) for i in ids]
    ] == [
        ("scheduled", None, None),
        ("draft", "post", {"postId": ids[0], "delay": "PT2H", "onFailure": "skip"}),
        ("draft", "post", {"postId": ids[1], "onFailure": "wait"}),
        ("draft", "post", {"postId": existing, "onFailure": "skip"}),
        ("draft", "post", {"postId": existing, "onFailure": "skip"}),
    ]
    assert outcomes(await send(api, posts[::order])) == ["unchanged"] * 5


async def test_rows_that_cannot_wait_are_named(api: Client, stack: Stack) -> None:
    (failed,) = result_ids(await send(api, rows(stack, 1)))
    async with stack.database.transaction() as session:
        await session.execute(update(Post).where(Post.id == failed).values(status="failed"))
    posts = rows(stack, 8)
    follow(posts[1], externalId="no such row")
    follow(posts[2], externalId=posts[1]["externalId"])
    follow(posts[3], externalId=posts[4]["externalId"])
    follow(posts[4], externalId=posts[3]["externalId"])
    follow(posts[5], postId=failed)
    follow(posts[6], postId="post_x")
    posts[7] |= {"after": {"externalId": posts[0]["externalId"]}}
    answer = await send(api, posts)
    assert (answer.status_code, row_errors(answer)) == (400, [(7, "invalid_field_value", "rows.7.after")])
    del posts[7]["after"]
    refused = [
        *((1, "post_not_found", "rows.1.after.externalId"), (2, "post_not_found", "rows.2.after.externalId")),
        *((3, "chain_circle", "rows.3.after.externalId"), (4, "chain_circle", "rows.4.after.externalId")),
        *((5, "conflict", "rows.5.after.postId"), (6, "post_not_found", "rows.6.after.postId")),
    ]
    for query in ({}, {"dryRun": "true"}):
        answer = await send(api, posts, **query)
        assert (answer.status_code, row_errors(answer)) == (422, refused)
    skipping = await send(api, posts, onError="skip")
    assert outcomes(skipping) == ["created", *["failed"] * 6, "created"]
    # The file is corrected, and sent again.
    follow(posts[1], externalId=posts[0]["externalId"])
    again = await send(api, posts, onError="skip")
    assert outcomes(again) == ["unchanged", "created", "created", *["failed"] * 4, "unchanged"]


async def test_a_chain_of_rows_is_as_short_as_one_of_posts(api: Client, stack: Stack) -> None:
    posts = rows(stack, MOST_POSTS + 1)
    for first, second in itertools.pairwise(posts):
        follow(second, externalId=first["externalId"])
    answer = await send(api, posts)
    assert row_errors(answer) == [(MOST_POSTS, "chain_too_long", f"rows.{MOST_POSTS}.after.externalId")]
    assert outcomes(await send(api, posts[:-1])) == ["created"] * MOST_POSTS
    assert row_errors(await send(api, posts[-1:])) == [(0, "chain_too_long", "rows.0.after.externalId")]


async def test_a_correction_may_change_a_text_that_waits_but_not_for_what(api: Client, stack: Stack) -> None:
    posts = rows(stack, 3)
    follow(posts[1], externalId=posts[0]["externalId"])
    ids = result_ids(await send(api, posts))
    posts[1]["content"] += " corrected"
    for query in ({"dryRun": "true"}, {}):
        assert outcomes(await send(api, posts, onExisting="update", **query)) == ["unchanged", "updated", "unchanged"]
    post = await shown(api, ids[1])
    assert (post["content"], post["after"]["postId"]) == (posts[1]["content"], ids[0])
    follow(posts[1], externalId=posts[2]["externalId"])
    for query in ({"dryRun": "true"}, {}):
        answer = await send(api, posts, onExisting="update", **query)
        assert row_errors(answer) == [(1, "invalid_field_value", "rows.1.after")]


async def test_lines_and_spreadsheets_name_other_rows(api: Client, stack: Stack) -> None:
    account, prefix = stack.accounts["plain"].id, new_id("file")
    platforms = [{"platform": "twitter", "accountId": account}]
    lines: Rows = [
        {
            "externalId": f"{prefix} 1",
            "content": f"{prefix} one",
            "platforms": platforms,
            "scheduledFor": "2030-12-01T09:00",
        },
        {"externalId": f"{prefix} 2", "content": f"{prefix} two", "platforms": platforms},
    ]
    follow(lines[1], externalId=f"{prefix} 1", delay="P1D")

    async def upload(kind: str, text: str) -> httpx.Response:
        headers = {"Content-Type": kind, "Idempotency-Key": new_id("key")}
        return await api.post("/v1/imports", content=text, headers=headers)

    ids = result_ids(await upload("application/x-ndjson", "\n".join(map(json.dumps, lines))))
    sheet = f"""externalId,content,platforms,after
{prefix} 3,three,twitter:{account},{prefix} 2 PT2H
{prefix} 4,four,twitter:{account},{ids[0]}
{prefix} 5,five,twitter:{account},"{{""externalId"": ""{prefix} 3"", ""onFailure"": ""wait""}}"
"""
    ids += result_ids(await upload("text/csv", sheet))
    assert [(await shown(api, post_id))["after"] for post_id in ids[1:]] == [
        {"postId": ids[0], "delay": "P1D", "onFailure": "skip"},
        {"postId": ids[1], "delay": "PT2H", "onFailure": "skip"},
        {"postId": ids[0], "onFailure": "skip"},
        {"postId": ids[2], "onFailure": "wait"},
    ]


async def test_posts_of_a_new_campaign_wait_for_each_other(api: Client, stack: Stack) -> None:
    posts = rows(stack, 2)
    follow(posts[1], externalId=posts[0]["externalId"], delay="PT2H")

    async def create(posts: Rows) -> httpx.Response:
        headers = {"Idempotency-Key": new_id("key")}
        return await api.post("/v1/campaigns", json={"name": "A chain", "posts": posts}, headers=headers)

    wrong = await create([posts[1]])
    assert row_errors(wrong) == [(0, "post_not_found", "posts.0.after.externalId")]
    campaign = (await create(posts)).json()
    listed = (await api.get("/v1/posts", params={"campaignId": campaign["id"]})).json()["posts"]
    ids = {post["externalId"]: post["id"] for post in listed}
    waiting = await shown(api, ids[posts[1]["externalId"]])
    assert waiting["after"] == {"postId": ids[posts[0]["externalId"]], "delay": "PT2H", "onFailure": "skip"}


async def test_a_single_post_waits_by_id_only(api: Client, stack: Stack) -> None:
    (post,) = rows(stack, 1)
    for after, param in (({"externalId": "x"}, "after.externalId"), ({}, "after.postId")):
        follow(post, **after)
        answer = await api.post("/v1/posts", json=post)
        assert (answer.status_code, answer.json()["param"]) == (400, param)

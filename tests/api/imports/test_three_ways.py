"""A row that is imported again changes the cells that changed in the file, and nothing that was changed on the post."""

import asyncio
import csv
import io
import json
import random
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import delete

from domain.audit import WORKER, Action, AuditEntry
from domain.ids import new_id
from domain.pauses import SkipReason
from store.models import ImportedRow
from store.pauses.moving import make_drafts
from tests.api.conftest import Client, problems, read_answer
from tests.api.imports.test_imports import new_campaign, outcomes, rows, send
from tests.stack import Stack

Body = dict[str, Any]
Operation = Callable[[Client, str], Awaitable[httpx.Response]]
IMAGE = "https://example.com/{}.jpg"


def patch(**fields: Any) -> Operation:
    """Return the operation that changes a post by hand."""
    return lambda api, post_id: api.patch(f"/v1/posts/{post_id}", json=fields)


MEDIA = [{"type": "image", "url": IMAGE.format("by-hand")}]
CHANGES: dict[str, tuple[Operation, str, Any]] = {
    "shift": (patch(shiftBy="P7D"), "scheduledFor", "2030-12-02T10:00"),
    "exact shift": (patch(shiftBy="PT90M"), "scheduledFor", "2030-12-02T10:00"),
    "time": (patch(scheduledFor="2030-12-05T09:00:00Z"), "scheduledFor", "2030-12-02T10:00"),
    "zone": (patch(timezone="America/New_York"), "timezone", "Asia/Tokyo"),
    "draft": (patch(isDraft=True, scheduledFor=None), "scheduledFor", "2030-12-02T10:00"),
    "text": (patch(content="by hand"), "content", "by the file"),
    "media": (patch(mediaItems=MEDIA), "mediaItems", [{"type": "image", "url": IMAGE.format("file")}]),
    "tags": (patch(tags=["hand"]), "tags", ["file"]),
    "within": (patch(publishWithin=600), "publishWithin", 1200),
    "settings": (
        patch(facebookSettings={"link": "https://a.example"}),
        "facebookSettings",
        {"link": "https://b.example"},
    ),
    "accounts": (patch(platforms=[]), "platforms", None),
}
OTHER = {"content": ("tags", ["other"]), "tags": ("content", "another text")}


async def read(api: Client, post_id: str) -> Body:
    post: Body = (await api.get(f"/v1/posts/{post_id}")).json()
    return {name: value for name, value in post.items() if name not in {"updatedAt", "workflow"}}


async def imported(api: Client, stack: Stack, number: int = 2, **fields: Any) -> tuple[list[Body], list[str]]:
    """Import rows; return them and the ids of their posts."""
    posts = [post | fields for post in rows(stack, number)]
    answer = read_answer(await send(api, posts), 201)
    return posts, [result["id"] for result in answer["results"]]


@pytest.mark.parametrize("name", CHANGES)
async def test_a_cell_that_was_changed_on_a_post_is_never_overwritten_silently(
    api: Client, stack: Stack, name: str
) -> None:
    operation, cell, value = CHANGES[name]
    posts, ids = await imported(api, stack, timezone="Europe/Berlin")
    if name == "accounts":
        operation, value = (
            patch(platforms=[], isDraft=True),
            [{"platform": "twitter", "accountId": stack.accounts["plain"].id, "customContent": "for X"}],
        )
    assert (await operation(api, ids[0])).status_code == 200
    changed = await read(api, ids[0])

    # No cell changed: nothing happens.
    assert outcomes(await send(api, posts, onExisting="update")) == ["unchanged"] * 2
    assert await read(api, ids[0]) == changed

    # Another cell changed: this one only.
    other, other_value = OTHER.get(cell, ("tags", ["other"]))
    posts[0] = posts[0] | {other: other_value}
    answer = read_answer(await send(api, posts, onExisting="update"), 201)
    assert [result["outcome"] for result in answer["results"]] == ["updated", "unchanged"]
    assert [change["field"] for change in answer["results"][0]["changes"]] == [other]
    assert await read(api, ids[0]) == changed | {other: other_value} | contents(changed, other, other_value)
    changed = await read(api, ids[0])

    # The same cell changed to something else: a conflict, with both values.
    posts[0] = posts[0] | {cell: value}
    for dry_run in ("true", "false"):
        refused = await send(api, posts, onExisting="update", dryRun=dry_run)
        conflicts = [problem for problem in problems(refused) if problem["param"] == f"rows.0.{cell}"]
        assert (refused.status_code, [problem["code"] for problem in conflicts]) == (422, ["changed_since_import"])
        assert (conflicts[0]["row"], conflicts[0]["postId"]) == (0, ids[0])
    assert await read(api, ids[0]) == changed
    answer = read_answer(await send(api, posts, onExisting="update", onConflict="keep"), 201)
    assert [result["outcome"] for result in answer["results"]] == ["ignored", "unchanged"]
    assert [(change["field"], change["conflict"]) for change in answer["results"][0]["changes"]] == [(cell, True)]
    assert await read(api, ids[0]) == changed
    # The decision is remembered until the cell changes again.
    assert outcomes(await send(api, posts, onExisting="update")) == ["unchanged"] * 2


def contents(post: Body, name: str, value: Any) -> Body:
    """Return how a post's targets show another text."""
    if name != "content":
        return {}
    return {"platforms": [target | {"content": value} for target in post["platforms"]]}


@pytest.mark.parametrize("name", ["shift", "text", "tags", "zone"])
async def test_a_conflict_can_be_decided_for_the_row(api: Client, stack: Stack, name: str) -> None:
    operation, cell, value = CHANGES[name]
    posts, ids = await imported(api, stack, number=1, timezone="Europe/Berlin")
    await operation(api, ids[0])
    posts[0] = posts[0] | {cell: value}
    preview = read_answer(await send(api, posts, onExisting="update", onConflict="overwrite", dryRun="true"), 200)
    (change,) = preview["results"][0]["changes"]
    assert (change["field"], change["conflict"]) == (cell, True)
    assert change["post"] != change["row"]
    answer = read_answer(await send(api, posts, onExisting="update", onConflict="overwrite"), 201)
    assert answer["updated"] == 1
    post = await read(api, ids[0])
    shown = {"scheduledFor": "2030-12-02T09:00:00Z", "timezone": "Asia/Tokyo"}
    assert post[cell] == shown.get(cell, value)
    stored = (await api.get(f"/v1/imports/{answer['id']}")).json()
    # No content is kept with the results.
    assert stored["results"][0]["changes"] == [{"field": cell, "conflict": True}]


async def test_a_skipped_conflict_is_stored_without_its_values(api: Client, stack: Stack) -> None:
    posts, ids = await imported(api, stack, number=2)
    await patch(content="secret of the post")(api, ids[0])
    posts[0] = posts[0] | {"content": "secret of the file"}
    answer = await send(api, posts, onExisting="update", onError="skip")
    assert outcomes(answer) == ["failed", "unchanged"]
    (error,) = answer.json()["results"][0]["errors"]
    assert "“secret of the file” in the row, “secret of the post” on the post" in error["error"]
    stored = await api.get(f"/v1/imports/{answer.json()['id']}")
    assert "content was changed in the row and on the post" in stored.text
    assert "secret" not in stored.text


async def test_an_embargo_holds_if_a_word_is_corrected_after_a_shift(api: Client, stack: Stack) -> None:
    posts, ids = await imported(api, stack, number=3)
    for post_id in ids:
        await patch(shiftBy="P7D")(api, post_id)
    posts[1] = posts[1] | {"content": "corrected"}
    answer = read_answer(await send(api, posts, onExisting="update"), 201)
    assert (answer["updated"], answer["unchanged"]) == (1, 2)
    assert {(await read(api, post_id))["scheduledFor"] for post_id in ids} == {"2030-12-08T09:00:00Z"}
    assert (await read(api, ids[1]))["content"] == "corrected"


async def test_a_deleted_post_is_not_created_again_silently(api: Client, stack: Stack) -> None:
    posts, ids = await imported(api, stack)
    assert (await api.delete(f"/v1/posts/{ids[0]}")).status_code == 200
    for existing in ("refuse", "keep", "update"):
        refused = await send(api, posts, onExisting=existing)
        (problem,) = problems(refused)
        assert (refused.status_code, problem["code"], problem["row"]) == (422, "deleted_since_import", 0)
        assert problem["postId"] == ids[0]
        skipped = await send(api, posts, onExisting=existing, onConflict="keep")
        assert outcomes(skipped) == ["ignored", "unchanged"]
    assert outcomes(await send(api, posts, onConflict="overwrite")) == ["created", "unchanged"]
    assert outcomes(await send(api, posts)) == ["unchanged"] * 2


async def test_a_row_of_an_unknown_row_before_is_compared_as_a_whole(api: Client, stack: Stack) -> None:
    """Posts of earlier versions have no row before. One that was never changed says what that row said."""
    posts, ids = await imported(api, stack, number=3)
    async with stack.database.transaction() as session:
        names = [post["externalId"] for post in posts]
        await session.execute(delete(ImportedRow).where(ImportedRow.external_id.in_(names)))
    await patch(content="by hand")(api, ids[1])
    posts[0], posts[1] = posts[0] | {"tags": ["file"]}, posts[1] | {"tags": ["file"]}
    posts[2] = posts[2] | {"scheduledFor": "2030-12-01T09:00:00"}
    answer = read_answer(await send(api, posts, onExisting="update"), 201)
    assert [result["outcome"] for result in answer["results"]] == ["updated", "updated", "unchanged"]
    assert [change["field"] for change in answer["results"][0]["changes"]] == ["tags"]
    # That it was changed by hand cannot be known, so the response names what is replaced.
    assert [change["field"] for change in answer["results"][1]["changes"]] == ["content", "tags"]
    (warning,) = [warning for warning in answer["warnings"] if warning["code"] == "row_before_unknown"]
    assert (warning["rows"], warning["planned"]) == ([1], 1)


RESPELLINGS: dict[str, Callable[[random.Random, Any], str]] = {
    "content": lambda chance, value: chance.choice([value, f"{value}  ", value.replace("\n", "\r\n")]),
    "scheduledFor": lambda chance, value: (
        value + chance.choice(["", ":00", ":00.000"]).replace("T", chance.choice("T "))
    ),
    "tags": lambda chance, value: chance.choice([", ", ",", " ,"]).join(chance.sample(value, len(value))),
    "platforms": lambda chance, value: chance.choice([" ", "  ", "\n"]).join(chance.sample(value, len(value))),
    "mediaItems": lambda chance, value: chance.choice([" ", "\n"]).join(value),
    "isDraft": lambda chance, _: chance.choice(["", "false", "FALSE", "False"]),
    "publishWithin": lambda chance, _: chance.choice(["", "86400", " 86400 "]),
    "facebookSettings": lambda chance, value: json.dumps(
        dict(chance.sample(list(value.items()), len(value))), indent=chance.choice([None, 2])
    ),
}


TAKES = ("twitter", "bluesky", "mastodon")


async def test_cells_that_are_spelled_otherwise_are_unchanged(api: Client, stack: Stack) -> None:
    chance = random.Random(45)
    accounts = [f"{account.platform}:{account.id}" for account in stack.accounts.values() if account.platform in TAKES]
    prefix = new_id("file")
    values: list[Body] = [
        {
            "externalId": f"{prefix}/{number}",
            "content": f"{prefix} {number}\nsecond line",
            "scheduledFor": f"2030-12-0{number % 9 + 1}T09:00",
            "tags": [f"tag {number}", "b", "a"],
            "platforms": accounts,
            "mediaItems": [IMAGE.format(1), IMAGE.format(2)],
            "facebookSettings": {"link": "https://a.example", "pageId": "123"},
        }
        for number in range(30)
    ]

    async def send_spelled(query: Body) -> httpx.Response:
        columns = ["externalId", *chance.sample(list(RESPELLINGS), len(RESPELLINGS))]
        text = io.StringIO()
        writer = csv.writer(text, delimiter=chance.choice(",;\t"), lineterminator=chance.choice(["\n", "\r\n"]))
        writer.writerow(columns)
        for row in values:
            cells = (RESPELLINGS[name](chance, row.get(name)) for name in columns[1:])
            writer.writerow([row["externalId"], *cells])
        headers = {"Idempotency-Key": new_id("key"), "Content-Type": "text/csv"}
        return await api.post("/v1/imports", content=text.getvalue().encode(), headers=headers, params=query)

    first = read_answer(await send_spelled({"timezone": "Europe/Berlin"}), 201)
    assert first["created"] == len(values)
    for query in (
        {"timezone": "Europe/Berlin"},
        {},
        {"onExisting": "update"},
        {"onExisting": "update", "timezone": "Europe/Berlin"},
    ):
        assert read_answer(await send_spelled(query), 201)["unchanged"] == len(values)
    values[0]["mediaItems"].reverse()
    answer = await send_spelled({"timezone": "Europe/Berlin"})
    # The order of media is part of their meaning.
    assert [(problem["code"], problem["row"]) for problem in problems(answer)] == [("external_id_taken", 2)]
    assert "They differ in mediaItems" in problems(answer)[0]["error"]


async def test_a_file_without_the_campaign_of_its_query_leaves_posts_in_it(api: Client, stack: Stack) -> None:
    campaign_id = await new_campaign(stack, timezone="Europe/Berlin", ends_at=datetime(2031, 1, 1, tzinfo=UTC))
    posts = rows(stack, 2)
    ids = [result["id"] for result in read_answer(await send(api, posts, campaignId=campaign_id), 201)["results"]]
    assert outcomes(await send(api, posts)) == ["unchanged"] * 2
    posts[0]["content"] += ", corrected"
    assert outcomes(await send(api, posts, onExisting="update")) == ["updated", "unchanged"]
    post = await read(api, ids[0])
    assert (post["campaignId"], post["scheduledFor"]) == (campaign_id, "2030-12-01T08:00:00Z")


async def test_a_time_that_clocks_skip_is_moved_with_a_warning(api: Client, stack: Stack) -> None:
    posts = [post | {"scheduledFor": "2031-03-30T02:30"} for post in rows(stack, 2)]
    posts.append(rows(stack, 1)[0])
    for dry_run in ("true", "false"):
        answer = (await send(api, posts, timezone="Europe/Berlin", dryRun=dry_run)).json()
        (warning,) = [warning for warning in answer["warnings"] if warning["code"] == "moved_by_clock_change"]
        assert (warning["planned"], warning["rows"]) == (2, [0, 1])
        assert answer["results"][0]["scheduledFor"] == "2031-03-30T01:30:00Z"
    shifted = rows(stack, 1)
    first = read_answer(await send(api, shifted, timezone="Europe/Berlin"), 201)
    assert "moved_by_clock_change" not in {warning["code"] for warning in first["warnings"]}


async def shift_campaign(api: Client, _stack: Stack, campaign_id: str, _post_id: str) -> None:
    read_answer(await api.post(f"/v1/campaigns/{campaign_id}/shift", json={"by": "P2D"}, headers=keyed()))


async def end_campaign(api: Client, _stack: Stack, campaign_id: str, _post_id: str) -> None:
    read_answer(await api.post(f"/v1/campaigns/{campaign_id}/end", json={}, headers=keyed()))


async def delete_campaign(api: Client, _stack: Stack, campaign_id: str, _post_id: str) -> None:
    read_answer(await api.delete(f"/v1/campaigns/{campaign_id}", params={"posts": "keep"}, headers=keyed()))


async def change_many(api: Client, _stack: Stack, campaign_id: str, _post_id: str) -> None:
    body = {"filter": {"campaignId": campaign_id}, "change": {"shiftBy": "PT1H"}}
    read_answer(await api.post("/v1/posts/bulk/update", json=body, headers=keyed()))


async def skip_in_pause(_api: Client, stack: Stack, _campaign_id: str, post_id: str) -> None:
    async with stack.database.transaction() as session:
        entry = AuditEntry(Action.CHANGED, WORKER)
        await make_drafts(session, [post_id], SkipReason.PAUSED, entry, datetime.now(UTC))


def keyed() -> dict[str, str]:
    return {"Idempotency-Key": new_id("key")}


@pytest.mark.parametrize("operation", [shift_campaign, end_campaign, delete_campaign, change_many, skip_in_pause])
async def test_operations_on_many_posts_outlive_a_corrected_file(
    api: Client, stack: Stack, operation: Callable[[Client, Stack, str, str], Awaitable[None]]
) -> None:
    campaign_id = await new_campaign(stack, timezone="Europe/Berlin", ends_at=datetime(2031, 1, 1, tzinfo=UTC))
    posts = rows(stack, 2)
    ids = [result["id"] for result in read_answer(await send(api, posts, campaignId=campaign_id), 201)["results"]]
    before = await read(api, ids[0])
    await operation(api, stack, campaign_id, ids[0])
    changed = await read(api, ids[0])
    assert changed != before
    assert outcomes(await send(api, posts, onExisting="update")) == ["unchanged"] * 2
    posts[0] = posts[0] | {"tags": ["corrected"]}
    answer = read_answer(await send(api, posts, onExisting="update"), 201)
    assert [change["field"] for change in answer["results"][0]["changes"]] == ["tags"]
    assert await read(api, ids[0]) == changed | {"tags": ["corrected"]}


async def test_the_start_of_a_campaign_is_no_change_of_its_rows(api: Client, stack: Stack) -> None:
    campaign = read_answer(await api.post("/v1/campaigns", json={"name": "x", "isDraft": True}, headers=keyed()), 201)
    posts = rows(stack, 2)
    query = {"campaignId": campaign["id"], "onExisting": "update"}
    ids = [result["id"] for result in read_answer(await send(api, posts, **query), 201)["results"]]
    assert (await read(api, ids[0]))["status"] == "draft"
    assert outcomes(await send(api, posts, **query)) == ["unchanged"] * 2
    read_answer(await api.post(f"/v1/campaigns/{campaign['id']}/start", json={}, headers=keyed()))
    assert outcomes(await send(api, posts, **query)) == ["unchanged"] * 2
    posts[0] = posts[0] | {"scheduledFor": "2030-12-03T09:00"}
    assert outcomes(await send(api, posts, **query)) == ["updated", "unchanged"]
    post = await read(api, ids[0])
    assert (post["status"], post["scheduledFor"]) == ("scheduled", "2030-12-03T09:00:00Z")


async def test_two_imports_change_different_cells_of_the_same_posts_at_once(
    api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.shared.waiting.ConcurrentRequests.take_in_turn", lambda *_: nullcontext())
    posts, ids = await imported(api, stack, number=20)
    texts = [post | {"content": "another text"} for post in posts]
    tags = [post | {"tags": ["new"]} for post in posts]
    answers = await asyncio.gather(*(send(api, file, onExisting="update") for file in (texts, tags)))
    assert {answer.status_code for answer in answers} <= {201, 422, 503}
    for post_id in ids:
        post = await read(api, post_id)
        assert post["content"] == "another text" or post["tags"] == ["new"]

"""Imports are listed, posts are filtered by them, and an import is undone where nothing was changed since."""

from typing import Any

import httpx
import pytest

from domain.audit import Action
from domain.ids import new_id
from store.posts import imports
from tests.api.conftest import Client, problems, read_answer
from tests.api.imports.test_imports import outcomes, rows, send
from tests.api.imports.test_three_ways import imported, patch, read
from tests.stack import Stack


async def undo(api: Client, import_id: str, key: str = "", **query: str) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await api.post(f"/v1/imports/{import_id}/undo", params=query, headers=headers)


async def last_import(api: Client) -> dict[str, Any]:
    newest: dict[str, Any] = (await api.get("/v1/imports", params={"limit": 1})).json()["imports"][0]
    return newest


async def test_imports_are_listed_and_posts_are_filtered_by_them(api: Client, stranger: Client, stack: Stack) -> None:
    posts, ids = await imported(api, stack, number=3)
    first = await last_import(api)
    assert (first["total"], first["created"]) == (3, 3)
    posts[0] = posts[0] | {"content": "corrected"}
    answer = read_answer(await send(api, [*posts, *rows(stack, 1)], onExisting="update"), 201)
    page = (await api.get("/v1/imports", params={"limit": 1})).json()
    assert (page["imports"][0]["id"], page["imports"][0]["updated"], page["hasMore"]) == (answer["id"], 1, True)
    second = (await api.get("/v1/imports", params={"limit": 1, "cursor": page["cursor"]})).json()
    assert second["imports"] == [first]
    assert (await stranger.get("/v1/imports")).json()["imports"] == []

    async def listed(**query: str) -> set[str]:
        return {post["id"] for post in (await api.get("/v1/posts", params=query)).json()["posts"]}

    assert await listed(importId=first["id"]) == set(ids)
    assert await listed(importId=answer["id"]) == {ids[0], answer["results"][3]["id"]}
    assert await listed(importId=first["id"], sort="scheduledFor", status="scheduled") == set(ids)
    assert await listed(importId=first["id"], tag="none") == set()
    assert await listed(importId=new_id("imp")) == set()
    assert (await stranger.get("/v1/posts", params={"importId": first["id"]})).json()["posts"] == []
    counts = (await api.get("/v1/posts/counts", params={"importId": first["id"]})).json()
    assert counts["total"] == 3
    days = {"from": "2030-12-01", "to": "2030-12-02", "importId": first["id"]}
    assert sum(len(day["posts"]) for day in (await api.get("/v1/calendar", params=days)).json()["days"]) == 3


async def test_an_import_is_undone(api: Client, stack: Stack) -> None:
    posts, ids = await imported(api, stack, number=2)
    before = [await read(api, post_id) for post_id in ids]
    posts[0] = posts[0] | {"content": "corrected", "tags": ["new"], "scheduledFor": "2030-12-02T09:00"}
    file = [*posts, *rows(stack, 2)]
    answer = read_answer(await send(api, file, onExisting="update"), 201)
    created = [result["id"] for result in answer["results"][2:]]
    preview = read_answer(await undo(api, answer["id"], dryRun="true"))
    assert (preview["dryRun"], preview["deleted"], preview["restored"], preview["conflicts"]) == (True, 2, 1, 0)
    assert (await read(api, ids[0]))["content"] == "corrected"
    key = new_id("key")
    done = await undo(api, answer["id"], key)
    body = read_answer(done)
    assert body == preview | {"dryRun": False}
    assert [result["restored"] for result in body["results"] if "restored" in result] == [
        ["content", "scheduledFor", "tags"]
    ]
    assert [await read(api, post_id) for post_id in ids] == before
    assert [(await api.get(f"/v1/posts/{post_id}")).status_code for post_id in created] == [404, 404]
    history = (await api.get(f"/v1/posts/{created[0]}/history")).json()["events"]
    assert history[-1]["action"] == Action.DELETED.value
    repeat = await undo(api, answer["id"], key)
    assert (repeat.content, repeat.headers["idempotent-replayed"]) == (done.content, "true")
    again = read_answer(await undo(api, answer["id"]))
    assert (again["deleted"], again["restored"], again["conflicts"], again["gone"]) == (0, 0, 0, 3)
    # The file can be sent again: no client has deleted these posts, and the row before is the old one.
    assert outcomes(await send(api, file, onExisting="update")) == ["updated", "unchanged", "created", "created"]


async def test_undo_leaves_alone_what_was_changed_since(api: Client, stack: Stack) -> None:
    posts, ids = await imported(api, stack, number=2)
    posts[0] = posts[0] | {"content": "corrected", "tags": ["new"]}
    file = [*posts, *rows(stack, 4)]
    answer = read_answer(await send(api, file, onExisting="update"), 201)
    moved, published, deleted, untouched = (result["id"] for result in answer["results"][2:])
    await patch(tags=["by hand"])(api, ids[0])
    await patch(shiftBy="P1D")(api, moved)
    assert (await patch(publishNow=True)(api, published)).json()["status"] == "published"
    await api.delete(f"/v1/posts/{deleted}")
    body = read_answer(await undo(api, answer["id"]))
    assert (body["deleted"], body["restored"], body["conflicts"], body["gone"]) == (1, 0, 3, 1)
    results = {result["id"]: result for result in body["results"]}
    assert (results[ids[0]]["restored"], results[ids[0]]["changed"]) == (["content"], ["tags"])
    assert results[moved]["changed"] == ["scheduledFor"]
    assert results[published]["errors"][0]["code"] == "conflict"
    assert results[untouched]["outcome"] == "deleted"
    assert [result["outcome"] for result in body["results"]] == ["conflict"] * 3 + ["deleted"]
    post = await read(api, ids[0])
    assert (post["content"], post["tags"]) == (posts[1]["content"][:-1] + "0", ["by hand"])
    for post_id in (moved, published):
        assert (await api.get(f"/v1/posts/{post_id}")).status_code == 200


async def test_rows_without_an_external_id_are_undone(api: Client, stack: Stack) -> None:
    posts = [{name: value for name, value in post.items() if name != "externalId"} for post in rows(stack, 3)]
    answer = read_answer(await send(api, posts), 201)
    assert read_answer(await undo(api, answer["id"]))["deleted"] == 3


async def test_old_values_of_the_newest_imports_are_kept(
    api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "MOST_UNDONE", 1)
    posts, ids = await imported(api, stack, number=1)
    changed = []
    for number in range(3):
        posts[0] = posts[0] | {"content": f"text {number}"}
        changed.append(read_answer(await send(api, posts, onExisting="update"), 201)["id"])
    assert [read_answer(await undo(api, import_id))["gone"] for import_id in changed] == [1, 1, 0]
    assert (await read(api, ids[0]))["content"] == "text 1"


async def test_an_import_of_another_workspace_is_not_undone(api: Client, stranger: Client, stack: Stack) -> None:
    answer = read_answer(await send(api, rows(stack, 1)), 201)
    for import_id in (answer["id"], "imp_none"):
        assert (await undo(stranger, import_id)).status_code == 404
    wrong = await undo(api, answer["id"], dryRun="perhaps")
    assert (wrong.status_code, problems(wrong)[0]["param"]) == (400, "dryRun")
    assert (await read(api, answer["results"][0]["id"]))["status"] == "scheduled"

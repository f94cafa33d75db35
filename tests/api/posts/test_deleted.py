"""GET /v1/posts/deleted."""

from typing import Any

import pytest
from sqlalchemy import select, text

from store.audit import deletions_query
from store.models import ApiKey
from tests.api.conftest import Client, draft, read_answer
from tests.stack import Stack


async def deleted(api: Client, **query: Any) -> dict[str, Any]:
    return read_answer(await api.get("/v1/posts/deleted", params=query))


async def test_a_deleted_post_is_listed_with_what_it_was(api: Client, stranger: Client, stack: Stack) -> None:
    assert await deleted(stranger) == {"posts": [], "cursor": None, "hasMore": False}
    targets = [{"platform": name, "accountId": f"{name}_1"} for name in ("twitter", "mastodon")]
    remaining = await draft(stranger, "kept")
    post = await draft(stranger, "a secret plan", platforms=targets, scheduledFor="2029-02-01T14:00:00Z")
    other = await draft(api, "of another workspace")
    for client, deleted_post in ((stranger, post), (api, other)):
        assert (await client.delete(f"/v1/posts/{deleted_post['id']}")).status_code == 200
    page = await deleted(stranger)
    (entry,) = page["posts"]
    history = (await stranger.get(f"/v1/posts/{post['id']}/history")).json()["events"]
    assert history[-1]["action"] == "deleted"
    async with stack.database.reading() as session:
        key_id = await session.scalar(select(ApiKey.id).where(ApiKey.workspace_id == stranger.workspace_id))
    assert entry == {
        "id": post["id"],
        "deletedAt": history[-1]["at"],
        "deletedBy": history[-1]["actor"],
        "createdAt": post["createdAt"],
        "status": "draft",
        "scheduledFor": "2029-02-01T14:00:00Z",
        "platforms": targets,
    }
    assert entry["deletedBy"]["id"] == key_id
    assert "secret" not in str(page)
    assert remaining["id"] not in str(page)


async def test_pages_hold_the_last_deleted_first(stranger: Client) -> None:
    ids = [(await draft(stranger, str(number)))["id"] for number in range(5)]
    order = [ids[place] for place in (3, 0, 4, 1, 2)]
    for post_id in order:
        await stranger.delete(f"/v1/posts/{post_id}")
    seen: list[str] = []
    page = await deleted(stranger, limit=2)
    while True:
        seen += [post["id"] for post in page["posts"]]
        if not page["hasMore"]:
            break
        page = await deleted(stranger, limit=2, cursor=page["cursor"])
    assert seen == order[::-1]
    assert page["cursor"] is None


@pytest.mark.parametrize("query", ["limit=0", "cursor=!", "status=failed"])
async def test_bad_queries_are_400(stranger: Client, query: str) -> None:
    response = await stranger.get(f"/v1/posts/deleted?{query}")
    assert (response.status_code, response.json()["param"]) == (400, query.partition("=")[0])


async def test_a_page_is_read_from_the_index_of_deletions(stranger: Client, stack: Stack) -> None:
    for number in range(3):
        post = await draft(stranger, str(number))
        await stranger.delete(f"/v1/posts/{post['id']}")
    async with stack.database.transaction() as session:
        for method in ("seqscan", "mergejoin", "hashjoin", "sort"):
            # On a few rows, PostgreSQL may prefer what it would not choose for many.
            await session.execute(text(f"SET LOCAL enable_{method} = off"))
        compiled = deletions_query(stranger.workspace_id, 2, 0).compile(compile_kwargs={"literal_binds": True})
        plan = "\n".join(await session.scalars(text(f"EXPLAIN {compiled}")))
    assert "audit_events_deletions" in plan
    assert "Sort" not in plan

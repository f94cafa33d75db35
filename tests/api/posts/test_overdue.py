"""A post that is due has the status `publishing`, even if no worker has started it."""

from datetime import timedelta

import httpx
import pytest

from tests.stack import Stack
from tests.workspaces import new_workspace


@pytest.mark.parametrize("sort", ["createdAt", "scheduledFor", "updatedAt"])
async def test_overdue_post_is_shown_as_publishing(stack: Stack, api: httpx.AsyncClient, sort: str) -> None:
    async with new_workspace(stack) as own:
        account = await own.connect("twitter")
        overdue = await own.save("overdue", [account], due_in=timedelta(seconds=-90), tags=["x"])
        waits = await own.save("not due", [account], due_in=timedelta(hours=2), tags=["x"])
        key = {"Authorization": f"Bearer {own.api_key}"}

        async def listed(**query: str) -> list[tuple[str, str]]:
            answer = await api.get("/v1/posts", params={"sort": sort, **query}, headers=key)
            assert answer.status_code == 200, answer.text
            return [(post["id"], post["status"]) for post in answer.json()["posts"]]

        assert (await api.get(f"/v1/posts/{overdue.id}", headers=key)).json()["status"] == "publishing"
        assert (await api.get(f"/v1/posts/{waits.id}", headers=key)).json()["status"] == "scheduled"
        for more in ({}, {"tag": "x"}, {"accountId": account.id}):
            assert await listed(status="publishing", **more) == [(overdue.id, "publishing")]
            assert await listed(status="scheduled", **more) == [(waits.id, "scheduled")]
            both = {(overdue.id, "publishing"), (waits.id, "scheduled")}
            assert set(await listed(status="scheduled,publishing", **more)) == both
            assert set(await listed(**more)) == both
            assert await listed(status="failed,publishing", limit="1", **more) == [(overdue.id, "publishing")]
        # Publishing has not begun: the post can still be changed and deleted.
        assert (await api.delete(f"/v1/posts/{overdue.id}", headers=key)).status_code == 200
        await own.delete(waits)

"""Posts to another place than the account's own: refused when the post is created, and again when it is due."""

from typing import Any

from domain.post import PostStatus
from store.accounts.connected import change_places
from tests.api.conftest import Client, problems
from tests.stack import Stack

OTHER = {"locationId": "locations/4711"}


def body(account_id: str, **more: Any) -> dict[str, Any]:
    target = {"platform": "googlebusiness", "accountId": account_id, "platformSpecificData": OTHER}
    return {"content": "somewhere else", "platforms": [target], "publishNow": True, **more}


async def test_a_place_that_is_not_allowed_is_refused(stack: Stack, api: Client) -> None:
    account = await stack.connect("googlebusiness")
    for response in (
        await api.send_post(body(account.id)),
        await api.post("/v1/posts/validate", json=body(account.id)),
    ):
        entries = problems(response) if response.status_code != 200 else response.json()["errors"]
        [problem] = [entry for entry in entries if entry["code"] == "place_not_allowed"]
        assert problem["param"] == "platforms.0.platformSpecificData.locationId"
        assert f"accounts allow {account.id} locationId=4711" in problem["error"]


async def test_a_place_that_is_no_longer_allowed_when_it_is_due_fails(stack: Stack, api: Client) -> None:
    account = await stack.connect("googlebusiness")
    async with stack.database.transaction() as session:
        assert await change_places(session, account.workspace_id, account.id, allow={"locationId": {"4711"}})
    assert (await api.post("/v1/posts/validate", json=body(account.id))).json()["valid"]
    post = await stack.save("no longer allowed", [account], settings=OTHER)
    async with stack.database.transaction() as session:
        assert await change_places(session, account.workspace_id, account.id, forbid={"locationId": {"4711"}})
    await stack.start(post)
    settled = await stack.settled(post.id)
    assert settled.status == PostStatus.FAILED
    assert settled.targets[0].error_code == "place_not_allowed"
    assert await stack.public("no longer allowed") == []

"""Problems that are found while a post is prepared are reported long before it is due."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.schedule import rfc3339
from tests.api.conftest import Client, read_answer
from tests.stack import Stack

MISSING = {"type": "image", "url": "https://nonexistent.invalid/a.jpg"}
NOT_FETCHED = {"media_unreachable", "media_address_forbidden"}
"""Which of the two it is depends on the answer of the machine's resolver for a name that does not exist."""
GOOD = {"type": "image", "url": "https://example.com/known-early.jpg"}


async def warned(stack: Stack, post_id: str) -> None:
    """Wait until a post has been refused while it was prepared."""

    async def done() -> bool:
        return bool((await stack.read(post_id)).targets[0].warning)

    assert await stack.outcomes.wait(post_id, done, 30)


async def make(api: Client, stack: Stack, **body: Any) -> dict[str, Any]:
    account = await stack.connect("instagram")
    due = datetime.now(UTC) + timedelta(seconds=100)
    fields = {
        "content": f"known early {uuid.uuid4()}",
        "mediaItems": [MISSING],
        "platforms": [{"platform": "instagram", "accountId": account.id}],
        "scheduledFor": rfc3339(due),
        **body,
    }
    return read_answer(await api.send_post(fields), 201)


async def test_a_file_that_cannot_be_fetched(api: Client, stack: Stack) -> None:
    post = await make(api, stack)
    await warned(stack, post["id"])
    seen = (await api.get(f"/v1/posts/{post['id']}")).json()
    (target,) = seen["platforms"]
    assert (seen["status"], target["status"]) == ("scheduled", "pending")
    assert target["warning"]
    assert "PATCH" in target["hint"]
    assert seen["updatedAt"] > post["updatedAt"]
    (attempt,) = (await api.get(f"/v1/posts/{post['id']}/attempts")).json()["attempts"]
    assert (attempt["step"], attempt["state"]) == ("prepare", "refused")
    assert attempt["errorCode"] in NOT_FETCHED

    changed = await api.patch(f"/v1/posts/{post['id']}", json={"mediaItems": [GOOD]})
    assert not {"warning", "hint"} & changed.json()["platforms"][0].keys()
    published = await api.patch(f"/v1/posts/{post['id']}", json={"publishNow": True})
    assert published.json()["status"] == "published"
    assert "warning" not in published.json()["platforms"][0]


async def test_an_unfixed_post_fails_at_its_due_time(api: Client, stack: Stack) -> None:
    post = await make(api, stack)
    await warned(stack, post["id"])
    failed = (await api.patch(f"/v1/posts/{post['id']}", json={"publishNow": True})).json()
    (target,) = failed["platforms"]
    assert target["status"] == "failed"
    assert target["errorCode"] in NOT_FETCHED
    assert "warning" not in target


async def test_a_changed_post_shows_no_old_warning(api: Client, stack: Stack) -> None:
    post = await make(api, stack)
    row = await stack.read(post["id"])
    await warned(stack, post["id"])
    # A draft is no longer prepared, and shows no earlier warning.
    draft = (await api.patch(f"/v1/posts/{post['id']}", json={"isDraft": True})).json()
    assert "warning" not in draft["platforms"][0]
    assert (await stack.read(post["id"])).version > row.version

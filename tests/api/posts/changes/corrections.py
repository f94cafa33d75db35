"""Posts that a platform refused, for tests of their correction."""

import uuid
from typing import Any

from store.models import Account
from tests.api.conftest import Client, read_answer
from tests.stack import Stack

DISTANT = "2029-02-01T14:00:00Z"
PICTURE = {"type": "image", "url": "https://example.com/correct.jpg"}


def words(about: str) -> str:
    return f"{about} {uuid.uuid4()}"


def naming(*accounts: Account, **more: Any) -> list[dict[str, Any]]:
    return [{"platform": account.platform, "accountId": account.id, **more} for account in accounts]


async def make(api: Client, *accounts: Account, **body: Any) -> dict[str, Any]:
    return read_answer(await api.send_post({"platforms": naming(*accounts), "publishNow": True, **body}), 201)


async def refused(api: Client, stack: Stack, content: str, *others: Account, **body: Any) -> dict[str, Any]:
    """Publish to an account of X, which refuses it, and to others, which do not."""
    plain, answer = (
        stack.accounts["plain"],
        {"type": "about:blank", "title": "Invalid Request", "detail": "Invalid Request", "status": 400},
    )
    await stack.fault("twitter", "reject", "publish", status=400, body=answer, accountId=plain.id)
    post = await make(api, plain, *others, content=content, **body)
    assert post["platforms"][0]["status"] == "failed"
    return post


async def patch(api: Client, post: dict[str, Any], body: dict[str, Any], status: int = 200) -> Any:
    return read_answer(await api.patch(f"/v1/posts/{post['id']}", json=body), status)


async def retry(api: Client, post: dict[str, Any], **body: Any) -> dict[str, Any]:
    return read_answer(await api.post(f"/v1/posts/{post['id']}/retry", json=body or None))

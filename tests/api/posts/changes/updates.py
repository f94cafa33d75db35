"""Posts that are created and changed by PATCH, for its tests."""

from typing import Any

from tests.api.conftest import Client, read_answer
from tests.stack import Stack

DISTANT = "2029-02-01T14:00:00Z"


async def create(api: Client, stack: Stack, **body: Any) -> str:
    target = {"platform": "twitter", "accountId": stack.accounts["twitter"].id}
    response = await api.send_post({"content": "before", "platforms": [target], **body})
    assert response.status_code == 201, response.text
    post_id: str = response.json()["id"]
    return post_id


async def patch(api: Client, post_id: str, body: dict[str, Any]) -> dict[str, Any]:
    post = read_answer(await api.patch(f"/v1/posts/{post_id}", json=body))
    assert (await api.get(f"/v1/posts/{post_id}")).json() == post
    return post

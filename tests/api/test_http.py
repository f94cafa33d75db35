"""What surrounds every request, over a real connection."""

import httpx
import pytest
from litestar import Litestar

from tests.serving import listening
from tests.stack import Stack


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/posts?limit=1", 200),
        ("/v1/platforms", 200),
        ("/healthz", 200),
        ("/docs", 200),
        ("/", 302),
        ("/v1/posts/post_0", 404),
        ("/v1/posts?bogus=1", 400),
        ("/nowhere", 404),
    ],
)
async def test_head_answers_as_get_without_the_content(app: Litestar, stack: Stack, path: str, status: int) -> None:
    headers = {"Authorization": f"Bearer {stack.api_key}", "X-Request-Id": "same for both"}
    async with listening(app) as url, httpx.AsyncClient(base_url=url, headers=headers) as client:
        get, head = await client.get(path), await client.head(path)
        # The connection is in order afterwards: nothing of a content was left in it.
        assert (await client.get("/healthz")).json() == {"status": "ok"}
    assert get.status_code == head.status_code == status
    assert head.content == b""
    assert {**head.headers, "date": ""} == {**get.headers, "date": ""}
    assert int(head.headers["content-length"]) == len(get.content)


async def test_head_of_what_cannot_be_got_is_405(app: Litestar, stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.api_key}"}
    async with listening(app) as url, httpx.AsyncClient(base_url=url, headers=headers) as client:
        head = await client.head("/v1/posts/post_0/retry")
    assert (head.status_code, head.content) == (405, b"")
    assert set(head.headers["allow"].split(", ")) == {"POST", "OPTIONS"}

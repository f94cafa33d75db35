"""Posts whose texts a platform shows in another way: none is called absent, so none is sent again."""

from dataclasses import dataclass, field
from functools import partial

import httpx
import pytest

from platforms.base import Absent, Published, Unknown
from tests.platforms.forms import Form
from tests.platforms.post_steps import lost
from tests.platforms.rig import NO_TLS, Connect

ADDRESS, TEXT = "https://example.com/autumn?from=us", "The boats are back: https://example.com/autumn?from=us"
TEXT_ALONE = {"subreddit": "test", "title": "Read this"}
FORMS = [
    Form("facebook"),
    Form("googlebusiness"),
    Form("reddit", settings=TEXT_ALONE),
    Form("reddit", settings={"subreddit": "test", "title": TEXT}, text=""),
]


@dataclass
class Changing(httpx.AsyncBaseTransport):
    """The sandbox, which shows one part of each text in another way."""

    old: str
    new: str
    sandbox: httpx.AsyncHTTPTransport = field(default_factory=partial(httpx.AsyncHTTPTransport, verify=NO_TLS))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self.sandbox.handle_async_request(request)
        body = (await answer.aread()).replace(self.old.encode(), self.new.encode())
        await answer.aclose()
        return httpx.Response(answer.status_code, headers={"content-type": "application/json"}, content=body)

    async def aclose(self) -> None:
        await self.sandbox.aclose()


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (ADDRESS, "https://example.com/autumn?from=us", Published),
        (ADDRESS, "https://l.example/x7Gh2", Unknown),
        (ADDRESS, "", Unknown),
        (f"back: {ADDRESS}", "…", Unknown),
        ("The boats are back", "Nobody came to the harbour", Absent),
    ],
)
async def test_post_whose_text_is_shown_in_another_way_is_not_absent(
    connect: Connect, form: Form, old: str, new: str, expected: type
) -> None:
    rig = await form.open(connect)
    context = form.context(rig, TEXT if form.text else "")
    await lost(rig, context)
    async with httpx.AsyncClient(transport=Changing(old, new)) as client:
        finding = await rig.platform.confirm(rig.connection(client), context)
    assert isinstance(finding, expected)
    assert len(await rig.posts()) == 1

"""If a platform module cannot read a value, the step ends with an error that the engine understands."""

import httpx
import pytest
from structlog.testing import capture_logs

from platforms.base import Identity, PublishContext, Published
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import json_object
from platforms.registry import platforms
from platforms.twitter.access import TwitterConnection
from platforms.twitter.platform import Twitter
from platforms.twitter.rules import TwitterSettings
from tests.platforms.rig import Rig, Sandbox, open_account


@pytest.fixture
async def rig(sandbox: Sandbox) -> Rig:
    return await open_account(sandbox, "twitter")


def always(body: object) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(201, json=body)))


class Careless(Twitter):
    """A platform whose module trusts every response."""

    async def publish(self, connection: TwitterConnection, context: PublishContext[TwitterSettings]) -> Published:
        answer = await connection.wire.send("POST", "/2/tweets", public=True)
        return Published(json_object(answer)["data"]["id"], None)

    async def prepare(self, connection: TwitterConnection, context: PublishContext[TwitterSettings]) -> None:
        json_object(await connection.wire.send("POST", "/2/media"))["data"]["id"].strip()


async def test_the_log_names_the_line_of_an_error_and_no_content(rig: Rig) -> None:
    async with always({"data": {"secret": "hunter2"}}) as client:
        with capture_logs() as logged, pytest.raises(PlatformError) as caught:
            await Careless().publish(rig.connection(client), rig.context("content"))
    assert (caught.value.kind, caught.value.code) == (ErrorKind.UNCONFIRMED, "unreadable_answer")
    (entry,) = [entry for entry in logged if entry.get("step") == "publish"]
    assert (entry["platform"], entry["step"], entry["error"]) == ("twitter", "publish", "KeyError")
    assert entry["at"].startswith("platforms/test_boundary.py:")
    assert "hunter2" not in str(entry)


async def test_an_unreadable_answer_before_publishing_is_transient(rig: Rig) -> None:
    async with always({"data": {"id": 1}}) as client:
        with pytest.raises(PlatformError) as caught:
            await Careless().prepare(rig.connection(client), rig.context("content"))
    assert (caught.value.kind, caught.value.code) == (ErrorKind.TRANSIENT, "unreadable_answer")


@pytest.mark.parametrize("name", sorted(platforms()))
def test_every_step_of_every_platform_is_shielded(name: str) -> None:
    platform = platforms()[name]
    for step in ("whoami", "publish", "confirm_sent"):
        assert hasattr(getattr(platform, step), "__wrapped__")


@pytest.mark.parametrize("post_id", ["", "x" * 513, None, 7, {"id": 1}])
def test_an_invalid_id_is_refused(post_id: object) -> None:
    with pytest.raises(ValueError, match="id"):
        Published(post_id, None)  # type: ignore[arg-type]  # what a server may send
    with pytest.raises(ValueError, match="id"):
        Identity(post_id, "name")  # type: ignore[arg-type]  # what a server may send


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "https://a b/", "https://a/\n", "", 7, "x" * 9]
)
def test_an_address_that_no_browser_should_follow_is_left_out(url: object) -> None:
    assert Published("1", url).url is None  # type: ignore[arg-type]  # what a server may send


def test_an_address_of_a_post_is_kept() -> None:
    assert Published("1", "https://social.example/@ada/1").url == "https://social.example/@ada/1"


async def test_an_error_that_is_raised_from_itself_is_not_its_own_cause(rig: Rig) -> None:
    class Explaining(Twitter):
        async def publish(self, connection: TwitterConnection, context: PublishContext[TwitterSettings]) -> Published:
            try:
                await connection.wire.send("GET", "/2/users/me")
            except PlatformError as error:
                raise error from error
            raise AssertionError

    async with httpx.AsyncClient(transport=httpx.MockTransport(lambda _: httpx.Response(403, json={}))) as client:
        with pytest.raises(PlatformError) as caught:
            await Explaining().publish(rig.connection(client), rig.context("content"))
    assert caught.value.__cause__ is None

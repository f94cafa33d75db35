"""Every form of post to Threads over real HTTP."""

from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from platforms.base import Published, Unknown
from platforms.errors import ErrorKind, PlatformError
from platforms.meta import containers
from platforms.threads import PLATFORM
from sandbox.server import running_sandbox
from tests.platforms.rig import Connect, Rig, Sandbox, open_account


@pytest.fixture
async def rig(connect: Connect) -> Rig:
    return await connect("threads")


@pytest.fixture
async def slow(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Rig, list[float]]]:
    """Yield an account on a slow Threads, and the seconds by which its clock is ahead of ours."""
    monkeypatch.setattr(containers, "CHECK_PAUSES", (0,))
    ahead = [0.0]
    async with (
        running_sandbox(realistic=True, clock=lambda: datetime.now(UTC).timestamp() + ahead[0]) as url,
        httpx.AsyncClient(timeout=60) as client,
    ):
        yield await open_account(Sandbox(url, client), "threads"), ahead


async def publish(rig: Rig, context: Any) -> Published:
    await PLATFORM.prepare(rig.connection(), context)
    published = await PLATFORM.publish(rig.connection(), context)
    return await PLATFORM.complete(rig.connection(), context, published)


async def refused(step: Awaitable[object]) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        await step
    return caught.value


async def node(rig: Rig, post_id: str, fields: str) -> dict[str, Any]:
    answer = await rig.sandbox.client.get(
        f"{rig.sandbox.url}/threads/v1.0/{post_id}",
        params={"fields": fields},
        headers={"Authorization": f"Bearer {rig.stored.access_token.get_secret_value()}"},
    )
    found: dict[str, Any] = answer.json()
    return found


async def test_says_whose_token_it_is(rig: Rig) -> None:
    identity = await PLATFORM.whoami(rig.connection())
    assert (identity.user_id, identity.username) == (rig.account.user_id, rig.account.username)
    await rig.sandbox.fault("threads", "reject", "auth", status=200, body="<html>Hello</html>")
    assert (await refused(PLATFORM.whoami(rig.connection()))).kind is ErrorKind.TRANSIENT


async def test_a_text_takes_four_requests(rig: Rig) -> None:
    published = await publish(rig, rig.context("Hello"))
    assert [(exchange.method, exchange.status) for exchange in rig.exchanges] == [
        ("POST", 200),
        ("GET", 200),
        ("POST", 200),
        ("GET", 200),
    ]
    assert published.url is not None
    assert published.url.startswith(f"https://www.threads.com/@{rig.account.username}/post/")
    [post] = await rig.posts()
    assert (post["platformPostId"], post["text"]) == (published.platform_post_id, "Hello")


async def test_the_token_is_in_no_address(rig: Rig) -> None:
    addresses: list[str] = []

    async def note(request: httpx.Request) -> None:
        addresses.append(str(request.url))

    async with httpx.AsyncClient(event_hooks={"request": [note]}) as client:
        await PLATFORM.prepare(rig.connection(client), rig.context("Hi"))
        await PLATFORM.whoami(rig.connection(client))
    assert addresses
    assert not [address for address in addresses if rig.stored.access_token.get_secret_value() in address]


@pytest.mark.parametrize(
    ("names", "settings", "kind"),
    [
        ([], {"topicTag": "photography", "replyControl": "mentioned_only"}, "TEXT_POST"),
        ([], {"linkAttachment": "https://example.com"}, "TEXT_POST"),
        ([], {"poll": {"options": ["Yes", "No", "Maybe"]}}, "TEXT_POST"),
        ([], {"quotePostId": "18000000000000001"}, "TEXT_POST"),
        (["a.jpg"], {"replyControl": "followers_only"}, "IMAGE"),
        (["a.png"], {}, "IMAGE"),
        (["a.mp4"], {"topicTag": "film"}, "VIDEO"),
        (["a.jpg", "b.mp4"], {}, "CAROUSEL_ALBUM"),
        ([f"{number}.jpg" for number in range(20)], {}, "CAROUSEL_ALBUM"),
    ],
)
async def test_publishes_every_type_of_post(rig: Rig, names: list[str], settings: dict[str, Any], kind: str) -> None:
    context = rig.context("Hi", [rig.sandbox.media(name, "what it shows") for name in names], settings=settings)
    assert PLATFORM.check(context.draft, rig.account) == []
    assert PLATFORM.prepares(context.draft)
    published = await publish(rig, context)
    shown = await node(rig, published.platform_post_id, "media_type,text,alt_text,is_quote_post")
    assert (shown["media_type"], shown["text"]) == (kind, "Hi")
    assert shown.get("alt_text") == ("what it shows" if names else None)
    assert shown["is_quote_post"] is ("quotePostId" in settings)
    assert (await rig.posts())[0]["mediaCount"] == len(names)


async def test_every_container_is_saved_the_moment_it_exists(rig: Rig) -> None:
    context = rig.context("Hi", [rig.sandbox.media("a.jpg"), rig.sandbox.media("b.jpg")])
    await PLATFORM.prepare(rig.connection(), context)
    assert [len(handles["containers"]) for handles in rig.saved] == [1, 2, 3]
    resumed = rig.context("Hi", context.draft.media, handles=rig.saved[-1])
    before = len(rig.exchanges)
    await PLATFORM.prepare(rig.connection(), resumed)
    assert len(rig.exchanges) == before + 1


async def test_a_video_is_waited_for_step_by_step(slow: tuple[Rig, list[float]]) -> None:
    rig, ahead = slow
    context = rig.context("Hi", [rig.sandbox.media("a.mp4")])
    error = await refused(PLATFORM.prepare(rig.connection(), context))
    assert error.kind is ErrorKind.NOT_READY
    assert error.retry_after is not None
    assert timedelta(seconds=1) <= error.retry_after <= timedelta(minutes=1)
    assert await PLATFORM.confirm(rig.connection(), context) == Unknown()
    ahead[0] += 60
    assert (await publish(rig, context)).url
    assert len(rig.saved) == 1


async def test_a_carousel_is_built_once_its_items_are_processed(slow: tuple[Rig, list[float]]) -> None:
    rig, ahead = slow
    context = rig.context("Hi", [rig.sandbox.media("a.mp4"), rig.sandbox.media("b.jpg")])
    assert (await refused(PLATFORM.prepare(rig.connection(), context))).kind is ErrorKind.NOT_READY
    assert sorted(context.handles["containers"]) == ["post/0", "post/1"]
    ahead[0] += 60
    assert (await publish(rig, context)).url
    assert len(rig.saved) == 3


async def test_containers_too_old_to_be_published_are_built_again(rig: Rig) -> None:
    context = rig.context("Hi", [rig.sandbox.media("a.jpg"), rig.sandbox.media("b.jpg")])
    await PLATFORM.prepare(rig.connection(), context)
    old = {known["id"] for known in context.handles["containers"].values()}
    context.handles["containers"]["post/0"]["madeAt"] = (datetime.now(UTC) - timedelta(hours=23, minutes=1)).isoformat()
    await publish(rig, context)
    assert not old & {known["id"] for known in context.handles["containers"].values()}


async def test_a_container_that_expired_is_built_again(slow: tuple[Rig, list[float]]) -> None:
    rig, ahead = slow
    context = rig.context("Hi")
    await PLATFORM.prepare(rig.connection(), context)
    ahead[0] += 25 * 3600
    error = await refused(PLATFORM.prepare(rig.connection(), context))
    assert (error.kind, error.code, context.handles["containers"]) == (ErrorKind.TRANSIENT, "expired", {})
    assert (await publish(rig, context)).url


async def test_a_container_stuck_in_processing_is_built_again(slow: tuple[Rig, list[float]]) -> None:
    rig, _ = slow
    context = rig.context("Hi", [rig.sandbox.media("a.mp4")])
    await refused(PLATFORM.prepare(rig.connection(), context))
    context.handles["containers"]["post"]["madeAt"] = (datetime.now(UTC) - timedelta(hours=2)).isoformat()
    error = await refused(PLATFORM.prepare(rig.connection(), context))
    assert (error.kind, error.code, context.handles["containers"]) == (ErrorKind.TRANSIENT, "stuck", {})


async def test_a_state_that_is_new_to_us_is_waited_out(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "CHECK_PAUSES", (0,))
    context = rig.context("Hi")
    await PLATFORM.prepare(rig.connection(), context)
    await rig.sandbox.fault("threads", "reject", "prepare", status=200, body={"status": "REVIEWING"})
    assert (await refused(PLATFORM.prepare(rig.connection(), context))).kind is ErrorKind.NOT_READY


async def test_a_video_that_is_none_is_reported_to_the_author(rig: Rig) -> None:
    image_as_video = rig.sandbox.media("a.mp4").model_copy(update={"url": f"{rig.sandbox.url}/_/media/a.gif"})
    error = await refused(PLATFORM.prepare(rig.connection(), rig.context("Hi", [image_as_video])))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "FAILED_PROCESSING_VIDEO")
    assert rig.saved[-1]["containers"] == {}


@pytest.mark.parametrize("name", ["a.jpg", "a.mp4"])
async def test_media_that_cannot_be_fetched_are_tried_a_few_times_and_then_refused(rig: Rig, name: str) -> None:
    hidden = rig.sandbox.media(name).model_copy(update={"url": f"http://127.0.0.1:1/{name}"})
    context = rig.context("Hi", [hidden])
    errors = [await refused(PLATFORM.prepare(rig.connection(), context)) for _ in range(3)]
    assert [error.kind for error in errors] == [ErrorKind.TRANSIENT, ErrorKind.TRANSIENT, ErrorKind.REJECTED]
    assert errors[0].retry_after == timedelta(seconds=5)
    assert "Check that it is public" in errors[2].message


async def test_a_post_that_is_not_known_yet_where_it_is_published_is_tried_again(rig: Rig) -> None:
    context = rig.context("Hi")
    await PLATFORM.prepare(rig.connection(), context)
    body = {"error": {"message": "The requested resource does not exist", "code": 24, "error_subcode": 4279009}}
    await rig.sandbox.fault("threads", "reject", "publish", status=400, body=body)
    error = await refused(PLATFORM.publish(rig.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.NOT_READY, "24/4279009")
    assert error.retry_after == timedelta(seconds=3)
    await publish(rig, context)
    assert len(await rig.posts()) == 1


async def test_a_refusal_because_the_days_posts_are_used_up_is_waited_out(slow: tuple[Rig, list[float]]) -> None:
    rig, _ = slow
    context = rig.context("Hi")
    await PLATFORM.prepare(rig.connection(), context)
    body = {"error": {"message": "Application request limit reached", "code": 100}}
    await rig.sandbox.fault("threads", "reject", "publish", status=400, body=body)
    error = await refused(PLATFORM.publish(rig.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "100")
    for number in range(250):
        other = rig.context(f"{number}")
        await PLATFORM.prepare(rig.connection(), other)
        await PLATFORM.publish(rig.connection(), other)
    error = await refused(PLATFORM.publish(rig.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.CAPPED, "quota")
    assert error.retry_after is not None
    assert error.retry_after >= timedelta(hours=1)


@pytest.mark.parametrize("in_thread", [False, True])
async def test_the_days_replies_are_counted_apart(rig: Rig, in_thread: bool) -> None:
    first = await publish(rig, rig.context("first"))
    used, free = {"quota_total": 1000, "quota_duration": 86400}, {"quota_total": 250, "quota_duration": 86400}
    told = {"reply_quota_usage": 1000, "reply_config": used, "quota_usage": 1, "config": free}
    body = {"error": {"message": "Application request limit reached", "code": 100}}
    await rig.sandbox.fault("threads", "reject", "publish", status=400, body=body)
    if in_thread:
        context = rig.context("first", settings={"threadItems": [{"content": "second"}]})
        step: Awaitable[Any] = PLATFORM.complete(rig.connection(), context, first)
    else:
        context = rig.context("second", settings={"replyToId": first.platform_post_id})
        await PLATFORM.prepare(rig.connection(), context)
        step = PLATFORM.publish(rig.connection(), context)
    told_of = "This account has reached Threads' number of replies for one day."
    # The container's state is read first, then the quota.
    await rig.sandbox.fault("threads", "reject", "confirm", status=200, body={"status": "FINISHED"})
    await rig.sandbox.fault("threads", "reject", "confirm", status=200, body={"data": [told]})
    if in_thread:
        assert told_of in ((await step).warning or "")
    else:
        error = await refused(step)
        assert (error.kind, error.code, error.message) == (ErrorKind.CAPPED, "quota", told_of)


def items(rig: Rig) -> list[dict[str, Any]]:
    media = [{"type": "image", "url": rig.sandbox.media(name).url, "altText": name} for name in ("b.jpg", "c.jpg")]
    return [{"content": "second", "mediaItems": media}, {"content": "third"}]


async def test_a_thread_follows_post_by_post(rig: Rig) -> None:
    context = rig.context("first", settings={"threadItems": items(rig), "topicTag": "film"})
    assert PLATFORM.check(context.draft, rig.account) == []
    published = await publish(rig, context)
    third, second, first = await rig.posts()
    assert [post["text"] for post in (first, second, third)] == ["first", "second", "third"]
    assert (published.platform_post_id, bool(published.url)) == (first["platformPostId"], True)
    parents = [(await node(rig, post["platformPostId"], "replied_to"))["replied_to"]["id"] for post in (second, third)]
    assert parents == [first["platformPostId"], second["platformPostId"]]
    before = len(rig.exchanges)
    again = rig.context("first", settings={"threadItems": items(rig)}, handles=rig.saved[-1])
    assert await PLATFORM.complete(rig.connection(), again, published) == published
    assert len(rig.exchanges) == before


@pytest.mark.parametrize("fault", ["drop", "accept_then_drop", "accept_then_500", "rate_limited"])
async def test_a_thread_that_breaks_goes_on_without_a_double(rig: Rig, fault: str) -> None:
    settings = {"threadItems": items(rig)}
    context = rig.context("first", settings=settings)
    await PLATFORM.prepare(rig.connection(), context)
    published = await PLATFORM.publish(rig.connection(), context)
    await rig.sandbox.fault("threads", fault, "publish")
    error = await refused(PLATFORM.complete(rig.connection(), context, published))
    assert error.kind in {ErrorKind.NOT_READY, ErrorKind.RATE_LIMITED}
    resumed = rig.context("first", settings=settings, handles=rig.saved[-1])
    done = await PLATFORM.complete(rig.connection(), resumed, published)
    assert [post["text"] for post in await rig.posts()] == ["third", "second", "first"]
    assert done.warning is None


async def test_a_post_of_a_thread_that_cannot_be_found_yet_is_not_sent_again(rig: Rig) -> None:
    settings = {"threadItems": [{"content": "second"}]}
    context = rig.context("first", settings=settings)
    await PLATFORM.prepare(rig.connection(), context)
    published = replace(await PLATFORM.publish(rig.connection(), context), url="https://www.threads.com/x")
    await rig.sandbox.fault("threads", "accept_then_drop", "publish")
    await refused(PLATFORM.complete(rig.connection(), context, published))
    await rig.sandbox.fault("threads", "reject", "confirm", status=200, body={"status": "PUBLISHED"})
    await rig.sandbox.fault("threads", "reject", "confirm", status=200, body={"data": []})
    error = await refused(PLATFORM.complete(rig.connection(), context, published))
    assert (error.kind, error.code) == (ErrorKind.NOT_READY, "unconfirmed_reply")
    await PLATFORM.complete(rig.connection(), context, published)
    assert len(await rig.posts()) == 2


async def test_a_post_of_a_thread_that_is_refused_ends_it_with_a_warning(rig: Rig) -> None:
    settings = {"threadItems": [{"content": "second"}, {"content": "third"}]}
    context = rig.context("first", settings=settings)
    await PLATFORM.prepare(rig.connection(), context)
    published = await PLATFORM.publish(rig.connection(), context)
    body = {"error": {"message": "param text is too rude", "code": 100}}
    await rig.sandbox.fault("threads", "reject", "publish", status=400, body=body)
    done = await PLATFORM.complete(rig.connection(), context, published)
    assert done.url
    assert done.warning == "The thread ends before its post 2. Threads refused: param text is too rude"
    assert len(await rig.posts()) == 1

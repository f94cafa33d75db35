"""Videos, drafts and stories on a Facebook Page over real HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from platforms.base import Absent, PublishContext, Published, Refused, Unknown
from platforms.errors import ErrorKind
from platforms.facebook import PLATFORM, videos
from platforms.facebook.media import EDGE
from tests.platforms import forms
from tests.platforms.error_shapes import graph_error
from tests.platforms.post_steps import confirmed_id, refused, refused_send, resumed
from tests.platforms.rig import NO_TLS, Clock, Connect, Rig, Stop
from tests.platforms.sources import Described

FORMS = [(list(form.media), dict(form.settings)) for form in forms.FORMS if form.platform == "facebook"]
"""The media and the settings of every form of post."""


@pytest.fixture
async def rig(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Rig:
    monkeypatch.setattr(videos, "CHECK_PAUSES", (0, 0.01))
    return await connect("facebook")


def new_sending(rig: Rig, names: list[str], settings: dict[str, Any], text: str = "  Sunset\n") -> PublishContext[Any]:
    media = [rig.sandbox.media(name, "what it shows") for name in names]
    return rig.context(text, media, settings=settings, started_at=datetime.now(UTC))


async def prepared(rig: Rig, names: list[str], settings: dict[str, Any]) -> PublishContext[Any]:
    context = new_sending(rig, names, settings)
    assert PLATFORM.check(context.draft, rig.account) == []
    if PLATFORM.prepares(context.draft):
        await PLATFORM.prepare(rig.connection(), context)
    return context


async def publish(rig: Rig, names: list[str], settings: dict[str, Any]) -> Published:
    context = await prepared(rig, names, settings)
    published = await PLATFORM.publish(rig.connection(), context)
    return await PLATFORM.complete(rig.connection(), context, published)


async def test_a_draft_shows_nowhere_and_says_so(rig: Rig) -> None:
    for names, kind in (([], None), (["a.jpg"], None), (["a.mp4"], None), (["a.mp4"], "reel")):
        settings = {"draft": True, **({"contentType": kind} if kind else {})}
        published = await publish(rig, names, settings)
        assert published.platform_post_id
        assert "draft" in (published.warning or "")
    assert await rig.posts() == []


async def test_a_full_page_of_young_posts_settles_nothing(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platforms.facebook.videos.PAGE", 1)
    await publish(rig, ["a.jpg"], {})
    assert await PLATFORM.confirm(rig.connection(), await prepared(rig, ["b.jpg"], {})) == Unknown()


async def test_a_story_under_an_unknown_id_may_be_ours(rig: Rig) -> None:
    context = await prepared(rig, ["a.jpg"], {"contentType": "story"})
    young = {"data": [{"post_id": "1", "creation_time": str(int(datetime.now(UTC).timestamp()))}]}
    await rig.sandbox.fault("facebook", "reject", "confirm", status=200, body=young)
    assert await PLATFORM.confirm(rig.connection(), context) == Unknown()
    await rig.sandbox.fault("facebook", "reject", "confirm", status=200, body={"error": "none"})
    assert (await refused(PLATFORM.confirm(rig.connection(), context))).code == "unreadable_answer"


async def test_the_upload_of_a_reel_resumes_at_the_byte_that_facebook_has(rig: Rig) -> None:
    context = new_sending(rig, ["a.mp4"], {"contentType": "reel"})
    async with httpx.AsyncClient(verify=NO_TLS, event_hooks={"request": [Stop(at=3)]}) as client:
        assert (await refused(PLATFORM.prepare(rig.connection(client), context))).kind is ErrorKind.TRANSIENT
    again = resumed(rig, context)
    async with rig.source.open(context.draft.media[0]) as file:
        token = rig.stored.access_token.get_secret_value()
        headers = {"Authorization": f"OAuth {token}", "offset": "0", "file_size": str(file.size)}
        part = (await file.read())[:700]
    partial = await rig.sandbox.client.post(again.handles["video"]["url"], headers=headers, content=part)
    assert partial.status_code == 400
    await PLATFORM.prepare(rig.connection(), again)
    await PLATFORM.publish(rig.connection(), again)
    assert again.handles["video"]["offset"] == again.handles["video"]["size"]
    assert len(await rig.posts()) == 1


async def test_an_upload_that_ended_without_an_answer_is_not_repeated(rig: Rig) -> None:
    context = await prepared(rig, ["a.mp4"], {"contentType": "reel"})
    del context.handles["video"]["done"]
    before = len(rig.exchanges)
    await PLATFORM.prepare(rig.connection(), context)
    assert [exchange.method for exchange in rig.exchanges[before:]] == ["GET"]


async def test_an_upload_that_facebook_forgot_begins_again(rig: Rig) -> None:
    context = new_sending(rig, ["a.mp4"], {})
    async with rig.source.open(context.draft.media[0]) as file:
        context.handles["video"] = {
            "id": "1",
            "form": "video",
            "session": "2",
            "size": file.size,
            "offset": 0,
            "end": file.size,
        }
    assert (await refused(PLATFORM.prepare(rig.connection(), context))).kind is ErrorKind.TRANSIENT
    await PLATFORM.prepare(rig.connection(), context)
    await PLATFORM.publish(rig.connection(), context)
    assert len(await rig.posts()) == 1


class Hosts(httpx.AsyncBaseTransport):
    """The sandbox in place of all of Facebook's hosts; `asked` has the host and path of each request."""

    def __init__(self, sandbox_url: str) -> None:
        self._sandbox = httpx.URL(sandbox_url)
        self._transport = httpx.AsyncHTTPTransport(verify=NO_TLS)
        self.asked: list[tuple[str, str, bytes]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        content = await request.aread()
        self.asked.append((request.url.host, request.url.path, content))
        url = self._sandbox.copy_with(path=f"/facebook{request.url.path}", query=request.url.query)
        headers = {**request.headers, "host": self._sandbox.netloc.decode(), "x-forwarded-host": request.url.host}
        sent = httpx.Request(request.method, url, headers=headers, content=content)
        sent.extensions = request.extensions
        return await self._transport.handle_async_request(sent)

    async def aclose(self) -> None:
        await self._transport.aclose()


async def uploaded(rig: Rig) -> list[str]:
    """Publish a video as on the real hosts; return the hosts that received its bytes."""
    hosts = Hosts(rig.sandbox.url)
    async with httpx.AsyncClient(transport=hosts) as client:
        connection = rig.connection(client)
        connection.wire.base_url = PLATFORM.base_url
        context = new_sending(rig, ["a.mp4"], {}, f"at {len(rig.exchanges)}")
        await PLATFORM.prepare(connection, context)
        await PLATFORM.publish(connection, context)
    bytes_to = [host for host, _, content in hosts.asked if b"video_file_chunk" in content]
    assert {host for host, _, content in hosts.asked if b"video_file_chunk" not in content} == {"graph.facebook.com"}
    return bytes_to


@pytest.mark.parametrize(
    ("condition", "hosts"),
    [
        (None, {"graph-video.facebook.com"}),
        ("videos_elsewhere", {"graph-video.facebook.com"}),
        ("videos_at_the_usual_host", {"graph-video.facebook.com", "graph.facebook.com"}),
        ("upload_domain_told", {"vupload-edge.facebook.com"}),
    ],
)
async def test_the_bytes_of_a_video_go_to_the_host_that_takes_them(
    rig: Rig, condition: str | None, hosts: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.platforms.facebook.videos.WINDOW", 10_000)
    if condition:
        await rig.sandbox.switch_on("facebook", condition, rig.account.account_id)
    bytes_to = await uploaded(rig)
    assert len(bytes_to) > 2
    assert set(bytes_to) == hosts
    assert len(set(bytes_to[1:])) == 1, "a host that refuses is asked once"
    assert len(await rig.posts()) == 1


@pytest.mark.parametrize("named", ["evil.example", "facebook.com.evil.example", "x@facebook.com", "facebook.com/a", 7])
async def test_a_host_that_is_not_facebooks_own_is_sent_nothing(rig: Rig, named: object) -> None:
    begun = {"video_id": "1", "upload_session_id": "2", "start_offset": "0", "end_offset": "9", "upload_domain": named}
    await rig.sandbox.fault("facebook", "reject", "prepare", status=200, body=begun)
    hosts = Hosts(rig.sandbox.url)
    async with httpx.AsyncClient(transport=hosts) as client:
        connection = rig.connection(client)
        connection.wire.base_url = PLATFORM.base_url
        assert (await refused(PLATFORM.prepare(connection, new_sending(rig, ["a.mp4"], {})))).kind is ErrorKind.REJECTED
    assert {host for host, _, _ in hosts.asked} == {"graph.facebook.com", "graph-video.facebook.com"}


async def test_a_video_that_stays_a_draft_is_not_called_public(rig: Rig) -> None:
    await rig.sandbox.switch_on("facebook", "videos_stay_drafts", rig.account.account_id)
    context = await prepared(rig, ["a.mp4"], {})
    assert (await refused_send(rig, context)).kind is ErrorKind.UNCONFIRMED
    assert await PLATFORM.confirm(rig.connection(), context) == Unknown()
    context.started_at = datetime.now(UTC) - timedelta(minutes=11)
    finding = await PLATFORM.confirm(rig.connection(), context)
    assert isinstance(finding, Refused)
    assert (finding.error.kind, finding.error.code) == (ErrorKind.REJECTED, "kept_as_draft")
    assert "Meta Business Suite" in finding.error.message
    assert await rig.posts() == []


@pytest.mark.parametrize("form", [{}, {"contentType": "reel"}])
async def test_a_video_that_cannot_be_read_is_found_by_its_post(rig: Rig, form: dict[str, Any]) -> None:
    """The words are those of gitroomhq/postiz-app#1562."""
    await rig.sandbox.switch_on("facebook", "reads_refused", rig.account.account_id)
    context = await prepared(rig, ["a.mp4"], form)
    error = await refused_send(rig, context)
    assert (error.kind, error.code) == (ErrorKind.UNCONFIRMED, "video_processing")
    [post] = await rig.posts()
    assert await confirmed_id(rig, context) == post["platformPostId"]
    context.taken = frozenset({post["platformPostId"]})
    assert await PLATFORM.confirm(rig.connection(), context) == Unknown()


READY = {"video_status": "ready", "processing_phase": {"status": "complete"}}


@pytest.mark.parametrize(
    ("reported", "state"),
    [
        ({"status": READY, "published": True}, videos.PhaseState.PUBLIC),
        ({"status": READY}, videos.PhaseState.PUBLIC),
        ({"status": READY, "published": False}, videos.PhaseState.DRAFT),
        (
            {"status": {**READY, "publishing_phase": {"status": "complete"}}, "published": False},
            videos.PhaseState.PUBLIC,
        ),
        (
            {"status": {**READY, "publishing_phase": {"status": "complete", "publish_status": "draft"}}},
            videos.PhaseState.DRAFT,
        ),
        ({"status": {**READY, "publishing_phase": {"status": "in_progress"}}}, videos.PhaseState.PUBLISHING),
    ],
)
async def test_a_video_is_public_only_if_facebook_says_so(
    rig: Rig, reported: dict[str, Any], state: videos.PhaseState
) -> None:
    await rig.sandbox.fault("facebook", "reject", "confirm", status=200, body={"id": "1", **reported})
    assert (await videos.read_video(rig.connection(), "1")).state is state


@pytest.mark.parametrize("form", [{}, {"contentType": "reel"}])
@pytest.mark.parametrize(
    ("finish", "reported", "post_id"),
    [
        ({}, "{page}_55", "{page}_55"),
        ({}, "55", "{page}_55"),
        ({"post_id": "{page}_66"}, None, "{page}_66"),
        ({}, None, "{video}"),
        ({}, "../me", "{video}"),
    ],
)
async def test_a_video_is_named_by_its_post(
    rig: Rig, form: dict[str, Any], finish: dict[str, str], reported: str | None, post_id: str
) -> None:
    context = await prepared(rig, ["a.mp4"], form)
    names = {"page": rig.account.user_id, "video": context.handles["video"]["id"]}
    done = {"success": True, **{name: value.format(**names) for name, value in finish.items()}}
    public = {"status": READY, "published": True, "post_id": reported and reported.format(**names)}
    await rig.sandbox.fault("facebook", "reject", "publish", status=200, body=done)
    await rig.sandbox.fault("facebook", "reject", "confirm", status=200, body=public)
    published = await PLATFORM.publish(rig.connection(), context)
    assert published.platform_post_id == post_id.format(**names)
    assert PLATFORM.rules.post_id.matches(published.platform_post_id)


class TestUprightVideos:
    """As a plain video, an upright one stays a draft (gitroomhq/postiz-app PR#1740)."""

    @pytest.mark.parametrize(
        ("width", "height", "seconds", "edge"),
        [
            (1080, 1920, 20.0, "video_reels"),
            (540, 960, 3.0, "video_reels"),
            (1080, 1920, 90.0, "video_reels"),
            (1080, 1920, 90.5, "videos"),
            (1080, 1920, 2.5, "videos"),
            (360, 640, 20.0, "videos"),
            (1080, 1350, 20.0, "videos"),
            (1920, 1080, 20.0, "videos"),
            (None, None, None, "videos"),
        ],
    )
    async def test_video_that_fits_a_reel_is_sent_as_one(
        self, rig: Rig, width: int | None, height: int | None, seconds: float | None, edge: str
    ) -> None:
        context = new_sending(rig, ["a.mp4"], {"title": "Waves"})
        context.media = Described(rig.source, {"width": width, "height": height, "seconds": seconds})
        await PLATFORM.prepare(rig.connection(), context)
        again = resumed(rig, context)
        published = await PLATFORM.publish(rig.connection(), again)
        (post,) = await rig.posts()
        assert post["platformPostId"] == published.platform_post_id
        assert {request.url.path.rpartition("/")[2] for request in rig.sent} & set(EDGE.values()) == {edge}
        assert await PLATFORM.confirm(rig.connection(), again) == published

    async def test_draft_of_one_stays_a_draft(self, rig: Rig) -> None:
        context = new_sending(rig, ["a.mp4"], {"draft": True})
        context.media = Described(rig.source, {"width": 1080, "height": 1920, "seconds": 20.0})
        await PLATFORM.prepare(rig.connection(), context)
        await PLATFORM.publish(rig.connection(), context)
        assert await rig.posts() == []

    @pytest.mark.parametrize(("settings", "limits"), [({"contentType": "reel"}, [(30, timedelta(days=1))]), ({}, [])])
    async def test_reels_of_a_page_are_paced(self, rig: Rig, settings: dict[str, Any], limits: list[Any]) -> None:
        draft = new_sending(rig, ["a.mp4"], settings).draft
        assert [(limit.limit, limit.per) for limit in PLATFORM.prepare_rate_limits(draft)] == limits


@pytest.mark.parametrize(("settings", "text"), [({"contentType": "story"}, ""), ({}, ""), ({}, "Sunset")])
async def test_photos_that_were_published_and_refused_are_found(rig: Rig, settings: dict[str, Any], text: str) -> None:
    context = new_sending(rig, ["a.jpg"], settings, text)
    await PLATFORM.prepare(rig.connection(), context)
    assert (
        await refused_send(rig, context, "accept_then_answer", status=400, body=graph_error(100))
    ).kind is ErrorKind.REJECTED
    (post,) = await rig.posts()
    assert await confirmed_id(rig, resumed(rig, context)) == post["platformPostId"]


class TestRefusedVideos:
    """Reels became public although Facebook had refused the request that publishes them."""

    REFUSALS = (graph_error(100, 999), graph_error(6000), graph_error(100), graph_error(1, 1363128), graph_error(506))

    @pytest.mark.parametrize("form", [{}, {"contentType": "reel"}, {"contentType": "story"}])
    @pytest.mark.parametrize("body", REFUSALS)
    async def test_video_itself_is_asked_before_a_refusal_counts(
        self, rig: Rig, form: dict[str, Any], body: dict[str, Any]
    ) -> None:
        context = await prepared(rig, ["a.mp4"], form)
        assert (
            await refused_send(rig, context, "accept_then_answer", status=400, body=body)
        ).kind is ErrorKind.UNCONFIRMED
        (post,) = await rig.posts()
        assert await confirmed_id(rig, resumed(rig, context)) == post["platformPostId"]

    @pytest.mark.parametrize("form", [{}, {"contentType": "reel"}])
    async def test_refusal_counts_if_the_video_is_not_public_ten_minutes_later(
        self, rig: Rig, form: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        context = await prepared(rig, ["a.mp4"], form)
        error = await refused_send(rig, context, "reject", status=400, body=graph_error(100, 999))
        assert error.claim
        assert error.claim.kind is ErrorKind.REJECTED
        again = resumed(rig, context)
        assert await PLATFORM.confirm(rig.connection(), again) == Unknown()
        monkeypatch.setattr(videos, "BELIEVED_AFTER", timedelta(0))
        assert await PLATFORM.confirm(rig.connection(), again) == Absent()

    async def test_refused_video_that_cannot_be_read_is_found_by_its_post(self, rig: Rig) -> None:
        context = await prepared(rig, ["a.mp4"], {"contentType": "reel"})
        body = graph_error(6000)
        await refused_send(rig, context, "accept_then_answer", status=400, body=body)
        await rig.sandbox.switch_on("facebook", "reads_refused", rig.account.account_id)
        assert isinstance(await PLATFORM.confirm(rig.connection(), context), Published)


async def test_a_failure_that_was_looked_up_is_reported_by_the_next_attempt(rig: Rig) -> None:
    media = rig.sandbox.media("a.mp4").model_copy(update={"url": f"{rig.sandbox.url}/_/media/a.gif"})
    context = rig.context("Hi", [media], started_at=datetime.now(UTC))
    await PLATFORM.prepare(rig.connection(), context)
    assert (await refused_send(rig, context, "accept_then_drop")).kind is ErrorKind.UNCONFIRMED
    assert await PLATFORM.confirm(rig.connection(), context) == Absent()
    assert (await refused(PLATFORM.prepare(rig.connection(), resumed(rig, context)))).code == "video_processing_failed"


async def test_a_video_that_processes_long_is_looked_up_later(
    monkeypatch: pytest.MonkeyPatch, slow: Rig, clock: Clock
) -> None:
    monkeypatch.setattr(videos, "CHECK_PAUSES", (0,))
    context = await prepared(slow, ["a.mp4"], {"contentType": "reel"})
    error = await refused_send(slow, context)
    assert (error.kind, error.code) == (ErrorKind.UNCONFIRMED, "video_processing")
    assert await PLATFORM.confirm(slow.connection(), context) == Unknown()
    clock.ahead += 10
    finding = await PLATFORM.confirm(slow.connection(), context)
    assert isinstance(finding, Published)
    assert finding.url == f"https://www.facebook.com/reel/{context.handles['video']['id']}/"

"""Media uploads to Bluesky over real HTTP: blobs, galleries and the video service."""

from dataclasses import replace

import pytest

from domain.post import Media, MediaType
from platforms.base import Draft
from platforms.bluesky import PLATFORM
from platforms.bluesky.errors import DAILY_VIDEO_WAIT
from platforms.errors import ErrorKind
from tests.platforms.bluesky.rig import names, record, sized
from tests.platforms.post_steps import publish, refused, refused_send
from tests.platforms.rig import Rig
from tests.platforms.sources import Described, MediaFromUrl


async def test_images_carry_alt_text_and_aspect_ratio(rig: Rig) -> None:
    media = [rig.sandbox.media("a.jpg", "a beach"), rig.sandbox.media("b.png"), rig.sandbox.media("c.jpg")]
    published = await publish(rig, sized(rig, rig.context("Three", media, settings={"labels": ["nudity"]})))
    stored = await record(rig, published.platform_post_id)
    assert stored["embed"]["$type"] == "app.bsky.embed.images"
    assert [image["alt"] for image in stored["embed"]["images"]] == ["a beach", "", ""]
    assert stored["embed"]["images"][0]["aspectRatio"] == {"width": 640, "height": 480}
    assert stored["embed"]["images"][1]["image"]["mimeType"] == "image/png"
    assert stored["labels"]["values"] == [{"val": "nudity"}]
    assert (await rig.posts())[0]["mediaCount"] == 3


async def test_an_image_of_unknown_size_says_nothing_about_it(rig: Rig) -> None:
    published = await publish(rig, rig.context("", [rig.sandbox.media("a.jpg")]))
    assert "aspectRatio" not in (await record(rig, published.platform_post_id))["embed"]["images"][0]


class Shrinking(MediaFromUrl):
    """A source that makes pictures smaller, and records the bytes that they may have."""

    most: int | None = None

    def shrink_to(self, max_bytes: int) -> None:
        self.most = max_bytes


@pytest.mark.parametrize("times", [1, 2])
async def test_pictures_are_made_smaller_once_if_the_server_names_its_limit(rig: Rig, times: int) -> None:
    message = "Invalid app.bsky.feed.post record: blob too big (maximum 1000000, got 1958400) at $.record.embed.images"
    refusal = {"error": "InvalidRequest", "message": message}
    await rig.sandbox.fault("bluesky", "reject", "publish", status=400, body=refusal, times=times)
    rig.source = source = Shrinking(rig.sandbox.client)
    context = rig.context("Hi", [rig.sandbox.media("a.jpg")])
    error = await refused(publish(rig, context))
    assert (error.kind, error.code, source.most) == (ErrorKind.TRANSIENT, "no_blob", None)
    if times == 1:
        await publish(rig, context)
        assert len(await rig.posts()) == 1
    else:
        error = await refused(publish(rig, context))
        assert (error.kind, "maximum 1000000" in error.message) == (ErrorKind.REJECTED, True)
    assert (source.most, len(source.opened)) == (1_000_000, 2)


async def test_a_video_of_a_hosted_account_goes_by_the_video_service(rig: Rig) -> None:
    beats: list[str] = []
    context = sized(rig, rig.context("Hi", [rig.sandbox.media("a.mp4", "waves")]))
    published = await publish(rig, replace(context, heartbeat=beats.append))
    embed = (await record(rig, published.platform_post_id))["embed"]
    assert (embed["$type"], embed["alt"]) == ("app.bsky.embed.video", "waves")
    assert embed["aspectRatio"] == {"width": 640, "height": 480}
    assert beats[0] == "uploading 100%"
    assert (await names(rig))[-7:-1] == [
        "getServiceAuth",
        "getUploadLimits",
        "getServiceAuth",
        "uploadVideo",
        "getJobStatus",
        "putRecord",
    ]


async def test_a_video_of_ones_own_server_is_a_blob_there(rig: Rig) -> None:
    rig.stored = rig.stored.model_copy(update={"service": "https://pds.example"})
    published = await publish(rig, rig.context("Hi", [rig.sandbox.media("a.mp4")]))
    assert (await record(rig, published.platform_post_id))["embed"]["video"]["mimeType"] == "video/mp4"
    assert (await names(rig))[-3:-1] == ["uploadBlob", "putRecord"]


async def test_a_video_given_before_is_recognised(rig: Rig) -> None:
    for text in ("one", "two"):
        await publish(rig, rig.context(text, [rig.sandbox.media("again.mp4")]))
    assert [post["mediaCount"] for post in await rig.posts()] == [1, 1]


async def test_a_file_that_is_no_video_is_refused(rig: Rig) -> None:
    lying = Media(type=MediaType.VIDEO, url=rig.sandbox.media("a.jpg").url)

    context = replace(rig.context("Hi", [lying]), media=Described(rig.source, {"content_type": "video/mp4"}))
    error = await refused(PLATFORM.prepare(rig.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "validation_failure")
    assert "job" not in rig.saved[-1]["media"]["post.0"]


async def test_a_video_that_bluesky_failed_at_is_given_again_a_few_times(rig: Rig) -> None:
    context = rig.context("Hi", [rig.sandbox.media("a.mp4")])
    await PLATFORM.whoami(rig.connection())
    failed = {"jobStatus": {"jobId": "1", "state": "JOB_STATE_FAILED", "failureCode": "pds_upload_failure"}}
    kinds = []
    for _ in range(3):
        context.handles.setdefault("media", {})["post.0"] = {
            **context.handles.get("media", {}).get("post.0", {}),
            "url": context.draft.media[0].url,
            "job": "1",
        }
        await rig.sandbox.fault("bluesky", "reject", "prepare", status=200, body=failed)
        kinds.append((await refused(PLATFORM.prepare(rig.connection(), context))).kind)
    assert kinds == [ErrorKind.TRANSIENT, ErrorKind.TRANSIENT, ErrorKind.REJECTED]


@pytest.mark.parametrize("condition", ["video_unconfirmed_email", "video_day_used_up"])
async def test_a_video_that_the_limits_forbid_is_not_sent(rig: Rig, condition: str) -> None:
    await rig.sandbox.switch_on("bluesky", condition, rig.account.account_id)
    await refused(PLATFORM.prepare(rig.connection(), rig.context("Moving", [rig.sandbox.media("a.mp4")])))
    assert await names(rig) == ["createSession", "getServiceAuth", "getUploadLimits"]


@pytest.mark.parametrize(
    "limits", [{"canUpload": True, "remainingDailyVideos": 0}, {"canUpload": True, "remainingDailyBytes": 1}]
)
async def test_a_video_beyond_the_days_limits_waits_for_another_day(rig: Rig, limits: dict[str, object]) -> None:
    await rig.sandbox.fault("bluesky", "reject", "prepare", status=200, body=limits)
    error = await refused(PLATFORM.prepare(rig.connection(), rig.context("Moving", [rig.sandbox.media("a.mp4")])))
    assert (error.kind, error.retry_after) == (ErrorKind.CAPPED, DAILY_VIDEO_WAIT)


async def test_unknown_limits_do_not_stop_a_video(rig: Rig) -> None:
    await rig.sandbox.switch_on("bluesky", "video_limits_unknown", rig.account.account_id)
    await publish(rig, rig.context("Moving", [rig.sandbox.media("a.mp4")]))
    assert len(await rig.posts()) == 1


async def test_a_session_without_a_document_does_not_hide_the_accounts_server(rig: Rig) -> None:
    await rig.sandbox.switch_on("bluesky", "no_did_doc", rig.account.account_id)
    await publish(rig, rig.context("Moving", [rig.sandbox.media("a.mp4")]))
    assert rig.stored.pds is None
    assert len(await rig.posts()) == 1


async def test_a_video_that_is_lost_twice_is_given_to_the_server_itself(rig: Rig) -> None:
    await rig.sandbox.switch_on("bluesky", "video_blob_lost", rig.account.account_id)
    context = rig.context("Moving", [rig.sandbox.media("a.mp4")])
    for _ in range(2):
        await PLATFORM.prepare(rig.connection(), context)
        assert (await refused_send(rig, context)).code == "BlobNotFound"
    await publish(rig, rig.context("Moving", context.draft.media, handles=rig.saved[-1]))
    assert (await names(rig))[-2:] == ["uploadBlob", "putRecord"]
    assert len(await rig.posts()) == 1


@pytest.mark.parametrize(("count", "kind"), [(4, "images"), (5, "gallery"), (10, "gallery")])
async def test_more_than_four_images_are_a_gallery(rig: Rig, count: int, kind: str) -> None:
    images = [rig.sandbox.media(f"{number}.jpg", f"number {number}") for number in range(count)]
    context = rig.context("Many", images)
    assert PLATFORM.check(context.draft, rig.account) == []
    published = await publish(rig, context)
    embed = (await record(rig, published.platform_post_id))["embed"]
    assert embed["$type"] == f"app.bsky.embed.{kind}"
    shown = embed["images" if kind == "images" else "items"]
    assert [image["alt"] for image in shown] == [f"number {number}" for number in range(count)]


def test_a_gif_that_becomes_a_still_picture_is_a_warning() -> None:
    settings = PLATFORM.settings()
    for address, warned in (("https://cdn.example/Cat.GIF?size=1", True), ("https://cdn.example/gif.jpg", False)):
        draft = Draft("", (Media(type=MediaType.IMAGE, url=address),), settings)
        assert bool(PLATFORM.cautions("Bluesky", draft)) is warned

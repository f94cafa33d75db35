"""Containers, their fields and refusals of Instagram; meta/test_containers.py has what it shares with Threads."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.post import Media, MediaType
from platforms.base import Absent, Draft, Published, Unknown, Unlisted
from platforms.errors import ErrorKind
from platforms.instagram import PLATFORM
from platforms.instagram.platform import item_fields, post_fields
from platforms.instagram.rules import InstagramSettings
from platforms.meta import containers
from tests.platforms.error_shapes import graph_error
from tests.platforms.post_steps import confirmed_id, publish, refused, refused_send
from tests.platforms.rig import Connect, Rig

IMAGE = Media(type=MediaType.IMAGE, url="https://cdn.example.com/1.jpg", alt_text="a beach")
VIDEO = Media(type=MediaType.VIDEO, url="https://cdn.example.com/1.mp4", alt_text="waves")


def draft(text: str, *media: Media, **settings: Any) -> Draft[InstagramSettings]:
    return Draft(text, media, InstagramSettings.model_validate(settings))


def test_an_image() -> None:
    post = draft(
        "Hi", IMAGE, collaborators=["natgeo"], locationId="7", userTags=[{"username": "nasa", "x": 0.5, "y": 0}]
    )
    sent = post_fields(post, [])
    assert json.loads(sent.pop("user_tags")) == [{"username": "nasa", "x": 0.5, "y": 0}]
    assert json.loads(sent.pop("collaborators")) == ["natgeo"]
    assert sent == {"image_url": IMAGE.url, "caption": "Hi", "alt_text": "a beach", "location_id": "7"}


def test_a_reel_carries_neither_alt_text_nor_places_of_tags() -> None:
    post = draft(
        "Hi",
        VIDEO,
        shareToFeed=False,
        audioName="Waves",
        thumbOffset=1500,
        reelCover="https://cdn.example.com/c.jpg",
        trialParams={"graduationStrategy": "MANUAL"},
        userTags=[{"username": "nasa", "x": 0.5, "y": 0.5}],
    )
    assert post_fields(post, []) == {
        "media_type": "REELS",
        "video_url": VIDEO.url,
        "caption": "Hi",
        "share_to_feed": "false",
        "audio_name": "Waves",
        "thumb_offset": "1500",
        "cover_url": "https://cdn.example.com/c.jpg",
        "trial_params": '{"graduation_strategy": "MANUAL"}',
        "user_tags": '[{"username": "nasa"}]',
    }


def test_a_carousels_tags_and_alt_texts_belong_to_its_items() -> None:
    post = draft("Hi", IMAGE, VIDEO, collaborators=["natgeo"], userTags=[{"username": "nasa", "mediaIndex": 1}])
    image, video = item_fields(post)
    assert image == {"is_carousel_item": "true", "image_url": IMAGE.url, "alt_text": "a beach"}
    assert video == {
        "is_carousel_item": "true",
        "media_type": "VIDEO",
        "video_url": VIDEO.url,
        "user_tags": '[{"username": "nasa"}]',
    }
    assert post_fields(post, ["1", "2"]) == {
        "media_type": "CAROUSEL",
        "children": "1,2",
        "caption": "Hi",
        "collaborators": '["natgeo"]',
    }


def test_only_the_published_container_is_labelled_as_made_by_ai() -> None:
    for media, kind in (((IMAGE,), None), ((VIDEO,), None), ((IMAGE, VIDEO), None), ((IMAGE,), "story")):
        post = draft("Hi", *media, isAiGenerated=True, contentType=kind)
        assert post_fields(post, ["1", "2"])["is_ai_generated"] == "true"
        assert not [item for item in item_fields(post) if "is_ai_generated" in item]


def test_a_story_has_no_caption() -> None:
    assert post_fields(draft("Hi", IMAGE, contentType="story"), []) == {
        "media_type": "STORIES",
        "image_url": IMAGE.url,
    }


def test_a_post_without_text_has_no_caption_either() -> None:
    assert post_fields(draft("", Media(type=MediaType.IMAGE, url=IMAGE.url)), []) == {"image_url": IMAGE.url}


async def prepared(rig: Rig, names: list[str], settings: dict[str, Any]) -> Any:
    context = rig.context(
        "  Sunset\n", [rig.sandbox.media(name) for name in names], settings=settings, started_at=datetime.now(UTC)
    )
    await PLATFORM.prepare(rig.connection(), context)
    return context


async def test_a_repeat_refused_in_unknown_words_is_confirmed(rig: Rig) -> None:
    context = await prepared(rig, ["a.jpg"], {})
    await PLATFORM.publish(rig.connection(), context)
    assert (
        await refused_send(rig, context, "reject", status=400, body=graph_error(100, None))
    ).kind is ErrorKind.UNCONFIRMED


async def test_a_container_that_cannot_be_read_is_published_all_the_same(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platforms.meta.containers.CHECK_PAUSES", (0,))
    await rig.sandbox.switch_on("instagram", "reads_refused", rig.account.account_id)
    context = rig.context("Read by nobody", [rig.sandbox.media("a.jpg")], started_at=datetime.now(UTC))
    error = await refused(PLATFORM.prepare(rig.connection(), context))
    assert error.kind is ErrorKind.NOT_READY
    containers = context.handles["containers"]
    monkeypatch.setattr("platforms.meta.containers.UNREADABLE_FOR", timedelta(0))
    await PLATFORM.prepare(rig.connection(), context)
    assert context.handles["containers"] == containers, "nothing is built again"
    published = await PLATFORM.publish(rig.connection(), context)
    assert len(await rig.posts()) == 1
    assert await confirmed_id(rig, context) == published.platform_post_id


async def test_a_block_that_lasts_is_believed_after_a_minute(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    context = await prepared(rig, ["a.jpg"], {})
    blocked = graph_error(4, 2207051)
    assert (await refused_send(rig, context, "reject", status=400, body=blocked, times=2)).kind is ErrorKind.UNCONFIRMED
    assert await PLATFORM.confirm(rig.connection(), context) == Absent()
    monkeypatch.setattr("platforms.meta.containers.REFUSED_FOR", timedelta(0))
    assert (await refused_send(rig, context)).kind is ErrorKind.REJECTED


async def test_an_error_in_the_status_text_counts_without_a_status_code(rig: Rig) -> None:
    context = rig.context("Broken", [rig.sandbox.media("a.jpg")])
    body = {"status_code": "", "status": "Error: Media download has failed. 2207052"}
    await rig.sandbox.fault("instagram", "reject", "prepare", status=200, body={"id": "17"})
    await rig.sandbox.fault("instagram", "reject", "confirm", status=200, body=body)
    error = await refused(PLATFORM.prepare(rig.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "2207052")


@pytest.mark.parametrize("settings", [{"shareToFeed": False}, {"trialParams": {"graduationStrategy": "MANUAL"}}])
async def test_a_reel_that_is_public_and_never_listed_is_published_without_an_address(
    rig: Rig, settings: dict[str, Any]
) -> None:
    context = await prepared(rig, ["a.mp4"], settings)
    await rig.sandbox.switch_on("instagram", "reels_unlisted", rig.account.account_id)
    assert (await refused_send(rig, context, "accept_then_drop")).kind is ErrorKind.UNCONFIRMED
    context.started_at = datetime.now(UTC) - timedelta(minutes=9)
    assert await PLATFORM.confirm(rig.connection(), context) == Unknown(), "lists may lag behind"
    context.started_at -= timedelta(minutes=2)
    assert await PLATFORM.confirm(rig.connection(), context) == Unlisted()
    await rig.sandbox.clear_conditions("instagram")
    assert isinstance(await PLATFORM.confirm(rig.connection(), context), Published)


async def test_a_limit_of_instagrams_own_is_waited_out(rig: Rig) -> None:
    """Instagram reports it as code 80002 with status 400, and gives the minutes in a header."""
    context = await prepared(rig, ["a.jpg"], {})
    error = await refused_send(rig, context, "rate_limited", seconds=420)
    assert (error.kind, error.status, error.code) == (ErrorKind.RATE_LIMITED, 400, "80002")
    assert error.retry_after == timedelta(minutes=7)


async def test_a_given_user_id_stands_over_the_platforms_answer(connect: Connect) -> None:
    rig = await connect("instagram", credentials={"userId": "17841499999999999"})
    assert (await PLATFORM.whoami(rig.connection())).user_id == "17841499999999999"


async def test_a_failed_item_leaves_the_others_built(rig: Rig) -> None:
    media = [rig.sandbox.media("a.jpg"), rig.sandbox.media("b.png"), rig.sandbox.media("c.jpg")]
    context = rig.context("Hi", media)
    error = await refused(PLATFORM.prepare(rig.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "36001/2207005")
    assert sorted(context.handles["containers"]) == ["post/0", "post/2"]
    assert await rig.posts() == []


async def test_an_item_that_fails_in_processing_is_dropped_alone(rig: Rig) -> None:
    image_as_video = rig.sandbox.media("a.mp4").model_copy(update={"url": f"{rig.sandbox.url}/_/media/a.gif"})
    context = rig.context("Hi", [rig.sandbox.media("a.jpg"), image_as_video])
    error = await refused(PLATFORM.prepare(rig.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "2207026")
    assert list(rig.saved[-1]["containers"]) == ["post/0"]


async def test_of_several_failures_the_one_that_waiting_cannot_cure_is_reported(
    slow: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "CHECK_PAUSES", (0,))
    context = slow.context("Hi", [slow.sandbox.media("a.mp4"), slow.sandbox.media("b.png")])
    assert (await refused(PLATFORM.prepare(slow.connection(), context))).kind is ErrorKind.REJECTED
    assert list(context.handles["containers"]) == ["post/0"]


async def test_an_image_that_is_processed_within_seconds_is_waited_for_at_once(slow: Rig) -> None:
    assert (await publish(slow, slow.context("Hi", [slow.sandbox.media("a.jpg")]))).url

"""Every form of post to Instagram over real HTTP, with as few requests as possible."""

from typing import Any

import pytest

from platforms.errors import ErrorKind
from platforms.instagram import PLATFORM
from platforms.meta import containers
from tests.platforms.post_steps import publish, refused
from tests.platforms.rig import Connect, Rig


async def test_a_given_user_id_stands_over_the_platforms_answer(connect: Connect) -> None:
    rig = await connect("instagram", credentials={"userId": "17841499999999999"})
    assert (await PLATFORM.whoami(rig.connection())).user_id == "17841499999999999"


async def test_an_image_takes_four_requests(rig: Rig) -> None:
    published = await publish(rig, rig.context("Sunset", [rig.sandbox.media("sunset.jpg", "a beach")]))
    assert [(exchange.method, exchange.status) for exchange in rig.exchanges] == [
        ("POST", 200),
        ("GET", 200),
        ("POST", 200),
        ("GET", 200),
    ]
    assert published.url is not None
    assert published.url.startswith("https://www.instagram.com/p/")
    [post] = await rig.posts()
    assert (post["platformPostId"], post["text"], post["mediaCount"]) == (published.platform_post_id, "Sunset", 1)


@pytest.mark.parametrize(
    ("names", "settings", "kind"),
    [
        (["a.jpg"], {"collaborators": ["@natgeo"], "locationId": "7640348500"}, "p"),
        (["a.jpg"], {"userTags": [{"username": "nasa", "x": 0.5, "y": 0.25}]}, "p"),
        (
            ["a.mp4"],
            {"shareToFeed": False, "audioName": "Waves", "thumbOffset": 1500, "collaborators": ["nasa"]},
            "reel",
        ),
        (["a.mp4"], {"trialParams": {"graduationStrategy": "MANUAL"}, "userTags": [{"username": "nasa"}]}, "reel"),
        (["a.mp4"], {"instagramThumbnail": "https://cdn.example.com/cover.jpg"}, "reel"),
        (["a.jpg", "b.mp4"], {"userTags": [{"username": "nasa", "mediaIndex": 1}], "collaborators": ["nasa"]}, "p"),
        ([f"{number}.jpg" for number in range(10)], {}, "p"),
        (["a.jpg"], {"contentType": "story"}, "stories"),
        (["a.mp4"], {"contentType": "story", "userTags": [{"username": "nasa"}]}, "stories"),
    ],
)
async def test_publishes_every_type_of_post(rig: Rig, names: list[str], settings: dict[str, Any], kind: str) -> None:
    context = rig.context("Hi", [rig.sandbox.media(name, "what it shows") for name in names], settings=settings)
    assert PLATFORM.check(context.draft, rig.account) == []
    published = await publish(rig, context)
    assert published.url is not None
    assert published.url.startswith(f"https://www.instagram.com/{kind}/")
    [post] = await rig.posts()
    assert post["mediaCount"] == len(names)
    assert post["text"] == ("" if kind == "stories" else "Hi")


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

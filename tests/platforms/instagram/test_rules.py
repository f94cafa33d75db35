"""Posts that Instagram's rules refuse before anything is sent, and the messages."""

from typing import Any

import pytest

from domain.post import Media, MediaType
from platforms.base import AccountFacts, Draft
from platforms.instagram import PLATFORM
from platforms.instagram.rules import InstagramPostType, post_type_of
from platforms.instagram.settings import InstagramSettings

IMAGE = Media(type=MediaType.IMAGE, url="https://cdn.example.com/1.jpg")
VIDEO = Media(type=MediaType.VIDEO, url="https://cdn.example.com/1.mp4")
GIF = Media(type=MediaType.GIF, url="https://cdn.example.com/1.gif")
ACCOUNT = AccountFacts("ig_123", "17841400000000000", "example")


def draft(text: str, *media: Media, **settings: Any) -> Draft[InstagramSettings]:
    return Draft(text, media, InstagramSettings.model_validate(settings))


def broken(post: Draft[InstagramSettings]) -> list[tuple[str, tuple[str | int, ...], str]]:
    return [(found.part, found.path, found.error) for found in PLATFORM.check(post, ACCOUNT)]


@pytest.mark.parametrize(
    "post",
    [
        draft("a caption", IMAGE),
        draft("", IMAGE),
        draft("x" * 2200, IMAGE),
        draft("#tag " * 30 + "@name " * 20, IMAGE),
        draft("write to me@example.com " * 21, IMAGE),
        draft("mixed", IMAGE, VIDEO),
        draft("ten", *[IMAGE] * 10),
        draft("reel", VIDEO, shareToFeed=False, thumbOffset=0, audioName="Waves", reelCover="https://c.example/c.jpg"),
        draft("reel", VIDEO, trialParams={"graduationStrategy": "SS_PERFORMANCE"}, userTags=[{"username": "a"}]),
        draft("x" * 3000, IMAGE, contentType="story", userTags=[{"username": "a"}]),
        draft("tags", IMAGE, VIDEO, userTags=[{"username": "a", "x": 0, "y": 1}, {"username": "b", "mediaIndex": 1}]),
        draft("with", IMAGE, IMAGE, collaborators=["a", "b", "c"], firstComment="first", locationId="7640348500"),
    ],
)
def test_valid_drafts_are_accepted(post: Draft[InstagramSettings]) -> None:
    assert broken(post) == []


@pytest.mark.parametrize(
    ("post", "part", "path", "error"),
    [
        (draft("text only"), "mediaItems", (), "Instagram requires media for all posts"),
        (draft("", GIF), "mediaItems", (), "Instagram does not take GIFs"),
        (draft("", *[IMAGE] * 11), "mediaItems", (), "Instagram allows 10 images in a post; this has 11"),
        (
            draft("", *[IMAGE] * 6, *[VIDEO] * 5),
            "mediaItems",
            (),
            "Instagram allows 10 media items in a post; this has 11",
        ),
        (draft("x" * 2201, IMAGE), "content", (), "Instagram allows 2,200 characters; this has 2,201"),
        (draft("#tag " * 31, IMAGE), "content", (), "Instagram allows 30 hashtags in a caption; this has 31"),
        (draft("@name " * 21, IMAGE), "content", (), "Instagram allows 20 mentions in a caption; this has 21"),
        (
            draft("", IMAGE, IMAGE, contentType="story"),
            "mediaItems",
            (),
            "Instagram stories take exactly 1 image or video; this has 2",
        ),
        (
            draft("", IMAGE.model_copy(update={"alt_text": "x" * 1001})),
            "mediaItems",
            (),
            "Instagram allows 1,000 characters of alt text; this has 1,001",
        ),
        (
            draft("", VIDEO, instagramThumbnail="https://c.example/a.jpg", reelCover="https://c.example/b.jpg"),
            "platformSpecificData",
            ("reelCover",),
            "instagramThumbnail and reelCover are the same cover; give one of them",
        ),
        (
            draft("", IMAGE, userTags=[{"username": "a", "x": 0.5, "y": 0.5, "mediaIndex": 1}]),
            "platformSpecificData",
            ("userTags", 0, "mediaIndex"),
            "There is no media item of this index",
        ),
        (
            draft("", IMAGE, userTags=[{"username": "a", "x": 0, "y": 0}, {"username": "b", "x": 0.5}]),
            "platformSpecificData",
            ("userTags", 1, "y"),
            "Instagram needs x and y for a tag on an image",
        ),
    ],
)
def test_invalid_drafts_are_refused(
    post: Draft[InstagramSettings], part: str, path: tuple[str | int, ...], error: str
) -> None:
    assert broken(post) == [(part, path, error)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shareToFeed", False),
        ("audioName", "Waves"),
        ("thumbOffset", 0),
        ("instagramThumbnail", "https://c.example/c.jpg"),
        ("reelCover", "https://c.example/c.jpg"),
        ("trialParams", {"graduationStrategy": "MANUAL"}),
    ],
)
@pytest.mark.parametrize("media", [(IMAGE,), (VIDEO, VIDEO)])
def test_keeps_settings_of_reels_to_reels(name: str, value: object, media: tuple[Media, ...]) -> None:
    error = f"Instagram takes {name} only with a reel (a post of one video)"
    assert broken(draft("", *media, **{name: value})) == [("platformSpecificData", (name,), error)]


@pytest.mark.parametrize(
    ("name", "value"), [("collaborators", ["a"]), ("firstComment", "first"), ("locationId", "7640348500")]
)
def test_keeps_settings_of_posts_from_stories(name: str, value: object) -> None:
    post = draft("", VIDEO, contentType="story", **{name: value})
    assert broken(post) == [("platformSpecificData", (name,), f"Instagram stories do not take {name}")]


@pytest.mark.parametrize(
    ("post", "post_type"),
    [
        (draft("", IMAGE), InstagramPostType.IMAGE),
        (draft("", VIDEO), InstagramPostType.REEL),
        (draft("", VIDEO, IMAGE), InstagramPostType.CAROUSEL),
        (draft("", VIDEO, contentType="story"), InstagramPostType.STORY),
    ],
)
def test_media_and_content_type_decide_the_form(post: Draft[InstagramSettings], post_type: InstagramPostType) -> None:
    assert post_type_of(post) is post_type


def test_a_user_name_may_be_written_with_its_at_sign() -> None:
    assert InstagramSettings.model_validate({"collaborators": ["@natgeo", "nasa"]}).collaborators == ["natgeo", "nasa"]

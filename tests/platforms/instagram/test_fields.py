"""The fields of the requests to Instagram for each form of post."""

import json
from typing import Any

from domain.post import Media, MediaType
from platforms.base import Draft
from platforms.instagram.platform import item_fields, post_fields
from platforms.instagram.rules import InstagramSettings

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

"""TikTok's limits from both sides, and its required settings."""

from typing import Any

import pytest

from domain.content import merge_settings
from domain.post import Media, MediaType
from platforms.base import AccountFacts, Draft
from platforms.texts.unicode import utf16_length
from platforms.tiktok import PLATFORM
from platforms.tiktok.fields import photo_body, video_body
from platforms.tiktok.rules import TITLE, title_of
from platforms.tiktok.settings import TikTokSettings

CREATOR = AccountFacts("tt_1", "1", "creator")
SETTINGS = {"contentPreviewConfirmed": True, "expressConsentGiven": True, "privacyLevel": "PUBLIC_TO_EVERYONE"}


def draft_of(text: str, kinds: str, settings: dict[str, Any]) -> Draft[TikTokSettings]:
    known = {"i": MediaType.IMAGE, "v": MediaType.VIDEO, "g": MediaType.GIF}
    media = tuple(Media(type=known[kind], url=f"https://example.com/{kind}") for kind in kinds)
    return Draft(text, media, TikTokSettings.model_validate(settings))


def broken(text: str, kinds: str, **settings: Any) -> list[tuple[str, str, str]]:
    found = PLATFORM.check(draft_of(text, kinds, {**SETTINGS, **settings}), CREATOR)
    return [(each.error, ".".join(map(str, each.path)) or each.part, each.code) for each in found]


@pytest.mark.parametrize(
    ("text", "kinds", "settings"),
    [
        ("x" * 2200, "v", {}),
        ("😀" * 1100, "v", {"allowComment": True, "allowDuet": True, "allowStitch": True}),
        ("x" * 4000, "i" * 35, {"photoCoverIndex": 34, "autoAddMusic": True, "description": "y" * 4000}),
        ("", "v", {"mediaType": "video", "videoCoverTimestampMs": 0, "videoMadeWithAi": True}),
        ("", "i", {"mediaType": "photo"}),
        ("", "v", {"privacyLevel": None, "draft": True}),
        ("", "v", {"privacyLevel": "SELF_ONLY", "commercialContentType": "brand_organic"}),
    ],
)
def test_valid_drafts_are_accepted(text: str, kinds: str, settings: dict[str, Any]) -> None:
    assert broken(text, kinds, **settings) == []


@pytest.mark.parametrize(
    ("text", "kinds", "settings", "where"),
    [
        ("x" * 2201, "v", {}, "content"),
        ("😀" * 1101, "v", {}, "content"),
        ("x" * 4001, "i", {}, "content"),
        ("Hi", "", {}, "mediaItems"),
        ("Hi", "i" * 36, {}, "mediaItems"),
        ("Hi", "vv", {}, "mediaItems"),
        ("Hi", "vi", {}, "mediaItems"),
        ("Hi", "g", {}, "mediaItems"),
        ("Hi", "i", {"description": "y" * 4001}, "description"),
        ("Hi", "v", {"description": "y"}, "description"),
        ("Hi", "v", {"photoCoverIndex": 0}, "photoCoverIndex"),
        ("Hi", "v", {"autoAddMusic": True}, "autoAddMusic"),
        ("Hi", "i", {"videoCoverTimestampMs": 0}, "videoCoverTimestampMs"),
        ("Hi", "i", {"videoMadeWithAi": True}, "videoMadeWithAi"),
        ("Hi", "v", {"videoCoverImageUrl": "https://cdn.example.com/a.jpg"}, "videoCoverImageUrl"),
        ("Hi", "i", {"mediaType": "video"}, "mediaType"),
        ("Hi", "v", {"mediaType": "photo"}, "mediaType"),
        ("Hi", "ii", {"photoCoverIndex": 2}, "photoCoverIndex"),
        ("Hi", "v", {"privacyLevel": "SELF_ONLY", "commercialContentType": "brand_content"}, "privacyLevel"),
        ("Hi", "v", {"privacyLevel": "SELF_ONLY", "brandPartnerPromote": True}, "privacyLevel"),
    ],
)
def test_invalid_drafts_are_refused(text: str, kinds: str, settings: dict[str, Any], where: str) -> None:
    assert [(found, code) for _, found, code in broken(text, kinds, **settings)] == [(where, "invalid_field_value")]


@pytest.mark.parametrize("name", ["contentPreviewConfirmed", "expressConsentGiven", "privacyLevel"])
def test_needs_consent_and_audience(name: str) -> None:
    [(error, where, code)] = broken("Hi", "v", **{name: None})
    assert (where, code) == (name, "missing_required_field")
    assert error.startswith(f"TikTok needs {name}")


@pytest.mark.parametrize("name", ["contentPreviewConfirmed", "expressConsentGiven"])
def test_a_consent_that_was_refused_is_none(name: str) -> None:
    assert [(where, code) for _, where, code in broken("Hi", "v", draft=True, **{name: False})] == [
        (name, "invalid_field_value")
    ]


def test_the_sentences_name_the_limit() -> None:
    assert broken("x" * 2201, "v")[0][0] == "TikTok allows 2,200 UTF-16 units beside videos; this has 2,201"
    assert broken("Hi", "")[0][0] == "TikTok requires media for all posts"


def test_settings_may_be_written_either_way_and_the_targets_own_win() -> None:
    merged = merge_settings("tiktok", {"privacyLevel": "SELF_ONLY"}, {"privacy_level": "PUBLIC_TO_EVERYONE"}, {})
    assert TikTokSettings.model_validate(merged).privacy_level == "SELF_ONLY"
    snake = {"content_preview_confirmed": True, "express_consent_given": True, "allow_comment": True}
    settings = TikTokSettings.model_validate(snake)
    assert (settings.content_preview_confirmed, settings.express_consent_given, settings.allow_comment) == (True,) * 3


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("A day out #sun #beach", "A day out"),
        ("word " * 40, ("word " * 18).strip()),
        ("x" * 200, "x" * 90),
        ("😀" * 60, "😀" * 45),
        ("#only", ""),
    ],
)
def test_a_title_is_cut_to_what_tiktok_takes(text: str, title: str) -> None:
    assert title_of(text) == title
    assert utf16_length(title) <= TITLE


def test_a_video_allows_nothing_that_was_not_allowed() -> None:
    info = video_body(draft_of("Hi", "v", SETTINGS), {}, {"source": "FILE_UPLOAD"})["post_info"]
    assert info == {
        "title": "Hi",
        "privacy_level": "PUBLIC_TO_EVERYONE",
        "disable_comment": True,
        "disable_duet": True,
        "disable_stitch": True,
        "brand_content_toggle": False,
        "brand_organic_toggle": False,
        "is_aigc": False,
    }


def test_photos_are_reported_without_what_is_for_videos() -> None:
    body = photo_body(draft_of("Title #tag", "ii", {**SETTINGS, "description": "long"}), {})
    assert body["post_info"] == {
        "title": "Title",
        "description": "long",
        "privacy_level": "PUBLIC_TO_EVERYONE",
        "disable_comment": True,
        "brand_content_toggle": False,
        "brand_organic_toggle": False,
    }
    assert body["source_info"]["photo_images"] == ["https://example.com/i"] * 2


def test_in_the_inbox_everything_else_is_chosen_there() -> None:
    draft = {**SETTINGS, "draft": True}
    assert video_body(draft_of("Hi", "v", draft), {}, {"source": "FILE_UPLOAD"}) == {
        "source_info": {"source": "FILE_UPLOAD"}
    }
    body = photo_body(draft_of("Hi", "i", draft), {})
    assert (body["post_mode"], body["post_info"]) == ("MEDIA_UPLOAD", {"description": "Hi"})

"""TikTok's required settings, and the fields of a post."""

from typing import Any

import pytest

from domain.content import merge_settings
from platforms.base import AccountFacts
from platforms.texts.unicode import utf16_length
from platforms.tiktok import PLATFORM
from platforms.tiktok.media import photo_body, video_body
from platforms.tiktok.rules import TITLE, TikTokSettings, photo_title
from tests.platforms.drafts import draft


@pytest.mark.parametrize("name", ["contentPreviewConfirmed", "expressConsentGiven", "privacyLevel"])
def test_needs_consent_and_audience(name: str) -> None:
    missing: dict[str, Any] = {name: None}
    [violation] = PLATFORM.check(draft("tiktok", kinds="v", **missing), AccountFacts("tt_1", "1", "creator"))
    assert (violation.path, violation.code) == ((name,), "missing_required_field")
    assert violation.error.startswith(f"TikTok needs {name}")


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
def test_a_title_is_cut_to_the_limit_of_tiktok(text: str, title: str) -> None:
    assert photo_title(text) == title
    assert utf16_length(title) <= TITLE


def test_a_video_allows_nothing_that_was_not_allowed() -> None:
    info = video_body(draft("tiktok", kinds="v"), {}, {"source": "FILE_UPLOAD"})["post_info"]
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


def test_photos_are_sent_without_fields_for_videos() -> None:
    body = photo_body(draft("tiktok", "Title #tag", "ii", description="long"), {})
    assert body["post_info"] == {
        "title": "Title",
        "description": "long",
        "privacy_level": "PUBLIC_TO_EVERYONE",
        "disable_comment": True,
        "brand_content_toggle": False,
        "brand_organic_toggle": False,
    }
    assert body["source_info"]["photo_images"] == ["https://example.com/i"] * 2


def test_a_draft_for_the_inbox_sends_no_other_settings() -> None:
    assert video_body(draft("tiktok", kinds="v", draft=True), {}, {"source": "FILE_UPLOAD"}) == {
        "source_info": {"source": "FILE_UPLOAD"}
    }
    body = photo_body(draft("tiktok", kinds="i", draft=True), {})
    assert (body["post_mode"], body["post_info"]) == ("MEDIA_UPLOAD", {"description": "Hi"})

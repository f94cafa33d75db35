"""Instagram's limits, and which settings go with which form of post."""

import re
from datetime import timedelta
from enum import StrEnum

from pydantic.alias_generators import to_camel

from domain.post import MediaType
from domain.rate_limits import RateLimit
from platforms.base import AccountFacts, Draft
from platforms.instagram.settings import InstagramSettings
from platforms.post_ids import PostId
from platforms.rules import FileRule, MediaRule, Rules, TextRule, Violation, setting

_MEDIA_PAGE = "developers.facebook.com/docs/instagram-platform/instagram-graph-api/reference/ig-user/media"

HASHTAGS, MENTIONS, ALT_TEXT = 30, 20, 1000
"""Per caption, per caption, and characters per image; source: the page of the media edge."""
CAROUSEL_ITEMS = 10
"""Source: the page of the media edge; the app itself allows more."""
MEGABYTE = 1024 * 1024
"""Instagram's page does not say which kind of megabytes it means; unverified."""

RULES = Rules(
    post_id=PostId(r"[0-9]{1,32}", "the post's number, which its address does not contain"),
    text=TextRule(limit=2200, count=len, source=_MEDIA_PAGE),
    media=MediaRule(
        required=True,
        max_items=CAROUSEL_ITEMS,
        max_of=((MediaType.IMAGE, CAROUSEL_ITEMS), (MediaType.VIDEO, CAROUSEL_ITEMS)),
        mixes=True,
        source=_MEDIA_PAGE,
    ),
    # Instagram itself scales images that are too wide or too narrow (general knowledge of the page), so sides are not
    # limited.
    files=(
        FileRule(
            MediaType.IMAGE,
            ("image/jpeg",),
            max_bytes=8 * MEGABYTE,
            min_ratio=3 / 4,  # tried by publishers in May 2026; the reference still says 4:5
            max_ratio=1.91,
            source=_MEDIA_PAGE,
        ),
        FileRule(
            MediaType.VIDEO,
            ("video/mp4", "video/quicktime"),
            max_bytes=300 * MEGABYTE,
            min_seconds=3,
            max_seconds=15 * 60,
            min_ratio=0.01,
            max_ratio=10,
            source=_MEDIA_PAGE,
        ),
    ),
    alt_text=ALT_TEXT,
    # Meta's pages name 50 and 100; each account is asked for its own number.
    rate_limits=(
        RateLimit(100, timedelta(days=1), source="developers.facebook.com/docs/instagram-platform/content-publishing"),
    ),
)
COVER = FileRule(MediaType.IMAGE, ("image/jpeg",), max_bytes=8 * MEGABYTE, source=_MEDIA_PAGE)
STORY_FILES = (
    FileRule(MediaType.IMAGE, ("image/jpeg",), max_bytes=8 * MEGABYTE, source=_MEDIA_PAGE),
    FileRule(
        MediaType.VIDEO,
        ("video/mp4", "video/quicktime"),
        max_bytes=100 * MEGABYTE,
        min_seconds=3,
        max_seconds=60,
        source=_MEDIA_PAGE,
    ),
)

_REELS_ONLY = ("share_to_feed", "audio_name", "thumb_offset", "instagram_thumbnail", "reel_cover", "trial_params")
_NOT_ON_STORIES = ("collaborators", "first_comment", "location_id")


class InstagramPostType(StrEnum):
    """The form that a post has on Instagram."""

    IMAGE = "image"
    CAROUSEL = "carousel"
    REEL = "reel"
    STORY = "story"


def choose_post_type(draft: Draft[InstagramSettings]) -> InstagramPostType:
    """Return the form of the draft: its settings say story, else its media decide."""
    if draft.settings.content_type == "story":
        return InstagramPostType.STORY
    if len(draft.media) > 1:
        return InstagramPostType.CAROUSEL
    return InstagramPostType.REEL if draft.media[0].type is MediaType.VIDEO else InstagramPostType.IMAGE


def check(label: str, draft: Draft[InstagramSettings], _: AccountFacts) -> list[Violation]:
    """Return everything Instagram would reject; neither a story's text, which is never sent, nor files are checked."""
    text = "" if draft.settings.content_type == "story" else draft.text
    violations = RULES.check(label, text, draft.media)
    for limit, unit, pattern in ((HASHTAGS, "hashtags", r"#\w+"), (MENTIONS, "mentions", r"(?<![\w.])@[\w.]+")):
        # A text that is already too long is not searched.
        if len(text) <= RULES.text.limit and (count := len(re.findall(pattern, text))) > limit:
            violations.append(Violation("content", f"{label} allows {limit} {unit} in a caption; this has {count}"))
    if not draft.media:
        return violations
    post_type = choose_post_type(draft)
    if post_type is InstagramPostType.STORY and len(draft.media) > 1:
        violations.append(
            Violation("mediaItems", f"{label} stories take exactly 1 image or video; this has {len(draft.media)}")
        )
    return violations + _check_settings(label, draft, post_type) + _check_tags(label, draft)


def _check_settings(label: str, draft: Draft[InstagramSettings], post_type: InstagramPostType) -> list[Violation]:
    settings = draft.settings
    names = {name for name in InstagramSettings.model_fields if getattr(settings, name) not in (None, [])}
    violations = [
        setting(to_camel(name), f"{label} takes {to_camel(name)} only with a reel (a post of one video)")
        for name in _REELS_ONLY
        if name in names and post_type is not InstagramPostType.REEL
    ]
    violations += [
        setting(to_camel(name), f"{label} stories do not take {to_camel(name)}")
        for name in _NOT_ON_STORIES
        if name in names and post_type is InstagramPostType.STORY
    ]
    if {"instagram_thumbnail", "reel_cover"} <= names:
        violations.append(setting("reelCover", "instagramThumbnail and reelCover are the same cover; give one of them"))
    return violations


def _check_tags(label: str, draft: Draft[InstagramSettings]) -> list[Violation]:
    violations = []
    for number, tag in enumerate(draft.settings.user_tags):
        if tag.media_index >= len(draft.media):
            violations.append(setting(("userTags", number, "mediaIndex"), "There is no media item of this index"))
        elif (
            draft.media[tag.media_index].type is MediaType.IMAGE
            and choose_post_type(draft) is not InstagramPostType.STORY
        ):
            violations += [
                setting(("userTags", number, axis), f"{label} needs x and y for a tag on an image")
                for axis, value in (("x", tag.x), ("y", tag.y))
                if value is None
            ]
    return violations

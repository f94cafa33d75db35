"""Instagram's settings, credentials and limits, and which settings go with which form of post."""

import re
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic.alias_generators import to_camel

from domain.post import MediaType
from domain.request_limits import RateLimit
from platforms.base import AccountFacts, Connection, Draft, PublishContext
from platforms.client_model import ClientModel
from platforms.meta.graph import MetaCredentials
from platforms.post_ids import PostId
from platforms.rules import FileRule, MediaRule, Rules, TextRule, Violation, setting
from platforms.texts.patterns import Digits, TextPattern, WebAddress

Username = Annotated[
    str,
    StringConstraints(max_length=31),
    TextPattern(r"^@?[A-Za-z0-9._]+$", "must be a user name: letters, digits, dots and underscores"),
    AfterValidator(lambda name: name.removeprefix("@")),
]


class UserTag(ClientModel):
    """A person tagged on one of the post's media."""

    username: Username = Field(description="Whom to tag, with or without @.", examples=["natgeo"])
    x: float | None = Field(
        None, ge=0, le=1, description="From the left edge (0) to the right (1); images only.", examples=[0.5]
    )
    y: float | None = Field(
        None, ge=0, le=1, description="From the top edge (0) to the bottom (1); images only.", examples=[0.8]
    )
    media_index: int = Field(0, ge=0, description="Which media item carries the tag, counted from 0.", examples=[0])


class TrialParams(ClientModel):
    """A reel that is shown to non-followers first."""

    graduation_strategy: Literal["MANUAL", "SS_PERFORMANCE"] = Field(
        description="How the trial ends: by hand in the app, or by itself when the reel performs well.",
        examples=["MANUAL"],
    )


def _reels_are_not_named(kind: object) -> object:
    if kind == "reel":
        raise ValueError("must be story, or left out: a video alone is published as a reel")
    return kind


class InstagramSettings(ClientModel):
    """Settings of a post on Instagram."""

    content_type: Annotated[Literal["story"] | None, BeforeValidator(_reels_are_not_named)] = Field(
        None, description="`story` publishes for 24 hours as a story, without the text.", examples=["story"]
    )
    share_to_feed: bool | None = Field(None, description="Show a reel in the feed too.", examples=[True])
    collaborators: list[Username] = Field(
        default_factory=list,
        max_length=3,
        description="Up to 3 accounts invited as co-authors.",
        examples=[["natgeo"]],
    )
    first_comment: str | None = Field(
        None, min_length=1, description="A comment added right after publishing.", examples=["#sunset #beach"]
    )
    trial_params: TrialParams | None = Field(None, description="Publish a reel as a trial reel.")
    user_tags: list[UserTag] = Field(default_factory=list, description="People tagged on the media.")
    audio_name: str | None = Field(
        None, min_length=1, description="The name of a reel's original audio.", examples=["Waves at dawn"]
    )
    thumb_offset: int | None = Field(
        None, ge=0, description="The moment of a reel that becomes its cover, in milliseconds.", examples=[1500]
    )
    instagram_thumbnail: WebAddress | None = Field(
        None, description="A reel's cover image (JPEG).", examples=["https://cdn.example.com/cover.jpg"]
    )
    reel_cover: WebAddress | None = Field(
        None,
        description="Another name for `instagramThumbnail`; give one of them.",
        examples=["https://cdn.example.com/cover.jpg"],
    )
    is_ai_generated: bool | None = Field(
        None, description="Show Instagram's label of what was made by AI.", examples=[True]
    )
    location_id: Digits | None = Field(
        None, description="The id of a place's Facebook page.", examples=["106377336067638"]
    )


class InstagramCredentials(MetaCredentials):
    """A long-lived Instagram user token (60 days) and, if known, its account's id."""

    user_id: str | None = None


InstagramConnection = Connection[InstagramCredentials]
InstagramContext = PublishContext[InstagramSettings]


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
    return InstagramPostType.REEL if MediaType.VIDEO in {item.type for item in draft.media} else InstagramPostType.IMAGE


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

"""TikTok's settings and limits, and what does not go together in one post."""

import re
from datetime import timedelta
from typing import Literal

from pydantic import AliasChoices, Field

from domain.post import MediaType
from domain.request_limits import RateLimit
from platforms.access.oauth import OAuthCredentials
from platforms.base import AccountFacts, Draft
from platforms.client_model import ClientModel
from platforms.post_ids import PostId
from platforms.rules import FileRule, MediaRule, Rules, TextRule, Violation, setting
from platforms.texts.patterns import WebAddress
from platforms.texts.unicode import utf16_length

PUBLIC, ONLY_SELF = "PUBLIC_TO_EVERYONE", "SELF_ONLY"
Privacy = Literal["PUBLIC_TO_EVERYONE", "MUTUAL_FOLLOW_FRIENDS", "FOLLOWER_OF_CREATOR", "SELF_ONLY"]


class TikTokSettings(ClientModel):
    """Settings of a post on TikTok; every name may also be written in snake_case.

    TikTok's rules for apps demand that a person chooses who may see, comment, duet and stitch. So nothing is allowed
    that the settings do not allow, and there is no default privacy level.
    """

    draft: bool = Field(
        default=False,
        description="Put the media into the inbox of the TikTok app, where its owner finishes the post; the other "
        "settings are then chosen there.",
        examples=[True],
    )
    privacy_level: Privacy | None = Field(
        None,
        description="Who sees the post. Required unless `draft`; it must be one that the creator's account offers.",
        examples=[PUBLIC],
    )
    allow_comment: bool = Field(default=False, description="Let people comment.", examples=[True])
    allow_duet: bool = Field(default=False, description="Let people make duets with the video.", examples=[True])
    allow_stitch: bool = Field(default=False, description="Let people stitch the video.", examples=[True])
    commercial_content_type: Literal["none", "brand_organic", "brand_content"] = Field(
        "none",
        description="What the post promotes: the creator's own business, or another brand that pays for it.",
        examples=["brand_organic"],
    )
    brand_partner_promote: bool = Field(
        default=False, description="The same as `commercialContentType` brand_content.", examples=[True]
    )
    is_brand_organic_post: bool = Field(
        default=False, description="The same as `commercialContentType` brand_organic.", examples=[True]
    )
    content_preview_confirmed: bool | None = Field(
        None,
        description="Required to be true: the person who posts has seen a preview of the content.",
        examples=[True],
    )
    express_consent_given: bool | None = Field(
        None,
        description="Required to be true: the person who posts agrees that it is uploaded to TikTok.",
        examples=[True],
    )
    media_type: Literal["video", "photo"] | None = Field(
        None, description="What the post is made of; it need not be said, the media tell.", examples=["photo"]
    )
    video_cover_timestamp_ms: int | None = Field(
        None, ge=0, description="The moment of the video that becomes its cover, in milliseconds.", examples=[1500]
    )
    video_cover_image_url: WebAddress | None = Field(
        None,
        description="Refused: TikTok takes no picture as a cover of what an app publishes.",
        examples=["https://cdn.example.com/cover.jpg"],
    )
    photo_cover_index: int | None = Field(
        None, ge=0, description="Which photo is the cover, counted from 0.", examples=[0]
    )
    auto_add_music: bool | None = Field(None, description="Let TikTok add music to photos.", examples=[True])
    video_made_with_ai: bool = Field(default=False, description="Label the video as made with AI.", examples=[True])
    description: str | None = Field(
        None,
        min_length=1,
        description="The description of a photo post, up to 4,000 UTF-16 units; the content then is its title, cut to "
        "90 without its hashtags. Left out, the content is the description.",
        examples=["Three days in the mountains, and not a cloud. #hiking"],
    )


class TikTokCredentials(OAuthCredentials):
    """A user's access token (2 hours) and what renews it.

    `{"accessToken", "refreshToken", "clientKey", "clientSecret"}`; `clientId` is another name for `clientKey`.
    """

    client_id: str | None = Field(None, validation_alias=AliasChoices("clientKey", "clientId"))


_VIDEOS_PAGE = "developers.tiktok.com/doc/content-posting-api-reference-direct-post"
_PHOTOS_PAGE = "developers.tiktok.com/doc/content-posting-api-reference-photo-post"
_MEDIA_PAGE = "developers.tiktok.com/doc/content-posting-api-media-transfer-guide"

TITLE = 90
"""UTF-16 units of a photo post's title; source: the page of photo posts."""
PHOTOS = 35
MEGABYTE = 1024 * 1024
PER_MINUTE = 6
"""Photo posts and beginnings of videos, per token. Ends of videos keep to it, too: their status is read so often."""


_HOST = r"(?:(?:www|m)\.)?tiktok\.com"

RULES = Rules(
    post_id=PostId(
        r"[A-Za-z0-9][A-Za-z0-9_.~-]{0,63}",
        "the video's number, or the name under which TikTok took it",
        addresses=(
            (rf"{_HOST}/@[^/]*/(?:video|photo)/([0-9]+)(?:[/?].*)?", r"\1"),
            (rf"{_HOST}/(?:v|embed(?:/v2)?|player/v1)/([0-9]+)(?:\.html)?(?:[/?].*)?", r"\1"),
        ),
        without_id=(r"(?:vm|vt)\.tiktok\.com/.+", rf"{_HOST}/t/.+"),
    ),
    text=TextRule(
        limit=4000,
        count=utf16_length,
        unit="UTF-16 units",
        with_media=((MediaType.VIDEO, 2200),),
        source=f"{_PHOTOS_PAGE}; of a video's caption {_VIDEOS_PAGE}",
    ),
    media=MediaRule(
        required=True,
        max_items=PHOTOS,
        max_of=((MediaType.IMAGE, PHOTOS), (MediaType.VIDEO, 1)),
        source=_PHOTOS_PAGE,
    ),
    files=(
        # "1080p" seems to be measured by the shorter side. A larger picture fails the post after TikTok accepted it.
        FileRule(
            MediaType.IMAGE,
            ("image/jpeg", "image/webp"),
            max_bytes=20 * MEGABYTE,
            max_shorter=1080,
            max_longer=1920,
            source=_MEDIA_PAGE,
        ),
        FileRule(
            MediaType.VIDEO,
            ("video/mp4", "video/quicktime", "video/webm"),
            max_bytes=4096 * MEGABYTE,
            max_seconds=600,
            min_width=360,
            max_width=4096,
            min_height=360,
            max_height=4096,
            source=_MEDIA_PAGE,
        ),
    ),
    rate_limits=(RateLimit(PER_MINUTE, timedelta(minutes=1), source=_PHOTOS_PAGE),),
    prepare_rate_limits=(RateLimit(PER_MINUTE, timedelta(minutes=1), source=_VIDEOS_PAGE),),
)

_VIDEO_ONLY = (("video_cover_timestamp_ms", "videoCoverTimestampMs"), ("video_made_with_ai", "videoMadeWithAi"))
_PHOTO_ONLY = (
    ("photo_cover_index", "photoCoverIndex"),
    ("auto_add_music", "autoAddMusic"),
    ("description", "description"),
)


def is_video(draft: Draft[TikTokSettings]) -> bool:
    """Return whether the post is a video; otherwise it consists of photos."""
    return bool(draft.media) and draft.media[0].type is MediaType.VIDEO


def photo_title(text: str) -> str:
    """Return a photo post's title: the text without hashtags, cut at the end of a word to TikTok's limit."""
    plain = " ".join(re.sub(r"#\w+", "", text).split())[: TITLE + 1]
    while utf16_length(plain) > TITLE:
        plain = plain[:-1] if " " not in plain else plain.rpartition(" ")[0]
    return plain


def check(label: str, draft: Draft[TikTokSettings], _: AccountFacts) -> list[Violation]:
    """Return everything TikTok would reject, as far as it is known without the creator's options."""
    settings = draft.settings
    violations = RULES.check(label, draft.text, draft.media)
    violations += [
        setting("description", broken.error) for broken in RULES.text.check(label, settings.description or "")
    ]
    violations += [
        setting(name, f"{label} needs {name} to be true: {why}", missing=value is None)
        for name, value, why in (
            ("contentPreviewConfirmed", settings.content_preview_confirmed, "the person who posts has seen a preview"),
            ("expressConsentGiven", settings.express_consent_given, "the person who posts agrees to the upload"),
        )
        if value is not True
    ]
    if settings.privacy_level is None and not settings.draft:
        violations.append(setting("privacyLevel", f"{label} needs privacyLevel: who may see the post", missing=True))
    return violations + _check_kind(label, draft) + _check_brand(label, settings)


def _check_kind(label: str, draft: Draft[TikTokSettings]) -> list[Violation]:
    if not draft.media:
        return []
    settings, video = draft.settings, is_video(draft)
    violations = [
        setting(name, f"{label} takes {name} only with {'photos' if video else 'a video'}")
        for field, name in (_PHOTO_ONLY if video else _VIDEO_ONLY)
        if (value := getattr(settings, field)) is not None and value is not False
    ]
    if settings.media_type and (settings.media_type == "video") is not video:
        violations.append(setting("mediaType", f"mediaType is {settings.media_type}, but the media are not"))
    if settings.video_cover_image_url:
        error = f"{label} takes no picture as a cover; name a moment of the video with videoCoverTimestampMs"
        violations.append(setting("videoCoverImageUrl", error))
    if settings.photo_cover_index is not None and settings.photo_cover_index >= len(draft.media):
        violations.append(setting("photoCoverIndex", "There is no photo of this index"))
    return violations


def _check_brand(label: str, settings: TikTokSettings) -> list[Violation]:
    paid = settings.brand_partner_promote or settings.commercial_content_type == "brand_content"
    # General knowledge of TikTok's rules for apps, unverified.
    if paid and settings.privacy_level == ONLY_SELF:
        return [setting("privacyLevel", f"{label} does not let paid content be private")]
    return []

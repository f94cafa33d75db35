"""The models of platformSpecificData (with tiktokSettings inside it) and of credentials for TikTok."""

from typing import Literal

from pydantic import AliasChoices, Field

from platforms.access.oauth import OAuthCredentials
from platforms.client_model import ClientModel
from platforms.texts.patterns import WebAddress

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

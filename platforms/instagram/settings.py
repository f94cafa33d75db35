"""The models of platformSpecificData and of credentials for Instagram."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from platforms.client_model import ClientModel
from platforms.meta.credentials import MetaCredentials
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

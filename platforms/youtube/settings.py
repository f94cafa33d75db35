"""The models of platformSpecificData and of credentials for YouTube."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from platforms.access.oauth import OAuthCredentials
from platforms.client_model import ClientModel
from platforms.texts.patterns import Digits, Language, TextPattern, WebAddress

COMMENT = 10_000
"""Characters of a comment; general knowledge, unverified."""
CAPTIONS = 20
"""Files of captions; our choice: each costs 400 units of the day's quota (general knowledge, unverified)."""
Tag = Annotated[
    str, StringConstraints(min_length=1, max_length=500), TextPattern(r"^[^<>,]+$", "must not contain < > ,")
]
Title = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100),
    TextPattern(r"^[^<>]*[^<>\s][^<>]*$", "must hold neither < nor >, and more than blanks"),
]
Playlist = Annotated[str, TextPattern(r"^[\w-]+$", "must be a playlist's id such as PLBCF2DAC6FFB574DE")]


class Caption(ClientModel):
    """The captions of a video in one language."""

    language: Language = Field(description="The language of the captions (BCP 47).", examples=["en"])
    name: str = Field("", max_length=150, description="The name that viewers choose it by.", examples=["English"])
    url: WebAddress = Field(
        description="The address of a WebVTT or SubRip file of up to 100 MB.",
        examples=["https://cdn.example.com/waves.vtt"],
    )


class YouTubeSettings(ClientModel):
    """Settings of a video on YouTube. An upright or square video of up to 3 minutes becomes a Short by itself."""

    title: Title | None = Field(
        None,
        description="The title, up to 100 characters without < and >; the first line of the content if left out.",
        examples=["Waves at dawn"],
    )
    visibility: Literal["public", "unlisted", "private"] = Field(
        "public", description="Who may see the video.", examples=["unlisted"]
    )
    tags: list[Tag] = Field(
        default_factory=list,
        description="Keywords, up to 500 characters together.",
        examples=[["sea", "sunrise"]],
    )
    category_id: Digits = Field(
        "22", description="The number of YouTube's category; 22 is People & Blogs.", examples=["22"]
    )
    made_for_kids: bool = Field(default=False, description="Whether the video is made for children.", examples=[False])
    contains_synthetic_media: bool | None = Field(
        None, description="Whether it shows realistic scenes that were made or changed by AI.", examples=[True]
    )
    thumbnail: WebAddress | None = Field(
        None,
        description="The address of a JPEG or PNG of up to 50 MB; YouTube takes it from verified channels only.",
        examples=["https://cdn.example.com/cover.jpg"],
    )
    captions: list[Caption] = Field(
        default_factory=list,
        max_length=CAPTIONS,
        description="Captions, which are added once the video is up; one file for each language.",
        examples=[[{"language": "en", "url": "https://cdn.example.com/waves.vtt"}]],
    )
    playlist_id: Playlist | None = Field(
        None,
        description="One of the channel's playlists, to which the video is added.",
        examples=["PLBCF2DAC6FFB574DE"],
    )
    first_comment: str | None = Field(
        None,
        min_length=1,
        max_length=COMMENT,
        description="A comment that the channel adds once the video is up.",
        examples=["Where do we go next?"],
    )


class YouTubeCredentials(OAuthCredentials):
    """A Google access token (an hour) and what renews it."""

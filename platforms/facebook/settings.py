"""The models of platformSpecificData (with facebookSettings inside it) and of credentials for Facebook."""

from typing import Annotated, Literal

from pydantic import Field

from platforms.client_model import ClientModel
from platforms.meta.credentials import MetaCredentials
from platforms.texts.patterns import Digits, TextPattern, WebAddress

TITLE = 255
"""Characters of a video's title; unverified, Facebook only names the error for one that is too long."""
COMMENT = 8000
"""Characters of a comment; unverified."""
CAPTIONS = 20
"""Files of captions; our choice, Meta's reference names no number."""
Locale = Annotated[str, TextPattern(r"^[a-z]{2,3}[_-][A-Z]{2}$", "must name language and region, such as en_US")]


class VideoCaption(ClientModel):
    """The captions of a video on Facebook in one language."""

    language: Locale = Field(description="The language of the captions with its region.", examples=["en_US"])
    url: WebAddress = Field(
        description="The address of a SubRip file of up to 1 MB.", examples=["https://cdn.example.com/waves.srt"]
    )


class FacebookSettings(ClientModel):
    """Settings of a post on a Facebook Page."""

    draft: bool = Field(
        default=False,
        description="Keep the post as a draft in Meta Business Suite, where a person publishes it.",
        examples=[True],
    )
    content_type: Literal["story", "reel"] | None = Field(
        None,
        description="`story` publishes one image or video for 24 hours, without the text; `reel` makes a video a reel. "
        "A video of 9:16 and 3 to 90 seconds becomes a reel in any case.",
        examples=["reel"],
    )
    title: str | None = Field(
        None, min_length=1, max_length=TITLE, description="The title of a reel or video.", examples=["Waves at dawn"]
    )
    first_comment: str | None = Field(
        None,
        min_length=1,
        max_length=COMMENT,
        description="A comment that the Page adds right after publishing.",
        examples=["Which one is your favourite?"],
    )
    captions: list[VideoCaption] = Field(
        default_factory=list,
        max_length=CAPTIONS,
        description="Captions of a reel or video, one file for each language. They are added once it is public; "
        "Facebook's refusal of one is a warning.",
        examples=[[{"language": "en_US", "url": "https://cdn.example.com/waves.srt"}]],
    )
    link: WebAddress | None = Field(
        None,
        description="An address that a post without media shows as a preview.",
        examples=["https://example.com/article"],
    )
    page_id: Digits | None = Field(
        None,
        description="The Page to publish to. Each connected account is one Page, so it can only name that one.",
        examples=["1755847768034402"],
    )


class FacebookCredentials(MetaCredentials):
    """A Page's access token; one that was made from a long-lived user token does not expire."""

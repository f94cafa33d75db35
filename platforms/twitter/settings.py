"""The models of platformSpecificData and of credentials for X."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from platforms.access.oauth import OAuthCredentials
from platforms.client_model import ClientModel
from platforms.steps.thread import ThreadItems
from platforms.texts.patterns import TextPattern, WebAddress

CAPTIONS = 20
"""Files of captions; our choice, X names no number: each takes four requests."""
PostId = Annotated[str, TextPattern(r"^[0-9]{1,19}$", "must be the id of a post on X, digits alone")]
LanguageCode = Annotated[str, TextPattern(r"^[A-Za-z]{2}$", "must be two letters such as en")]
PollOption = Annotated[str, StringConstraints(min_length=1, max_length=25)]


class Poll(ClientModel):
    """A poll. The limits are those of CreatePostsPoll in X's API document."""

    options: list[PollOption] = Field(
        min_length=2, max_length=4, description="2 to 4 answers of 1 to 25 characters.", examples=[["Yes", "No"]]
    )
    duration_minutes: int = Field(
        ge=5,
        le=10_080,
        description="How long the poll stays open, 5 minutes to 7 days; also accepted as `duration_minutes`.",
        examples=[1440],
    )


class Subtitles(ClientModel):
    """The captions of a video on X in one language."""

    language: LanguageCode = Field(description="The language of the captions, two letters.", examples=["en"])
    name: str = Field("", max_length=150, description="The name that viewers choose it by.", examples=["English"])
    url: WebAddress = Field(
        description="The address of a SubRip or WebVTT file of up to 1 MB.",
        examples=["https://cdn.example.com/waves.srt"],
    )


class TwitterSettings(ClientModel):
    """Settings of a post on X."""

    reply_to_tweet_id: PostId | None = Field(
        None,
        description="Publish as a reply to this post. X lets apps reply to the account's own posts and to those that "
        "mention it.",
        examples=["1445880548472328192"],
    )
    quote_tweet_id: PostId | None = Field(
        None,
        description="Quote this post; not together with media or a poll. Others' posts are for Enterprise apps only.",
        examples=["1445880548472328192"],
    )
    reply_settings: Literal["following", "mentionedUsers", "subscribers", "verified"] | None = Field(
        None, description="Who may reply; everyone if left out.", examples=["mentionedUsers"]
    )
    poll: Poll | None = Field(None, description="A poll; not together with media or a quoted post.")
    long_video: bool = Field(
        default=False,
        description="Accepted and not needed: X takes videos of 20 minutes, with X Premium of 125 minutes.",
        examples=[True],
    )
    captions: list[Subtitles] = Field(
        default_factory=list,
        max_length=CAPTIONS,
        description="Captions of the post's video, not of videos in `threadItems`: one file for each language. They "
        "are added once the post is public; X's refusal of one is a warning.",
        examples=[[{"language": "en", "name": "English", "url": "https://cdn.example.com/waves.srt"}]],
    )
    thread_items: ThreadItems = Field(
        default_factory=list,
        description="Posts that follow as replies, each to the one before. The other settings but `longVideo`, a poll "
        "too, are the first post's.",
        examples=[[{"content": "And this is why:"}]],
    )


class TwitterCredentials(OAuthCredentials):
    """An OAuth 2.0 user token (2 hours) and what renews it; `client_secret` is for confidential clients."""

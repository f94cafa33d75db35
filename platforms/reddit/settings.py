"""The models of platformSpecificData and of credentials for Reddit."""

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from platforms.access.oauth import OAuthCredentials
from platforms.client_model import ClientModel
from platforms.texts.patterns import TextPattern, WebAddress

Subreddit = Annotated[
    str,
    TextPattern(
        r"^(?:/?r/)?(?:[A-Za-z0-9_]{2,21}|u_[A-Za-z0-9_-]{3,20})$",
        "must be a subreddit's name (2 to 21 letters, digits and underscores) or a profile's (u_ and the user's name)",
    ),
    AfterValidator(lambda name: name.rpartition("/")[2]),
]


class RedditSettings(ClientModel):
    """The subreddit and the form of a post on Reddit."""

    subreddit: Subreddit = Field(description="The subreddit, with or without r/.", examples=["test"])
    title: str | None = Field(
        None,
        min_length=1,
        max_length=300,
        description="Up to 300 characters. If left out, the first line of the text is the title.",
        examples=["We made a thing"],
    )
    url: WebAddress | None = Field(
        None,
        description="Publish this link; Reddit refuses one that the subreddit has already.",
        examples=["https://example.com/thing"],
    )
    force_self: bool = Field(
        default=False, description="Publish a text post whose last line is the `url`.", examples=[True]
    )
    flair_id: (
        Annotated[str, TextPattern(r"^[0-9a-fA-F-]{36}$", "must be a flair's id, 36 characters with dashes")] | None
    ) = Field(
        None, description="The subreddit's flair for the post.", examples=["3ab9a9b0-1c1c-11ec-8f2a-0e1c2a5d9c6f"]
    )
    nsfw: bool = Field(default=False, description="Mark the post as not safe for work.", examples=[True])
    spoiler: bool = Field(default=False, description="Mark the post as a spoiler.", examples=[True])
    send_replies: bool = Field(
        default=True, description="Have Reddit send the account a message for each comment.", examples=[False]
    )


class RedditCredentials(OAuthCredentials):
    """A user's token (a day) and what renews it, with the app's name; an installed app has no secret."""

    user_agent: Annotated[str, StringConstraints(min_length=1, max_length=256, pattern=r"^[\x20-\x7e]+$")] | None = None
    """The user agent that Reddit demands of each app: `platform:app id:version (by /u/name)`."""

"""The models of platformSpecificData and of credentials for Threads."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from platforms.client_model import ClientModel
from platforms.meta.credentials import MetaCredentials
from platforms.steps.thread import ThreadItems
from platforms.texts.patterns import Digits, TextPattern, WebAddress

PollOption = Annotated[str, StringConstraints(min_length=1, max_length=25)]
"""The 25 characters are unverified."""


class Poll(ClientModel):
    """A poll."""

    options: list[PollOption] = Field(
        min_length=2, max_length=4, description="2 to 4 answers of 1 to 25 characters.", examples=[["Yes", "No"]]
    )


class ThreadsSettings(ClientModel):
    """Settings of a post on Threads."""

    topic_tag: (
        Annotated[str, StringConstraints(max_length=50), TextPattern(r"^[^.&]+$", "must hold neither . nor &")] | None
    ) = Field(
        None, min_length=1, description="The topic, 1 to 50 characters without . and &.", examples=["photography"]
    )
    reply_control: (
        Literal["everyone", "accounts_you_follow", "mentioned_only", "parent_post_author_only", "followers_only"] | None
    ) = Field(None, description="Who may reply; everyone if left out.", examples=["mentioned_only"])
    quote_post_id: Digits | None = Field(
        None, description="Quote the post with this id.", examples=["18000000000000001"]
    )
    reply_to_id: Digits | None = Field(
        None,
        description="Answer the post with this id. Others' posts only if Threads has granted the service's app more "
        "than publishing.",
        examples=["18000000000000001"],
    )
    link_attachment: WebAddress | None = Field(
        None, description="A link shown as a card; only if there are no media.", examples=["https://example.com"]
    )
    poll: Poll | None = Field(None, description="A poll; only if there are no media.")
    thread_items: ThreadItems = Field(
        default_factory=list,
        description="Posts that follow as replies, each to the one before.",
        examples=[[{"content": "And this is why:"}]],
    )


class ThreadsCredentials(MetaCredentials):
    """A long-lived Threads user token (60 days) and, if known, its account's id."""

    user_id: str | None = Field(None, description="The account's id.", examples=["17841400000000000"])

"""What platformSpecificData and an account's credentials hold for Bluesky."""

from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, StringConstraints

from platforms.base import WireModel
from platforms.forms import Language
from platforms.servers import ServerAddress
from platforms.thread import ThreadItems

HOSTED = "https://bsky.social"
"""Where the accounts live that Bluesky itself hosts."""

Identifier = Annotated[
    str, StringConstraints(strip_whitespace=True), AfterValidator(lambda name: name.removeprefix("@"))
]
"""As a server takes it: people write their handle with @, as everybody else sees it."""


class BlueskySettings(WireModel):
    """Say how a post appears on Bluesky."""

    langs: list[Language] = Field(
        default_factory=list, max_length=3, description="Up to 3 languages the text is in.", examples=[["en"]]
    )
    labels: list[Literal["sexual", "nudity", "porn", "graphic-media"]] = Field(
        default_factory=list,
        max_length=4,
        description="What readers are warned of before they see the media.",
        examples=[["graphic-media"]],
    )
    thread_items: ThreadItems = Field(
        default_factory=list,
        description="Posts that follow as replies, each to the one before.",
        examples=[[{"content": "And this is why:"}]],
    )


class BlueskyCredentials(WireModel):
    """Hold an account's app password and the session that was opened with it.

    Given as `{"service": "https://…", "identifier": "…", "password": "…"}`; `accessToken` and `userId` are other names
    for password and identifier. A session is kept and renewed, because a server lets an account open only 30 in 5
    minutes and 300 a day.
    """

    service: ServerAddress = Field(HOSTED, description="The server that holds the account.", examples=[HOSTED])
    user_id: Identifier = Field(
        validation_alias=AliasChoices("identifier", "userId"),
        min_length=1,
        description="The account's handle or DID.",
        examples=["alice.bsky.social"],
    )
    access_token: SecretStr = Field(
        validation_alias=AliasChoices("password", "accessToken"),
        min_length=1,
        description="An app password.",
        examples=["xxxx-xxxx-xxxx-xxxx"],
    )
    access_jwt: SecretStr | None = Field(None, description="Kept by us: what the requests of a session carry.")
    refresh_jwt: SecretStr | None = Field(None, description="Kept by us: what renews a session, once.")
    did: str | None = Field(None, description="Kept by us: the account's permanent name.")
    pds: str | None = Field(None, description="Kept by us: the host that really holds the account.")

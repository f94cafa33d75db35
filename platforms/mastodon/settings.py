"""The models of platformSpecificData and of credentials for Mastodon."""

from typing import Annotated, Literal

from pydantic import Field, SecretStr, StringConstraints

from platforms.client_model import ClientModel
from platforms.servers.address import ServerAddress
from platforms.texts.patterns import Language, TextPattern

FLAGSHIP = "https://mastodon.social"

StatusId = Annotated[str, TextPattern(r"^[A-Za-z0-9_-]{1,64}$", "must be a post's id on the account's own server")]
"""Each server has its own form of ids; Mastodon's are digits."""
PollOption = Annotated[str, StringConstraints(min_length=1)]


class Poll(ClientModel):
    """A poll. Each server decides how much of it it accepts."""

    options: list[PollOption] = Field(
        min_length=2,
        max_length=20,
        description="The answers; most servers take up to 4 of up to 50 characters.",
        examples=[["Yes", "No"]],
    )
    expires_in: int = Field(
        86_400, ge=1, description="How long the poll stays open, in seconds; a day if left out.", examples=[86_400]
    )
    multiple: bool = Field(default=False, description="Readers may choose several answers.", examples=[False])
    hide_totals: bool = Field(default=False, description="Hide the votes until the poll ends.", examples=[False])


class MastodonSettings(ClientModel):
    """Settings of a post on Mastodon."""

    visibility: Literal["public", "unlisted", "private", "direct"] | None = Field(
        None, description="Who may see the post; the account's own default if left out.", examples=["unlisted"]
    )
    spoiler_text: str | None = Field(
        None,
        min_length=1,
        description="A warning that is shown in place of the post until a reader opens it; counts as text.",
        examples=["Spoilers for the last episode"],
    )
    sensitive: bool | None = Field(None, description="Hide the media until a reader opens them.", examples=[True])
    language: Language | None = Field(
        None, description="The language of the text (ISO 639-1); the account's own if left out.", examples=["en"]
    )
    poll: Poll | None = Field(None, description="A poll; not together with media.")
    in_reply_to_id: StatusId | None = Field(
        None, description="Answer the post with this id on the account's server.", examples=["103254962155278888"]
    )
    quoted_status_id: StatusId | None = Field(
        None,
        description="Quote the post with this id on the account's server, if that server supports quotes.",
        examples=["103254962155278888"],
    )
    quote_approval_policy: Literal["public", "followers", "nobody"] | None = Field(
        None, description="Who may quote the post, on servers that know quotes.", examples=["followers"]
    )


class MastodonCredentials(ClientModel):
    """A user's token, which does not expire, and the server it is for: `{"instance", "accessToken"}`."""

    instance: ServerAddress = Field(FLAGSHIP, description="The server that holds the account.", examples=[FLAGSHIP])
    access_token: SecretStr = Field(
        min_length=1, description="A token that may write statuses and media and read both."
    )
    client_id: str | None = Field(None, description="Kept by us: the app that this connection has registered.")
    client_secret: SecretStr | None = Field(None, description="Kept by us: the secret of that app.")

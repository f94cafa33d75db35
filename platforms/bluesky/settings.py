"""The models of platformSpecificData and of credentials for Bluesky."""

from typing import Annotated, Literal

from pydantic import AfterValidator, AliasChoices, Field, SecretStr, StringConstraints

from platforms.client_model import ClientModel
from platforms.servers.address import ServerAddress
from platforms.steps.thread import ThreadItems
from platforms.texts.patterns import Language, TextPattern, WebAddress

HOSTED = "https://bsky.social"
"""The server of the accounts that Bluesky itself hosts."""

CARD_TITLE, CARD_DESCRIPTION = 300, 1000
"""Our choice: the lexicon names no limit, and Bluesky's app shows a few lines."""

Identifier = Annotated[
    str, StringConstraints(strip_whitespace=True), AfterValidator(lambda name: name.removeprefix("@"))
]
"""The identifier as a server takes it. People write their handle with @, as apps show it."""


POST_NAME = r"^(?:at://|https://bsky\.app/profile/)([^/\s]+)/(?:app\.bsky\.feed\.post|post)/([A-Za-z0-9._:~-]+)/?$"
"""The author and the key of a post, as programs write it (at://) or as people see it."""
PostName = Annotated[
    str,
    StringConstraints(max_length=2048),
    TextPattern(POST_NAME, "must be a post's at:// URI or its address at bsky.app"),
]


class LinkCard(ClientModel):
    """A link shown as a card. Bluesky reads nothing from the page, so the settings must give the card's text."""

    url: WebAddress = Field(description="The page's address.", examples=["https://example.com/launch"])
    title: str = Field(min_length=1, max_length=CARD_TITLE, description="The title.", examples=["We have launched"])
    description: str = Field(
        "", max_length=CARD_DESCRIPTION, description="What the page is about.", examples=["All about it"]
    )
    thumbnail: WebAddress | None = Field(
        None, description="The card's picture.", examples=["https://cdn.example.com/card.jpg"]
    )


class BlueskySettings(ClientModel):
    """Settings of a post on Bluesky."""

    langs: list[Language] = Field(
        default_factory=list, max_length=3, description="Up to 3 languages the text is in.", examples=[["en"]]
    )
    labels: list[Literal["sexual", "nudity", "porn", "graphic-media"]] = Field(
        default_factory=list,
        max_length=4,
        description="What readers are warned of before they see the media.",
        examples=[["graphic-media"]],
    )
    link_card: LinkCard | None = Field(None, description="A card for a link; not together with media.")
    quote_post_id: PostName | None = Field(
        None, description="Show this post below.", examples=["at://did:plc:abc/app.bsky.feed.post/3kabcdefghi2k"]
    )
    reply_to_post_id: PostName | None = Field(
        None, description="Answer this post.", examples=["https://bsky.app/profile/ada.example/post/3kabcdefghi2k"]
    )
    thread_items: ThreadItems = Field(
        default_factory=list,
        description="Posts that follow as replies, each to the one before.",
        examples=[[{"content": "And this is why:"}]],
    )

    @property
    def card_thumbnail(self) -> str | None:
        """Return the address of the card's picture."""
        return self.link_card.thumbnail if self.link_card else None


class BlueskyCredentials(ClientModel):
    """An account's app password and the session that was opened with it, or the tokens of an authorization.

    Given as `{"service": "https://…", "identifier": "…", "password": "…"}`; `accessToken` and `userId` are other names
    for password and identifier. A session is stored and renewed, because a server lets an account open only 30 in 5
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
    client_id: str | None = Field(None, description="Kept by us: the app that its owner has authorized.")
    client_secret: SecretStr | None = Field(
        None, description="Kept by us: the secret of that app, filled in for a request."
    )
    refresh_token: SecretStr | None = Field(None, description="Kept by us: what renews an authorization, once.")
    dpop_key: SecretStr | None = Field(None, description="Kept by us: the key that an authorization is bound to.")
    issuer: str | None = Field(None, description="Kept by us: the server that gave the authorization.")
    access_jwt: SecretStr | None = Field(None, description="Kept by us: what the requests of a session carry.")
    refresh_jwt: SecretStr | None = Field(None, description="Kept by us: what renews a session, once.")
    did: str | None = Field(None, description="Kept by us: the account's permanent name.")
    pds: str | None = Field(None, description="Kept by us: the host that really holds the account.")

    @property
    def is_authorized(self) -> bool:
        """Return whether the account's owner has authorized an app, so that there is no app password."""
        return self.dpop_key is not None

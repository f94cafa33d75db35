"""The models of platformSpecificData and of credentials for LinkedIn."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from platforms.access.oauth import OAuthCredentials
from platforms.client_model import ClientModel
from platforms.texts.patterns import TextPattern, WebAddress

OrganizationUrn = Annotated[str, TextPattern(r"^urn:li:organization:\d+$", "must be like urn:li:organization:123")]

PAGE = "organization-"
"""The beginning of a company page's user id here: LinkedIn's ids of pages are numbers, and those of members may be."""


def own_page(user_id: str) -> str:
    """Return the URN of the page that an account is; empty for a member."""
    return f"urn:li:organization:{user_id.removeprefix(PAGE)}" if user_id.startswith(PAGE) else ""


TITLE, DESCRIPTION, COMMENT = 400, 4086, 1250
"""Characters of an article's title and description and of a comment; general knowledge, unverified."""

QUESTION = 140
PollOption = Annotated[str, StringConstraints(min_length=1, max_length=30)]
"""The limits of a poll in LinkedIn's own form; general knowledge, unverified, like the poll's names and durations."""


class Article(ClientModel):
    """A link shown as a card. LinkedIn reads nothing from the page, so the settings must give the card's text."""

    source: WebAddress = Field(description="The page's address.", examples=["https://example.com/launch"])
    title: str = Field(min_length=1, max_length=TITLE, description="The card's title.", examples=["We have launched"])
    description: str | None = Field(
        None, min_length=1, max_length=DESCRIPTION, description="A line below the title.", examples=["All about it"]
    )
    thumbnail: WebAddress | None = Field(
        None, description="The card's picture.", examples=["https://cdn.example.com/card.jpg"]
    )


class Poll(ClientModel):
    """A poll."""

    question: str = Field(min_length=1, max_length=QUESTION, description="The question.", examples=["Tea or coffee?"])
    options: list[PollOption] = Field(
        min_length=2, max_length=4, description="2 to 4 answers of up to 30 characters.", examples=[["Tea", "Coffee"]]
    )
    duration: Literal["ONE_DAY", "THREE_DAYS", "SEVEN_DAYS", "FOURTEEN_DAYS"] = Field(
        "THREE_DAYS", description="How long it stays open.", examples=["SEVEN_DAYS"]
    )


class LinkedInSettings(ClientModel):
    """Settings of a post on LinkedIn."""

    organization_urn: OrganizationUrn | None = Field(
        None,
        description="Publish as this company page, which the member administers, if it is allowed for the account.",
        examples=["urn:li:organization:5515715"],
    )
    document_title: str | None = Field(
        None,
        min_length=1,
        max_length=TITLE,
        description="The title of a document; its file name if left out.",
        examples=["Annual report"],
    )
    article: Article | None = Field(
        None,
        description="A link shown as a card; not together with media.",
        examples=[{"source": "https://example.com/launch", "title": "We have launched"}],
    )
    poll: Poll | None = Field(
        None,
        description="A poll; not together with media or an article.",
        examples=[{"question": "Tea or coffee?", "options": ["Tea", "Coffee"]}],
    )
    disable_link_preview: bool = Field(
        default=False,
        description="Publish without the `article`. Links in a text never become cards by themselves.",
        examples=[True],
    )
    first_comment: str | None = Field(
        None,
        min_length=1,
        max_length=COMMENT,
        description="A comment added right after publishing.",
        examples=["Read more: https://example.com"],
    )
    visibility: Literal["PUBLIC", "CONNECTIONS", "LOGGED_IN"] = Field(
        "PUBLIC", description="Who sees the post; pages publish for everyone.", examples=["CONNECTIONS"]
    )


class LinkedInCredentials(OAuthCredentials):
    """A member's token (60 days). `organization_urn` makes the account a company page that the member manages."""

    organization_urn: OrganizationUrn | None = None
    api_version: Annotated[str, TextPattern(r"^\d{6}$", "must be a version such as 202601")] | None = None
    """The API version (YYYYMM) to use instead of our default; each is withdrawn about a year after its release."""

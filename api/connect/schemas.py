"""The bodies and answers of connecting an account."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from api.posts.answers.views import Moment, PlatformName, View
from api.posts.bodies.schemas import Name, RequestModel
from domain.codes import ProblemCode

LONGEST_CODE = 4096

Secret = Annotated[str, Field(min_length=1, max_length=LONGEST_CODE)]


class ConnectBody(RequestModel):
    """The platform's response to an authorization, or credentials if the platform has no authorization."""

    model_config = ConfigDict(title="ConnectAccount")

    code: Secret | None = Field(
        None,
        description="The code with which the platform sent the person back; it is used immediately.",
        examples=["SplxlOBe"],
    )
    redirect_url: Secret | None = Field(
        None,
        alias="redirect_url",
        description="The address with which the connection was begun, character for character.",
        examples=["https://app.example.com/connected"],
    )
    state: Secret | None = Field(
        None,
        description=(
            "The state with which the platform sent the person back. If it is left out, the workspace's one open "
            "connection for this `redirect_url` is used. Send it: it is what protects against a planted code."
        ),
        examples=["mF_9B5f4"],
    )
    iss: Secret | None = Field(
        None,
        description="The `iss` with which the platform sent the person back, if there was one; Bluesky demands it.",
        examples=["https://bsky.social"],
    )
    credentials: dict[str, Any] | None = Field(
        None,
        description="Instead of a code: what the answer of `GET` lists in `fields`. They are never shown again.",
        examples=[{"identifier": "alice.bsky.social", "password": "an app password"}],
    )
    account_id: Name | None = Field(
        None,
        description="With credentials: the account that is to be reconnected. Any other is refused.",
        examples=["bs_did:plc:abc"],
    )


class SelectBody(RequestModel):
    """The options that a person has chosen."""

    model_config = ConfigDict(title="SelectAccounts")

    selection_id: Name = Field(description="The `id` of the selection.", examples=["sel_019bc10f"])
    ids: list[Name] = Field(
        min_length=1, max_length=20, description="The ids of the options to connect.", examples=[["123"]]
    )


class CredentialFieldView(View):
    """One of the fields of a platform's credentials."""

    model_config = ConfigDict(title="CredentialField")

    name: str = Field(description="Its name in `credentials`.", examples=["botToken"])
    secret: bool = Field(description="Whether it must not be shown.", examples=[True])
    required: bool = Field(description="Whether it may not be left out.", examples=[True])
    description: str | None = Field(description="What it is.", examples=["The account's handle or DID."])


class ConnectionView(View):
    """The way to connect an account of a platform."""

    model_config = ConfigDict(title="Connection")

    method: Literal["oauth", "code", "credentials"] = Field(
        description=(
            "`oauth`: send the person to `authUrl`. `code`: the person adds the bot at `authUrl` and posts `state` "
            "there; send `state` alone until it is found. `credentials`: ask for `fields`."
        ),
        examples=["oauth"],
    )
    auth_url: str | None = Field(
        description="Where the person consents; null without an authorization.",
        examples=["https://x.com/i/oauth2/authorize?client_id=abc&state=mF_9B5f4"],
    )
    state: str | None = Field(
        description="Send it back with the code. It works once. Null with `hosted`: this service sends it.",
        examples=["mF_9B5f4"],
    )
    connection_id: str | None = Field(
        description="`GET /v1/connect/{platform}/{connectionId}` returns its state.",
        examples=["sel_019bc10f"],
    )
    expires_at: Moment | None = Field(description="Until when the state works: 10 minutes.")
    fields: list[CredentialFieldView] = Field(description="What `credentials` may hold.")


class OptionView(View):
    """A page, channel, location or profile that can be connected."""

    model_config = ConfigDict(title="AccountOption")

    id: str = Field(description="To be sent in `ids`.", examples=["123"])
    name: str = Field(description="Its name.", examples=["Bakery"])
    username: str | None = Field(description="Its name as an account, if it has one.", examples=["bakery"])
    type: str = Field(description="What it is: profile, page, organization, location …", examples=["location"])
    connected: bool = Field(description="Whether it is an account of this workspace.", examples=[False])
    selectable: bool = Field(description="Whether it can be chosen.", examples=[True])
    reason: str | None = Field(description="Why it cannot be chosen.", examples=["You may not publish to this Page."])


class SelectionView(View):
    """The accounts of one authorization, if there are several."""

    model_config = ConfigDict(title="AccountSelection")

    id: str = Field(description="To be sent as `selectionId`.", examples=["sel_019bc10f"])
    expires_at: Moment = Field(description="Until when it can be chosen from: 30 minutes.")
    options: list[OptionView] = Field(description="What the consent covers; `selectable` says what can be connected.")


class ConnectedView(View):
    """A connected account, or the selection that has to be made first."""

    model_config = ConfigDict(title="ConnectedAccount")
    optional_fields = frozenset({"selection"})

    platform: PlatformName = Field(description="The platform.")
    account_id: str | None = Field(description="The account; null if `selection` has to be made.", examples=["tw_456"])
    username: str | None = Field(description="Its name at the platform.", examples=["jane"])
    connected_at: Moment | None = Field(description="When it was connected, or connected again.")
    permissions: list[str] = Field(description="What the platform has granted.", examples=[["tweet.write"]])
    missing_permissions: list[str] = Field(
        description="What was declined and is not needed to publish.", examples=[["offline.access"]]
    )
    expires_at: Moment | None = Field(
        description="When the connection ends if it is not renewed; null if it is renewed, or has no known end."
    )
    selection: SelectionView | None = Field(None, description="Which accounts there are, if there are several.")


class RefusalView(View):
    """Why a connection did not come about."""

    model_config = ConfigDict(title="ConnectionRefusal")

    error: str = Field(description="What happened and what to do, for a person.", examples=["Start again."])
    code: ProblemCode = Field(description="The same for a program.", examples=["authorization_declined"])


class ProgressView(View):
    """The state of a connection that was begun."""

    model_config = ConfigDict(title="ConnectionProgress")

    platform: PlatformName = Field(description="The platform.")
    connection_id: str = Field(description="The connection.", examples=["sel_019bc10f"])
    status: Literal["pending", "selection", "connected", "failed"] = Field(
        description="`pending`: the person has not returned, or a worker is busy. `selection`: the person has "
        "to choose. `connected`: see `accounts`. `failed`: nothing was connected; see `refusal`.",
        examples=["connected"],
    )
    expires_at: Moment = Field(description="Until when a person may consent, or choose.")
    accounts: list[ConnectedView] = Field(description="What was connected.")
    selection: SelectionView | None = Field(description="The accounts to choose from, until some were chosen.")
    refusal: RefusalView | None = Field(description="Why it failed, or why it does not continue for now.")


class SelectedView(View):
    """The accounts that were chosen; the first stands outside of the list, too."""

    model_config = ConfigDict(title="SelectedAccounts")

    platform: PlatformName = Field(description="The platform.")
    account_id: str = Field(description="The first account.", examples=["gb_123"])
    username: str = Field(description="Its name at the platform.", examples=["Bakery"])
    accounts: list[ConnectedView] = Field(description="All that were connected.")

"""The bodies and answers of connecting an account."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired, get_origin

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr
from pydantic.fields import FieldInfo
from typing_extensions import TypedDict

from api.connect.steps import connected_accounts, connection_error, error_code, is_final, selection_options
from api.posts.bodies.schemas import Name, RequestModel, body_config
from api.views import Moment, PlatformName, described, example, view
from domain.codes import ProblemCode
from domain.schedule import rfc3339
from domain.workspaces import LARGEST_LOGO, LARGEST_SIDE
from domain.workspaces import LONGEST_NAME as LONGEST_PAGE_NAME
from platforms.base import AnyPlatform
from store.models import ConnectedAccount, PendingConnection

LONGEST_CODE = 4096
LONGEST_LOGO = LARGEST_LOGO * 4 // 3 + 4
"""Characters of base64."""
LOGO = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNg+M9QDwADgQF/iwpQAgAAAABJRU5ErkJggg=="
"""The smallest picture, as an example."""

Secret = Annotated[str, Field(min_length=1, max_length=LONGEST_CODE)]


class ConnectPageBody(RequestModel):
    """The look of a workspace to people who connect accounts."""

    model_config = ConfigDict(title="SetConnectPage")

    name: Annotated[Name, Field(max_length=LONGEST_PAGE_NAME)] | None = Field(None, examples=["Acme Bakery"])
    """The name that the page shows; by default the workspace's."""
    logo: Annotated[str, Field(min_length=1, max_length=LONGEST_LOGO)] | None = Field(
        None,
        description=f"A PNG of at most {LARGEST_LOGO // 1024} KiB and {LARGEST_SIDE} pixels on each side, in base64.",
        examples=[LOGO],
    )


class ConnectBody(RequestModel):
    """The platform's response to an authorization, or credentials if the platform has no authorization."""

    model_config = body_config(
        "ConnectAccount",
        {"code": "SplxlOBe", "state": "mF_9B5f4", "redirect_url": "https://app.example.com/connected"},
        {"credentials": {"botToken": "123456:an-example", "chatId": "@channel"}},
    )

    code: Secret | None = Field(None, examples=["SplxlOBe"])
    """The code with which the platform sent the person back; it is used immediately."""
    redirect_url: Secret | None = Field(None, alias="redirect_url", examples=["https://app.example.com/connected"])
    """The address with which the connection was begun, character for character."""
    state: Secret | None = Field(None, examples=["mF_9B5f4"])
    """The state with which the platform sent the person back. If it is left out, the workspace's one open connection
    for this `redirect_url` is used. Send it: it is what protects against a planted code."""
    iss: Secret | None = Field(None, examples=["https://bsky.social"])
    """The `iss` with which the platform sent the person back, if there was one; Bluesky demands it."""
    credentials: dict[str, Any] | None = Field(
        None, examples=[{"identifier": "alice.bsky.social", "password": "an app password"}]
    )
    """Instead of a code: what the answer of `GET` lists in `fields`. They are never shown again."""
    account_id: Name | None = Field(None, examples=["bs_did:plc:abc"])
    """With credentials: the account that is to be reconnected. Any other is refused."""


class SelectBody(RequestModel):
    """The options that a person has chosen."""

    model_config = ConfigDict(title="SelectAccounts")

    selection_id: Name = Field(description="The `id` of the selection.", examples=["sel_019bc10f"])
    ids: list[Name] = Field(min_length=1, max_length=20, examples=[["123"]])
    """The ids of the options to connect."""


@view("CredentialField")
class CredentialFieldView(TypedDict):
    """One of the fields of a platform's credentials."""

    name: Annotated[str, described("Its name in `credentials`.", "botToken")]
    secret: Annotated[bool, described("Whether it must not be shown.", True)]
    required: Annotated[bool, described("Whether it may not be left out.", True)]
    description: Annotated[str | None, described("What it is.", "The account's handle or DID.")]


@view("Connection")
class ConnectionView(TypedDict):
    """The way to connect an account of a platform."""

    method: Annotated[Literal["oauth", "code", "credentials"], example("oauth")]
    """`oauth`: send the person to `authUrl`. `code`: the person adds the bot at `authUrl` and posts `state` there; send
    `state` alone until it is found. `credentials`: ask for `fields`."""
    authUrl: Annotated[str | None, example("https://x.com/i/oauth2/authorize?client_id=abc&state=mF_9B5f4")]
    """Where the person consents; null without an authorization."""
    state: Annotated[str | None, example("mF_9B5f4")]
    """Send it back with the code. It works once. Null with `hosted`: this service sends it."""
    connectionId: Annotated[str | None, example("sel_019bc10f")]
    """`GET /v1/connect/{platform}/{connectionId}` returns its state."""
    expiresAt: Annotated[Moment | None, described("Until when the state works: 10 minutes.")]
    fields: Annotated[list[CredentialFieldView], described("What `credentials` may hold.")]


@view("AccountOption")
class OptionView(TypedDict):
    """A page, channel, location or profile that can be connected."""

    id: Annotated[str, described("To be sent in `ids`.", "123")]
    name: Annotated[str, described("Its name.", "Bakery")]
    username: Annotated[str | None, described("Its name as an account, if it has one.", "bakery")]
    type: Annotated[str, described("What it is: profile, page, organization, location …", "location")]
    connected: Annotated[bool, described("Whether it is an account of this workspace.", False)]
    selectable: Annotated[bool, described("Whether it can be chosen.", True)]
    reason: Annotated[str | None, described("Why it cannot be chosen.", "You may not publish to this Page.")]


@view("AccountSelection")
class SelectionView(TypedDict):
    """The accounts of one authorization, if there are several."""

    id: Annotated[str, described("To be sent as `selectionId`.", "sel_019bc10f")]
    expiresAt: Annotated[Moment, described("Until when it can be chosen from: 30 minutes.")]
    options: Annotated[list[OptionView], described("What the consent covers; `selectable` says what can be connected.")]


@view("ConnectedAccount")
class ConnectedView(TypedDict):
    """A connected account, or the selection that has to be made first."""

    platform: Annotated[PlatformName, described("The platform.")]
    accountId: Annotated[str | None, described("The account; null if `selection` has to be made.", "ig_123")]
    username: Annotated[str | None, described("Its name at the platform.", "jane")]
    connectedAt: Annotated[Moment | None, described("When it was connected, or connected again.")]
    permissions: Annotated[list[str], described("What the platform has granted.", ["tweet.write"])]
    missingPermissions: Annotated[list[str], example(["offline.access"])]
    """What was declined and is not needed to publish."""
    expiresAt: Moment | None
    """When the connection ends if it is not renewed; null if it is renewed, or has no known end."""
    selection: NotRequired[SelectionView | None]
    """Which accounts there are, if there are several."""


@view("ConnectionRefusal")
class RefusalView(TypedDict):
    """Why a connection did not come about."""

    error: Annotated[str, described("What happened and what to do, for a person.", "Start again.")]
    code: Annotated[ProblemCode, described("The same for a program.", "authorization_declined")]


@view("ConnectionProgress")
class ProgressView(TypedDict):
    """The state of a connection that was begun."""

    platform: Annotated[PlatformName, described("The platform.")]
    connectionId: Annotated[str, described("The connection.", "sel_019bc10f")]
    status: Annotated[Literal["pending", "selection", "connected", "failed"], example("connected")]
    """`pending`: the person has not returned, or a worker is busy. `selection`: the person has to choose. `connected`:
    see `accounts`. `failed`: nothing was connected; see `refusal`."""
    expiresAt: Annotated[Moment, described("Until when a person may consent, or choose.")]
    accounts: Annotated[list[ConnectedView], described("What was connected.")]
    selection: Annotated[SelectionView | None, described("The accounts to choose from, until some were chosen.")]
    refusal: Annotated[RefusalView | None, described("Why it failed, or why it does not continue for now.")]


@view("SelectedAccounts")
class SelectedView(TypedDict):
    """The accounts that were chosen; the first stands outside of the list, too."""

    platform: Annotated[PlatformName, described("The platform.")]
    accountId: Annotated[str, described("The first account.", "gb_123")]
    username: Annotated[str, described("Its name at the platform.", "Bakery")]
    accounts: Annotated[list[ConnectedView], described("All that were connected.")]


@view("ConnectPage")
class ConnectPageView(TypedDict):
    """The look of a workspace to people who connect accounts."""

    name: Annotated[str | None, described("The name that the page shows; null: the workspace's.", "Acme Bakery")]
    logo: Annotated[str | None, described("A PNG in base64; null: none.", LOGO)]


EXPIRED = {"code": "connection_expired", "message": "It was not finished in time. Start again."}
"""The error of a connection that was not finished in time."""


def connected_view(platform: str, account: Mapping[str, Any]) -> ConnectedView:
    """Return a connected account as clients read it."""
    expires_at = account["expires_at"]
    return ConnectedView(
        platform=platform,
        accountId=account["account_id"],
        username=account["username"],
        connectedAt=rfc3339(datetime.fromisoformat(account["connected_at"])),
        permissions=account["permissions"],
        missingPermissions=account["missing"],
        expiresAt=rfc3339(datetime.fromisoformat(expires_at)) if expires_at else None,
    )


def selection_view(row: PendingConnection, known: Mapping[str, ConnectedAccount]) -> ConnectedView:
    """Return a selection that has to be made."""
    return ConnectedView(
        platform=row.platform,
        accountId=None,
        username=None,
        connectedAt=None,
        permissions=[],
        missingPermissions=[],
        expiresAt=None,
        selection=_options_view(row, known),
    )


def _options_view(row: PendingConnection, known: Mapping[str, ConnectedAccount]) -> SelectionView:
    options = [
        OptionView(
            id=option["id"],
            name=option["name"],
            username=option["username"],
            type=option["type"],
            connected=option["account_id"] in known,
            selectable=option["reason"] is None,
            reason=option["reason"],
        )
        for option in selection_options(row) or ()
    ]
    return SelectionView(id=row.id, expiresAt=rfc3339(row.expires_at), options=options)


def progress_view(row: PendingConnection, known: Mapping[str, ConnectedAccount], now: datetime) -> ProgressView:
    """Return the state of a connection; `known` are the accounts of its options that the workspace has."""
    accounts, error = connected_accounts(row), connection_error(row)
    chooses = selection_options(row) is not None and not accounts and not (row.selection_result or {}).get("error")
    status: Literal["pending", "selection", "connected", "failed"] = "selection" if chooses else "pending"
    if accounts:
        status = "connected"
    elif error and is_final(row.selection_result or row.outcome):
        status = "failed"
    elif row.expires_at <= now:
        status, chooses, error = "failed", False, EXPIRED
    return ProgressView(
        platform=row.platform,
        connectionId=row.id,
        status=status,
        expiresAt=rfc3339(row.expires_at),
        accounts=[connected_view(row.platform, account) for account in accounts],
        selection=_options_view(row, known) if chooses else None,
        refusal=RefusalView(error=error["message"], code=error_code(error)) if error and not accounts else None,
    )


def credential_fields(platform: AnyPlatform) -> list[CredentialFieldView]:
    """Return the fields of a platform's credentials by the names that clients write."""
    model: type[BaseModel] = platform.credentials
    return [
        CredentialFieldView(
            name=_name(name, field),
            secret=_is_secret(field),
            required=field.is_required(),
            description=field.description,
        )
        for name, field in model.model_fields.items()
        if name not in platform.service_fields
    ]


def _name(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else str(alias or field.alias or name)


def _is_secret(field: FieldInfo) -> bool:
    kind = field.annotation
    return kind is SecretStr or (get_origin(kind) is not None and SecretStr in kind.__args__)  # type: ignore[union-attr]

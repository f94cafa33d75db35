"""The operations that connect accounts, as the API routes them and its document describes them."""

from api.connect.schemas import (
    ConnectBody,
    ConnectedView,
    ConnectionView,
    ConnectPageBody,
    ConnectPageView,
    ProgressView,
    SelectBody,
    SelectedView,
)
from api.http.operation import WITH_BODY, Json, Operation
from api.http.parameters import query
from domain.selection import SelectionBy
from platforms.access.connector import connectors
from platforms.registry import platforms

_REFUSED = (
    "connectionExpired",
    "authorizationPending",
    "codeRejected",
    "permissionMissing",
    "noAccounts",
    "differentAccount",
    "credentialsRejected",
    "notConfigured",
    "appRefused",
)


_MEANINGS = {
    "as": "which kind of account to connect",
    "identifier": "the handle or DID of the account whose owner is to authorize; without it ask for an app password",
    "kind": "a webhook in one channel, or this service's bot",
    "instance": "the server that has the account; needed",
}
_EXAMPLES = {"identifier": "alice.bsky.social", "instance": "https://mastodon.social"}


def _options() -> list[Json]:
    """Return the parameters that only some platforms know."""
    known: dict[str, tuple[list[str], list[str]]] = {}
    for platform, connector in connectors().items():
        for name, values in connector.options.items():
            labels, choices = known.setdefault(name, ([], []))
            labels.append(platforms()[platform].label)
            choices += [value for value in values if value not in choices]
    return [
        query(
            name,
            f"Of {' and '.join(labels)} only: {_MEANINGS[name]}.",
            {"type": "string", **({"enum": choices} if choices else {"minLength": 1})},
            choices[0] if choices else _EXAMPLES[name],
        )
        for name, (labels, choices) in known.items()
    ]


_PAGE = (
    "The name and the picture of the workspace on the page that `hosted=true` shows to people, before they go to the "
    "platform."
)
GET_PAGE = Operation(
    route="GET /v1/connect/page",
    description=_PAGE,
    answer=ConnectPageView,
    errors=("unknownQuery",),
)
SET_PAGE = Operation(
    route="PUT /v1/connect/page",
    description=f"{_PAGE} What is left out is removed. The picture is a part of the page: no other host is asked.",
    answer=ConnectPageView,
    errors=(*WITH_BODY, "wrongLogo"),
    body=ConnectPageBody,
)
BEGIN_CONNECTION = Operation(
    route="GET /v1/connect/{platform}",
    description=(
        "Send the person to `authUrl`; the platform sends them back to `redirect_url` with `code` and `state`, or "
        "with `error`. `redirect_url` must be registered at the platform for this service's app. A platform "
        "without an authorization answers with the `fields` of its credentials. At most 60 an hour. With "
        "`hosted=true` this service receives the platform's answer, and `authUrl` is a page of this service; at "
        "the end the person is sent to `redirect_url` with `connectionId`, `platform` and either `accountId`, once "
        "for each account, or `error` and `message`."
    ),
    answer=ConnectionView,
    errors=("wrongPlatform", "wrongRedirect", "unknownQuery", "reconnectNotFound", "notConfigured"),
    parameters=(
        query(
            "redirect_url",
            (
                "The address to which the platform sends the person back: https, or http on localhost. Needed by "
                "platforms with an authorization. With `hosted`: the address to which this service sends the "
                "person at the end; if it is left out, a page shows the result."
            ),
            {"type": "string", "format": "uri", "maxLength": 512},
            "https://app.example.com/connected",
        ),
        query(
            "accountId",
            "The account to reconnect. If the answer is for another account, nothing is changed.",
            {"type": "string", "minLength": 1},
            "tw_456",
        ),
        query(
            "hosted",
            (
                "Whether this service receives the platform's answer. It needs a public address; the "
                "address to register at the platform is its public address with `/v1/connect/callback`."
            ),
            {"type": "string", "enum": ["true", "false"], "default": "false"},
            "true",
        ),
        query(
            "choose",
            (
                "With `hosted`, if there are several accounts: whether a `page` of this service asks which to "
                "connect, or the `caller` does, by `POST /v1/connect/{platform}/select`. The person is then sent "
                "back with `selectionId`."
            ),
            {"type": "string", "enum": [choice.value for choice in SelectionBy], "default": SelectionBy.PAGE.value},
            SelectionBy.CALLER.value,
        ),
        *_options(),
    ),
)
GET_CONNECTION = Operation(
    route="GET /v1/connect/{platform}/{connectionId}",
    description=(
        "For callers that wait while a person is at the platform, mainly with `hosted`. Ask every second or two."
    ),
    answer=ProgressView,
    errors=("wrongPlatform", "unknownQuery", "connectionNotFound"),
)
CONNECT_ACCOUNT = Operation(
    route="POST /v1/connect/{platform}",
    description=(
        "Uses the code immediately: platforms accept one for as little as 30 seconds. 201 is a new account; 200 is "
        "one that was known and is reconnected, or a `selection` if there are several pages, channels or "
        "locations. A repeat within 10 minutes gets the same answer, and continues if the platform did not answer."
    ),
    answer=ConnectedView,
    errors=("wrongPlatform", "missingCode", "wrongRedirect", *WITH_BODY, "reconnectNotFound", *_REFUSED),
    status=201,
    other_status=200,
    body=ConnectBody,
)
SELECT_ACCOUNTS = Operation(
    route="POST /v1/connect/{platform}/select",
    description=(
        "Connects the accounts that the person chose from a `selection`, once. A repeat gets the same answer."
    ),
    answer=SelectedView,
    errors=("wrongPlatform", "missingIds", "wrongIds", *WITH_BODY, "selectionExpired", *_REFUSED),
    status=201,
    body=SelectBody,
)

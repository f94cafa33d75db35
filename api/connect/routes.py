"""The endpoints under /v1/connect: begin to connect an account, take what the platform sent back, choose.

A worker does what needs secrets. Either the client takes what the platform sends back, or this service does (`hosted`,
see `api.connect.hosted`).
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

from litestar import Controller, Response

from api.auth import AUTHENTICATED, request_actor
from api.connect.begin import begin, connect, read_connect
from api.connect.hosted_pages import replace_page, show_page
from api.connect.schemas import (
    ConnectBody,
    ConnectedView,
    ConnectionView,
    ConnectPageBody,
    ConnectPageView,
    ProgressView,
    SelectBody,
    SelectedView,
    connected_view,
    progress_view,
    selection_view,
)
from api.connect.steps import connect_selected, connected_accounts, selection_options
from api.dependencies import Dependencies
from api.endpoint import Endpoint
from api.http.headers import HttpRequest
from api.http.operation import Json
from api.http.parameters import query
from api.http.query import known_platform
from api.http.request import read_request
from api.views import respond_privately
from domain.errors import NotFound, Problem
from domain.workspaces import SelectionBy
from platforms.access.connector import connectors
from platforms.registry import platforms
from store.accounts.connected import find_accounts
from store.models import ConnectedAccount, PendingConnection
from store.rows import current_row

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

_UNKNOWN = Problem("This workspace has no such connection; it is forgotten a day after it has ended", "not_found")


class ConnectEndpoints(Controller):
    """Connect accounts to the caller's workspace."""

    dependencies = AUTHENTICATED

    @Endpoint(route="GET /v1/connect/page", description=_PAGE)
    async def get_connect_page(self, workspace_id: str, deps: Dependencies) -> ConnectPageView:
        """Get the look of the page on which people connect accounts."""
        return await show_page(deps.database, workspace_id)

    @Endpoint(
        route="PUT /v1/connect/page",
        description=f"{_PAGE} What is left out is removed. The picture is a part of the page: no other host is asked.",
        errors=("wrongLogo",),
    )
    async def set_connect_page(self, body: ConnectPageBody, workspace_id: str, deps: Dependencies) -> ConnectPageView:
        """Set the look of the page on which people connect accounts."""
        return await replace_page(deps.database, workspace_id, body)

    @Endpoint(
        route="GET /v1/connect/{platform}",
        errors=("wrongPlatform", "wrongRedirect", "reconnectNotFound", "notConfigured"),
        reads_query=False,
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
    async def begin_connection(
        self, request: HttpRequest, platform: str, workspace_id: str, deps: Dependencies
    ) -> ConnectionView:
        """Begin to connect an account.

        Send the person to `authUrl`; the platform sends them back to `redirect_url` with `code` and `state`, or with
        `error`. `redirect_url` must be registered at the platform for this service's app. A platform without an
        authorization answers with the `fields` of its credentials. At most 60 an hour. With `hosted=true` this service
        receives the platform's answer, and `authUrl` is a page of this service; at the end the person is sent to
        `redirect_url` with `connectionId`, `platform` and either `accountId`, once for each account, or `error` and
        `message`.
        """
        await deps.restoring.require_finished()
        return await begin(deps, workspace_id, known_platform(platform), request)

    @Endpoint(route="GET /v1/connect/{platform}/{connectionId}", errors=("wrongPlatform", "connectionNotFound"))
    async def get_connection(
        self, platform: str, connection_id: str, workspace_id: str, deps: Dependencies
    ) -> ProgressView:
        """Get the state of a connection.

        For callers that wait while a person is at the platform, mainly with `hosted`. Ask every second or two.
        """
        async with deps.database.reading() as session:
            row = await current_row(session, PendingConnection, connection_id) if connection_id.isprintable() else None
        if row is None or (row.workspace_id, row.platform) != (workspace_id, known_platform(platform)):
            raise NotFound(_UNKNOWN)
        return progress_view(row, await _known_options(deps, row), datetime.now(UTC))

    @Endpoint(
        route="POST /v1/connect/{platform}",
        answer=ConnectedView,
        errors=("wrongPlatform", "missingCode", "wrongRedirect", "reconnectNotFound", *_REFUSED),
        status=201,
        other_status=200,
        body=ConnectBody,
    )
    async def connect_account(
        self, request: HttpRequest, platform: str, workspace_id: str, deps: Dependencies
    ) -> Response[bytes]:
        """Connect an account.

        Uses the code immediately: platforms accept one for as little as 30 seconds. 201 is a new account; 200 is one
        that was known and is reconnected, or a `selection` if there are several pages, channels or locations. A repeat
        within 10 minutes gets the same answer, and continues if the platform did not answer.
        """
        payload = await read_request(request, partial(read_connect, platform=platform))
        row = await connect(deps, workspace_id, known_platform(platform), payload, request_actor(request))
        if selection_options(row) is not None:
            return respond_privately(selection_view(row, await _known_options(deps, row)))
        account = connected_accounts(row)[0]
        return respond_privately(connected_view(row.platform, account), 201 if account["created"] else 200)

    @Endpoint(
        route="POST /v1/connect/{platform}/select",
        errors=("wrongPlatform", "missingIds", "wrongIds", "selectionExpired", *_REFUSED),
        status=201,
    )
    async def select_accounts(
        self, platform: str, body: SelectBody, workspace_id: str, deps: Dependencies
    ) -> SelectedView:
        """Choose which accounts to connect.

        Connects the accounts that the person chose from a `selection`, once. A repeat gets the same answer.
        """
        row = await connect_selected(deps, workspace_id, known_platform(platform), body.selection_id, body.ids)
        accounts = connected_accounts(row)
        return SelectedView(
            platform=row.platform,
            accountId=accounts[0]["account_id"],
            username=accounts[0]["username"],
            accounts=[connected_view(row.platform, account) for account in accounts],
        )


async def _known_options(deps: Dependencies, row: PendingConnection) -> Mapping[str, ConnectedAccount]:
    """Return the accounts of a connection's options that its workspace has."""
    ids = [option["account_id"] for option in selection_options(row) or ()]
    async with deps.database.reading() as session:
        return await find_accounts(session, row.workspace_id, ids)

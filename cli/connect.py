"""Connecting an account from a terminal, over the API of a development stack or of a deployed service."""

import base64
import sys
import time
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from cli.client.api import Api, ApiClient
from cli.client.refusals import RefusedError, UnavailableError
from cli.errors import UserError
from cli.terminal import say
from domain.workspaces import SelectionBy

_POLL_S = 1.0


def parse_options(pairs: Sequence[str]) -> dict[str, str]:
    """Return the options of a platform, given as NAME=VALUE. Raises UserError."""
    options = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name or not value:
            raise UserError(f"--set takes NAME=VALUE, such as instance=https://mastodon.social, not {pair!r}.")
        options[name] = value
    return options


def set_page(api: Api, name: str | None, logo: Path | None) -> None:
    """Set how a workspace looks to people who connect accounts. Raises UserError."""
    body = {"name": name} if name else {}
    if logo is not None:
        body["logo"] = base64.b64encode(logo.read_bytes()).decode()
    with ApiClient(api) as client:
        client.change("PUT", "/v1/connect/page", json=body)


def set_when_unreadable(api: Api, choice: str, account: str | None) -> None:
    """Set `whenUnreadable` of the workspace, or of an account by `platform/id`. Raises UserError."""
    platform, _, account_id = (account or "").partition("/")
    path = (
        f"/v1/accounts/{quote(platform, safe='')}/{quote(account_id, safe='')}" if account else "/v1/accounts/settings"
    )
    with ApiClient(api) as client:
        client.change("PATCH" if account else "PUT", path, json={"whenUnreadable": choice})


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """The accounts to connect. `chosen` names some of several; if it is empty, a person is asked."""

    platform: str
    options: Mapping[str, str]
    account_id: str | None = None
    chosen: Sequence[str] = ()
    opens_browser: bool = True


def connect(api: Api, request: ConnectRequest) -> list[dict[str, Any]]:
    """Connect accounts with a person's consent; return them in the API's form. Raises UserError."""
    with ApiClient(api) as client:
        connect_api = _ConnectApi(client, f"/v1/connect/{quote(request.platform, safe='')}")
        query = {"hosted": "true", "choose": SelectionBy.CALLER.value, **request.options}
        begun = connect_api.get(params=query | ({"accountId": request.account_id} if request.account_id else {}))
        if begun["method"] == "credentials":
            return [_by_credentials(connect_api, begun["fields"], request)]
        if begun["method"] == "code":
            return [_by_code(connect_api, begun)]
        say("Open this address in a browser, and consent there:", error=True)
        say(begun["authUrl"], error=True)
        if request.opens_browser:
            webbrowser.open(begun["authUrl"])
        connection = _wait_for_person(connect_api, begun)
        if connection["status"] == "selection":
            ids = _chosen(connection["selection"]["options"], request.chosen)
            body = {"selectionId": connection["selection"]["id"], "ids": ids}
            connection = connect_api.post(body, "/select")
        accounts: list[dict[str, Any]] = connection["accounts"]
        return accounts


@dataclass(frozen=True, slots=True)
class _ConnectApi:
    """The API's routes for one platform."""

    client: ApiClient
    path: str

    def get(self, below: str = "", params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return an answer."""
        return self.client.get(self.path + below, params)

    def post(self, body: Mapping[str, Any], below: str = "") -> dict[str, Any]:
        """Take a step. It is not repeated: a code and a selection are good for once."""
        return self.client.post_once(self.path + below, body)


def _tries(until: datetime) -> Iterator[None]:
    """Yield at intervals until a time; then raise UserError."""
    while datetime.now(UTC) < until:
        yield
        time.sleep(_POLL_S)
    raise UserError("The connection was not finished in time. Begin again.")


def _wait_for_person(connect_api: _ConnectApi, begun: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of a connection once the person has come back. Raises UserError."""
    for _ in _tries(datetime.fromisoformat(begun["expiresAt"])):
        try:
            connection = connect_api.get(f"/{begun['connectionId']}")
        except UnavailableError:
            continue
        if connection["status"] == "failed":
            raise UserError(connection["refusal"]["error"])
        if connection["status"] != "pending":
            return connection
    raise AssertionError


def _by_code(connect_api: _ConnectApi, begun: Mapping[str, Any]) -> dict[str, Any]:
    """Return the account of the chat in which a person has posted the code. Raises UserError."""
    say("Add the bot as an administrator of your channel or group:", error=True)
    say(begun["authUrl"], error=True)
    say("Then post this line there:", error=True)
    say(begun["state"], error=True)
    for _ in _tries(datetime.fromisoformat(begun["expiresAt"])):
        try:
            return connect_api.post({"state": begun["state"]})
        except UnavailableError:
            continue
        except RefusedError as refused:
            if refused.code != "authorization_pending":
                raise
    raise AssertionError


def _by_credentials(
    connect_api: _ConnectApi, fields: Sequence[Mapping[str, Any]], request: ConnectRequest
) -> dict[str, Any]:
    """Ask for the credentials of a platform without an authorization. Raises UserError."""
    if not sys.stdin.isatty():
        raise UserError(f"{request.platform} takes credentials: pass them on stdin to `socialsyncer accounts add`.")
    credentials = {}
    for credential_field in fields:
        if credential_field["description"]:
            say(credential_field["description"], error=True)
        value = click.prompt(
            credential_field["name"],
            default=None if credential_field["required"] else "",
            hide_input=credential_field["secret"],
            show_default=False,
            err=True,
        )
        if value:
            credentials[credential_field["name"]] = value
    body = {"credentials": credentials} | ({"accountId": request.account_id} if request.account_id else {})
    return connect_api.post(body)


def _chosen(options: Sequence[Mapping[str, Any]], choices: Sequence[str]) -> list[str]:
    """Return the ids of the options that were named, or that a person chooses in the terminal. Raises UserError."""
    usable = [option for option in options if option["selectable"]]
    for option in options:
        mark = f"{usable.index(option) + 1:>3}" if option["selectable"] else "  -"
        state = option["reason"] or ("already connected" if option["connected"] else option["type"])
        say(f"{mark}  {option['name']}  ({state})", error=True)
    if choices:
        ids = [option["id"] for option in usable if {option["id"], option["name"]} & set(choices)]
        if len(ids) < len(set(choices)):
            raise UserError("--choose names what is not among these accounts, or cannot be selected.")
        return ids
    if not sys.stdin.isatty():
        raise UserError("One consent gives several accounts. Begin again with --choose, once for each id or name.")
    while True:
        answer = click.prompt("Which? Numbers, separated by commas", err=True)
        numbers = [part.strip() for part in str(answer).split(",")]
        if all(number.isdecimal() and 1 <= int(number) <= len(usable) for number in numbers):
            return [usable[int(number) - 1]["id"] for number in numbers]
        say(f"Give numbers from 1 to {len(usable)}.", error=True)

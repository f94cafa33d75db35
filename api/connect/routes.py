"""Connect accounts over the API: begin, take what the platform sent back, choose. A worker does what needs secrets.

Either the client takes what the platform sends back, or this service does (`hosted`, see `api.connect.hosted`).
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath

from api.auth import actor_of, authenticate
from api.connect.redirects import redirect_problem
from api.connect.schemas import ConnectBody, ConnectionView, SelectBody, SelectedView
from api.connect.steps import EXPIRED, NOT_DONE, address_of, choose_of, finish, push, require_success, step, take
from api.connect.views import connected_view, credential_fields, progress_view, selection_view
from api.dependencies import Dependencies, Deps
from api.http.body import JsonObject
from api.http.body_validation import in_contract_order, read, read_sound
from api.http.query import known_platform, parse_query, read_query
from api.http.request import read_request
from api.posts.answers.views import View, write
from domain.audit import Actor
from domain.errors import InvalidRequest, NotFound, Problem, TooManyRequests, Unavailable, Unprocessable
from domain.ids import new_id
from domain.schedule import rfc3339
from platforms.access.connect import Connector, connectors
from platforms.registry import platforms
from store.accounts.connected import find_accounts
from store.accounts.connecting import (
    STATE_LIFETIME,
    add_connection,
    begun_since,
    digest,
    find_by_state,
    find_connection,
    find_open,
)
from store.apps.setups import platforms_with_app
from store.models import PendingConnection

MOST_AN_HOUR = 60
"""Connections that a workspace may begin in an hour; our choice."""
CALLBACK, START = "/v1/connect/callback", "/v1/connect/start"
"""Where platforms send people back if this service takes the answer, and where people begin then."""
_STATE_BYTES, _CODE_BYTES = 32, 16
_NO_STORE = {"Cache-Control": "no-store"}
_UNKNOWN = Problem("This workspace has no such connection; it is forgotten a day after it has ended", "not_found")
_NOT_PUBLIC = Problem(
    "This service has no public address, so it cannot take a platform's answer. Its operator must set "
    "SOCIALSYNCER_PUBLIC_URL.",
    "platform_not_configured",
    "hosted",
)
Workspace = NamedDependency[str]
HttpRequest = Request[Any, Any, Any]


class Connect(Controller):
    """Connect accounts to the caller's workspace."""

    path = "/v1/connect"
    dependencies = {"workspace_id": Provide(authenticate)}  # noqa: RUF012

    @get("/{platform:str}")
    async def begin(
        self, request: HttpRequest, platform: FromPath[str], workspace_id: Workspace, deps: Deps
    ) -> Response[bytes]:
        """Say how to connect an account, and begin it."""
        await deps.restoring.require_finished()
        return _respond(await begin(deps, workspace_id, known_platform(platform), request))

    @get("/{platform:str}/{connection_id:str}")
    async def progress(
        self,
        request: HttpRequest,
        platform: FromPath[str],
        connection_id: FromPath[str],
        workspace_id: Workspace,
        deps: Deps,
    ) -> Response[bytes]:
        """Say how a connection stands."""
        read_query(request)
        async with deps.database.reading() as session:
            row = await find_connection(session, connection_id) if connection_id.isprintable() else None
            if row is None or (row.workspace_id, row.platform) != (workspace_id, known_platform(platform)):
                raise NotFound(_UNKNOWN)
            options = [each["account_id"] for each in (row.outcome or {}).get("selection", [])]
            known = await find_accounts(session, workspace_id, options)
        return _respond(progress_view(row, known, datetime.now(UTC)))

    @post("/{platform:str}")
    async def connect(
        self, request: HttpRequest, platform: FromPath[str], workspace_id: Workspace, deps: Deps
    ) -> Response[bytes]:
        """Connect an account with what the platform sent back, or with credentials."""
        await deps.restoring.require_finished()
        payload = await read_request(request, _read_connect)
        row = await connect(deps, workspace_id, known_platform(platform), payload, actor_of(request))
        outcome = row.outcome or {}
        if "selection" in outcome:
            async with deps.database.reading() as session:
                known = await find_accounts(
                    session, workspace_id, [each["account_id"] for each in outcome["selection"]]
                )
            return _respond(selection_view(row, outcome, known))
        account = outcome["accounts"][0]
        return _respond(connected_view(row.platform, account), 201 if account["created"] else 200)

    @post("/{platform:str}/select")
    async def select(
        self, request: HttpRequest, platform: FromPath[str], workspace_id: Workspace, deps: Deps
    ) -> Response[bytes]:
        """Connect what was chosen of a selection."""
        await deps.restoring.require_finished()
        row = await select(
            deps, workspace_id, known_platform(platform), await read_request(request, partial(read_sound, SelectBody))
        )
        accounts = [connected_view(row.platform, each) for each in (row.selection_result or {})["accounts"]]
        first = (row.selection_result or {})["accounts"][0]
        view = SelectedView(
            platform=row.platform, account_id=first["account_id"], username=first["username"], accounts=accounts
        )
        return _respond(view, 201)


async def begin(deps: Dependencies, workspace_id: str, platform: str, request: HttpRequest) -> View:
    """Begin a connection. Raises InvalidRequest, Unprocessable, TooManyRequests, Unavailable."""
    connector = await _connector(deps, workspace_id, platform)
    options = connector.options if connector else {}
    found, problems = parse_query(request, ["redirect_url", "accountId", "hosted", "choose", *options])
    redirect_url, account_id, hosted = found.get("redirect_url"), found.get("accountId"), found.get("hosted") == "true"
    if redirect_url is not None and (problem := redirect_problem(redirect_url, deps.redirect_urls)):
        problems.append(problem)
    problems += _wrong_options(options, found)
    if connector and connector.asked_for_by is not None and connector.asked_for_by not in found:
        connector = None
    faulty = {each.param for each in problems}
    # This service has an address of its own to which the platform sends people back.
    needed = [*(() if hosted or connector.by_code else ("redirect_url",)), *connector.needed] if connector else []
    for name in needed:
        if name not in found and name not in faulty:
            problems.append(Problem(f"{name} is required", "missing_required_field", name))
    if problems:
        raise InvalidRequest(problems)
    fields = credential_fields(platforms()[platform])
    if connector is None:
        return ConnectionView(
            method="credentials", auth_url=None, state=None, connection_id=None, expires_at=None, fields=fields
        )
    hosted, by_code = hosted and not connector.by_code, connector.by_code
    if hosted and deps.public_url is None:
        raise Unprocessable(_NOT_PUBLIC)
    chosen = {name: found[name] for name in options if name in found}
    ticket, now, connection_id = secrets.token_urlsafe(_STATE_BYTES), datetime.now(UTC), new_id("sel")
    # A code is posted by a person: nothing that an app takes for markup may be in it.
    state = state_of(ticket) if hosted else secrets.token_hex(_CODE_BYTES) if by_code else ticket
    await _require_account(deps, workspace_id, platform, account_id)
    if account_id is None:
        await deps.quotas.require_room_for_account(workspace_id)
    await _take_one(deps, workspace_id, now)
    async with deps.database.transaction() as session:
        await add_connection(
            session,
            workspace_id=workspace_id,
            platform=platform,
            now=now,
            state=state,
            connection_id=connection_id,
            redirect_url=callback_of(deps, platform, connection_id) if hosted else None if by_code else redirect_url,
            hosted=found.get("choose", "page") if hosted else None,
            return_url=redirect_url if hosted else None,
            account_id=account_id,
            options=chosen,
            begun_by=actor_of(request).id,
        )
    row = await step(deps, workspace_id, platform, connection_id, "begin")
    require_success(row.outcome)
    row = await push(deps, row, state)
    if row.authorize_url is None:
        raise Unavailable(NOT_DONE)
    asked = address_of(row, state)
    return ConnectionView(
        method="code" if by_code else "oauth",
        auth_url=f"{deps.public_url}{START}/{ticket}" if hosted else asked,
        state=None if hosted else state,
        connection_id=row.id,
        expires_at=rfc3339(now + STATE_LIFETIME),
        fields=fields,
    )


async def _connector(deps: Dependencies, workspace_id: str, platform: str) -> Connector[Any] | None:
    """Return how a platform lets people connect accounts; None if they give credentials."""
    connector = connectors().get(platform)
    if connector is None or connector.needs_app:
        return connector
    async with deps.database.reading() as session:
        return connector if platform in await platforms_with_app(session, workspace_id) else None


def callback_of(deps: Dependencies, platform: str, connection_id: str) -> str:
    """Return the address of this service to which a platform sends a person back.

    If an app is registered for each connection, so is its address. Otherwise a server that the caller chose could send
    the person on to another server, whose code would then be sent to the first one (RFC 9700, 4.4).
    """
    own = f"/{connection_id}" if platforms()[platform].registers_itself else ""
    return f"{deps.public_url}{CALLBACK}{own}"


def state_of(ticket: str) -> str:
    """Return the state that a platform is given for a ticket: who sees it there cannot open the ticket's page."""
    return base64.urlsafe_b64encode(hashlib.sha256(f"state {ticket}".encode()).digest()).rstrip(b"=").decode()


def _wrong_options(options: Mapping[str, Sequence[str]], found: Mapping[str, str]) -> list[Problem]:
    """Return what is wrong with the parameters that have a few values only."""
    problems = []
    for name, values in {"hosted": ("true", "false"), "choose": ("page", "caller"), **options}.items():
        if values and name in found and found[name] not in values:
            problems.append(Problem(f"{name} must be one of {', '.join(values)}", "invalid_field_value", name))
    if "choose" in found and found.get("hosted") != "true":
        problems.append(Problem("choose goes together with hosted=true", "invalid_field_value", "choose"))
    return problems


async def connect(
    deps: Dependencies, workspace_id: str, platform: str, payload: JsonObject, actor: Actor
) -> PendingConnection:
    """Connect an account; returns the row with what came of it. Raises as `begin` does."""
    body = _read_connect(payload)
    if body.code is None and body.credentials is None:
        return await finish(deps, await _find_by_code(deps, workspace_id, platform, body.state or ""))
    if body.credentials is not None:
        row = await _begin_with_credentials(deps, workspace_id, platform, body.account_id, actor)
        handed: dict[str, Any] = {"credentials": body.credentials}
        # Connected again, an account is reconnected; and a digest of a password could be guessed.
        fingerprint = secrets.token_bytes()
    else:
        row = await _find(deps, workspace_id, platform, body)
        connector = connectors().get(platform)
        if connector and connector.names_issuer and body.iss is None:
            sentence = "iss is required: the platform sends it with the code"
            raise InvalidRequest(Problem(sentence, "missing_required_field", "iss"))
        handed = {"code": body.code, "iss": body.iss}
        fingerprint = digest(body.code or "")
    return await take(deps, row, handed, fingerprint)


async def select(deps: Dependencies, workspace_id: str, platform: str, payload: JsonObject) -> PendingConnection:
    """Connect what was chosen; returns the row with what came of it. Raises as `begin` does."""
    body = read_sound(SelectBody, payload)
    return await choose_of(deps, workspace_id, platform, body.selection_id, body.ids)


async def _begin_with_credentials(
    deps: Dependencies, workspace_id: str, platform: str, account_id: str | None, actor: Actor
) -> PendingConnection:
    now = datetime.now(UTC)
    await _require_account(deps, workspace_id, platform, account_id)
    await _take_one(deps, workspace_id, now)
    async with deps.database.transaction() as session:
        connection_id = await add_connection(
            session, workspace_id=workspace_id, platform=platform, now=now, account_id=account_id, begun_by=actor.id
        )
    return await step(deps, workspace_id, platform, connection_id, "begin")


async def _find_by_code(deps: Dependencies, workspace_id: str, platform: str, code: str) -> PendingConnection:
    """Return the connection whose code a person was to post."""
    async with deps.database.reading() as session:
        row = await find_by_state(session, workspace_id, platform, code)
    done = row is not None and (row.outcome or {"final": False}).get("final", True)
    if row is None or row.redirect_url is not None or (row.expires_at <= datetime.now(UTC) and not done):
        raise Unprocessable(EXPIRED)
    return row


async def _find(deps: Dependencies, workspace_id: str, platform: str, body: ConnectBody) -> PendingConnection:
    """Return the connection that a code belongs to. Never is one verifier tried after the other: that uses codes up."""
    redirect_url = body.redirect_url or ""
    async with deps.database.reading() as session:
        if body.state is not None:
            row = await find_by_state(session, workspace_id, platform, body.state)
            if row is None:
                raise Unprocessable(EXPIRED)
            if row.redirect_url != redirect_url:
                sentence = "redirect_url must be the one with which the connection was begun"
                raise InvalidRequest(Problem(sentence, "invalid_field_value", "redirect_url"))
            return row
        found = await find_open(session, workspace_id, platform, redirect_url, datetime.now(UTC))
    if len(found) > 1:
        sentence = "state is required: several connections are open for this redirect_url"
        raise InvalidRequest(Problem(sentence, "missing_required_field", "state"))
    if not found:
        raise Unprocessable(EXPIRED)
    return found[0]


async def _require_account(deps: Dependencies, workspace_id: str, platform: str, account_id: str | None) -> None:
    if account_id is None:
        return
    async with deps.database.reading() as session:
        found = (await find_accounts(session, workspace_id, [account_id])).get(account_id)
    if found is None or found.platform != platform:
        sentence = f"There is no {platforms()[platform].label} account {account_id} to reconnect"
        raise Unprocessable(Problem(sentence, "account_not_found", "accountId"))


async def _take_one(deps: Dependencies, workspace_id: str, now: datetime) -> None:
    async with deps.database.reading() as session:
        begun = await begun_since(session, workspace_id, now - timedelta(hours=1))
    if begun >= MOST_AN_HOUR:
        sentence = f"This workspace has begun {MOST_AN_HOUR} connections within an hour; please wait"
        raise TooManyRequests(Problem(sentence, "rate_limited"), retry_after=60)


def _read_connect(payload: JsonObject) -> ConnectBody:
    body, problems = read(ConnectBody, payload)
    given = {
        name
        for name in ("code", "redirect_url", "state", "iss", "credentials", "accountId")
        if payload.get(name) is not None
    }
    if "credentials" in given:
        for name in sorted(given & {"code", "redirect_url", "state", "iss"}):
            problems.append(Problem(f"{name} does not go together with credentials", "invalid_field_value", name))
    elif given != {"state"}:  # a code that a person was to post is all there is of it
        for name in sorted({"code", "redirect_url"} - given - {each.param for each in problems}):
            problems.append(Problem(f"{name} is required", "missing_required_field", name))
        if "accountId" in given:
            sentence = "accountId goes together with credentials; otherwise name it when the connection is begun"
            problems.append(Problem(sentence, "invalid_field_value", "accountId"))
    if problems or body is None:
        raise InvalidRequest(in_contract_order(ConnectBody, problems))
    return body


def _respond(view: View, status: int = 200) -> Response[bytes]:
    return Response(write(view), status_code=status, media_type="application/json", headers=_NO_STORE)

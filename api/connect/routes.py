"""Connect accounts over the API: begin, take what the network sent back, choose. A worker does what needs secrets."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath
from structlog.contextvars import get_contextvars

from api.auth import authenticate
from api.connect.redirects import redirect_problem
from api.connect.schemas import ConnectBody, ConnectionView, SelectBody, SelectedView
from api.connect.views import connected_view, credential_fields, refusal_of, selection_view
from api.dependencies import Dependencies, Deps
from api.http.body import JsonObject
from api.http.body_validation import in_contract_order, read
from api.http.query import parse_query
from api.http.request import read_request
from api.http.suggest import did_you_mean
from api.posts.views import View, write
from domain.errors import InvalidRequest, Problem, TooManyRequests, Unavailable, Unprocessable
from domain.schedule import rfc3339
from platforms.connect import connectors
from platforms.registry import platforms
from store.accounts import find_accounts
from store.connecting import (
    STATE_LIVES,
    add_connection,
    begun_since,
    choose,
    consume,
    digest,
    find_by_state,
    find_connection,
    find_open,
)
from store.handover import seal_for
from store.models import PendingConnection
from workflows.connect import ConnectPlan

MOST_AN_HOUR = 60
"""Connections that a workspace may begin in an hour; our choice."""
_STATE_BYTES = 32
_KEPT = timedelta(minutes=10)
"""How long a repeat of the request that connected an account is answered as the first."""
_NO_STORE = {"Cache-Control": "no-store"}
_EXPIRED = Problem(
    "This connection is unknown, was used, or is older than 10 minutes. Start again.", "connection_expired", "state"
)
_SELECTION_EXPIRED = Problem(
    "This selection is unknown, was used, or is older than 30 minutes. Start again.",
    "connection_expired",
    "selectionId",
)
_NOT_DONE = Problem("No worker has answered in time. Send the same request again.", "unavailable")

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
        await deps.restoring.require_over()
        return _respond(await begin(deps, workspace_id, _known(platform), request))

    @post("/{platform:str}")
    async def connect(
        self, request: HttpRequest, platform: FromPath[str], workspace_id: Workspace, deps: Deps
    ) -> Response[bytes]:
        """Connect an account with what the network sent back, or with credentials."""
        await deps.restoring.require_over()
        row = await connect(deps, workspace_id, _known(platform), await read_request(request, _read_connect))
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
        await deps.restoring.require_over()
        row = await select(deps, workspace_id, _known(platform), await read_request(request, _read_select))
        accounts = [connected_view(row.platform, each) for each in (row.selected or {})["accounts"]]
        first = (row.selected or {})["accounts"][0]
        view = SelectedView(
            platform=row.platform, account_id=first["account_id"], username=first["username"], accounts=accounts
        )
        return _respond(view, 201)


async def begin(deps: Dependencies, workspace_id: str, platform: str, request: HttpRequest) -> View:
    """Begin a connection. Raises InvalidRequest, Unprocessable, TooManyRequests, Unavailable."""
    connector = connectors().get(platform)
    options = connector.options if connector else {}
    found, problems = parse_query(request, ["redirect_url", "accountId", *options])
    redirect_url, account_id = found.get("redirect_url"), found.get("accountId")
    if redirect_url is not None and (problem := redirect_problem(redirect_url, deps.redirect_urls)):
        problems.append(problem)
    if connector and redirect_url is None and not any(each.param == "redirect_url" for each in problems):
        problems.append(Problem("redirect_url is required", "missing_required_field", "redirect_url"))
    for name in connector.needed if connector else ():
        if name not in found and name not in {each.param for each in problems}:
            problems.append(Problem(f"{name} is required", "missing_required_field", name))
    for name, values in options.items():
        if values and name in found and found[name] not in values:
            problems.append(Problem(f"{name} must be one of {', '.join(values)}", "invalid_field_value", name))
    if problems:
        raise InvalidRequest(problems)
    fields = credential_fields(platforms()[platform])
    if connector is None:
        return ConnectionView(method="credentials", auth_url=None, state=None, expires_at=None, fields=fields)
    chosen = {name: found[name] for name in options if name in found}
    state, now = secrets.token_urlsafe(_STATE_BYTES), datetime.now(UTC)
    await _require_account(deps, workspace_id, platform, account_id)
    await _take_one(deps, workspace_id, now)
    async with deps.database.transaction() as session:
        connection_id = await add_connection(
            session,
            workspace_id=workspace_id,
            platform=platform,
            now=now,
            state=state,
            redirect_url=redirect_url,
            account_id=account_id,
            options=chosen,
        )
    row = await _step(deps, workspace_id, platform, connection_id, "begin")
    _require_success(row.outcome)
    if row.authorize_url is None:
        raise Unavailable(_NOT_DONE)
    return ConnectionView(
        method="oauth",
        auth_url=f"{row.authorize_url}&state={state}",
        state=state,
        expires_at=rfc3339(now + STATE_LIVES),
        fields=fields,
    )


async def connect(deps: Dependencies, workspace_id: str, platform: str, payload: JsonObject) -> PendingConnection:
    """Connect an account; returns the row with what came of it. Raises as `begin` does."""
    body = _read_connect(payload)
    if body.credentials is not None:
        row = await _begin_with_credentials(deps, workspace_id, platform, body.account_id)
        handed: dict[str, Any] = {"credentials": body.credentials}
        # Connected again, an account is reconnected; and a digest of a password could be guessed.
        fingerprint = secrets.token_bytes()
    else:
        row = await _find(deps, workspace_id, platform, body)
        handed = {"code": body.code}
        fingerprint = digest(body.code or "")
    if row.public_key is None:
        raise Unavailable(_NOT_DONE)
    now = datetime.now(UTC)
    async with deps.database.transaction() as session:
        sealed = seal_for(row.public_key, handed, row.id)
        first = await consume(session, row.id, handover=sealed, handover_hash=fingerprint, now=now)
    if not first:
        async with deps.database.reading() as session:
            row = await find_connection(session, row.id) or row
        again = row.consumed_at is not None and now - row.consumed_at < _KEPT
        if not again or row.handover_hash != fingerprint:
            raise Unprocessable(_EXPIRED)
    if row.outcome is None or not row.outcome.get("final", True):
        row = await _step(deps, workspace_id, platform, row.id, "finish")
    _require_success(row.outcome)
    return row


async def select(deps: Dependencies, workspace_id: str, platform: str, payload: JsonObject) -> PendingConnection:
    """Connect what was chosen; returns the row with what came of it. Raises as `begin` does."""
    body = _read_select(payload)
    wanted, now = sorted(set(body.ids)), datetime.now(UTC)
    async with deps.database.transaction() as session:
        row = await find_connection(session, body.selection_id)
        if (
            row is None
            or (row.workspace_id, row.platform) != (workspace_id, platform)
            or "selection" not in (row.outcome or {})
        ):
            raise Unprocessable(_SELECTION_EXPIRED)
        options = {each["id"]: each["reason"] for each in (row.outcome or {})["selection"]}
        for position, each in enumerate(body.ids):
            if options.get(each, "unknown") is not None:
                sentence = f"ids.{position} is not among the options of this selection, or cannot be selected"
                raise InvalidRequest(Problem(sentence, "invalid_field_value", f"ids.{position}"))
        if not await choose(session, row.id, wanted, now):
            again = row.expires_at > now and row.wanted == wanted
            if not again:
                raise Unprocessable(_SELECTION_EXPIRED)
    if row.selected is None or not row.selected.get("final", True):
        row = await _step(deps, workspace_id, platform, row.id, "select")
    _require_success(row.selected)
    return row


async def _begin_with_credentials(
    deps: Dependencies, workspace_id: str, platform: str, account_id: str | None
) -> PendingConnection:
    now = datetime.now(UTC)
    await _require_account(deps, workspace_id, platform, account_id)
    await _take_one(deps, workspace_id, now)
    async with deps.database.transaction() as session:
        connection_id = await add_connection(
            session, workspace_id=workspace_id, platform=platform, now=now, account_id=account_id
        )
    return await _step(deps, workspace_id, platform, connection_id, "begin")


async def _find(deps: Dependencies, workspace_id: str, platform: str, body: ConnectBody) -> PendingConnection:
    """Return the connection that a code belongs to. Never is one verifier tried after the other: that uses codes up."""
    redirect_url = body.redirect_url or ""
    async with deps.database.reading() as session:
        if body.state is not None:
            row = await find_by_state(session, workspace_id, platform, body.state)
            if row is None:
                raise Unprocessable(_EXPIRED)
            if row.redirect_url != redirect_url:
                sentence = "redirect_url must be the one with which the connection was begun"
                raise InvalidRequest(Problem(sentence, "invalid_field_value", "redirect_url"))
            return row
        found = await find_open(session, workspace_id, platform, redirect_url, datetime.now(UTC))
    if len(found) > 1:
        sentence = "state is required: several connections are open for this redirect_url"
        raise InvalidRequest(Problem(sentence, "missing_required_field", "state"))
    if not found:
        raise Unprocessable(_EXPIRED)
    return found[0]


async def _step(
    deps: Dependencies,
    workspace_id: str,
    platform: str,
    connection_id: str,
    step: Literal["begin", "finish", "select"],
) -> PendingConnection:
    """Have a worker take a step, and return the row as it is then."""
    plan = ConnectPlan(
        connection_id=connection_id,
        workspace_id=workspace_id,
        platform=platform,
        step=step,
        request_id=get_contextvars().get("request_id"),
    )
    await deps.workflows.connect(plan)
    async with deps.database.reading() as session:
        row = await find_connection(session, connection_id)
    if row is None:
        raise Unavailable(_NOT_DONE)
    return row


def _require_success(outcome: dict[str, Any] | None) -> None:
    """Raise what an outcome refuses; of a step of `begin` there need not be one."""
    if outcome is not None and "error" in outcome:
        raise refusal_of(outcome)


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


def _known(platform: str) -> str:
    if platform not in platforms():
        known = ", ".join(platforms())
        sentence = f"platform must be one of the networks {known}{did_you_mean(platform, platforms())}"
        raise InvalidRequest(Problem(sentence, "invalid_field_value", "platform"))
    return platform


def _read_connect(payload: JsonObject) -> ConnectBody:
    body, problems = read(ConnectBody, payload)
    given = {
        name for name in ("code", "redirect_url", "state", "credentials", "accountId") if payload.get(name) is not None
    }
    if "credentials" in given:
        for name in sorted(given & {"code", "redirect_url", "state"}):
            problems.append(Problem(f"{name} does not go together with credentials", "invalid_field_value", name))
    else:
        for name in sorted({"code", "redirect_url"} - given - {each.param for each in problems}):
            problems.append(Problem(f"{name} is required", "missing_required_field", name))
        if "accountId" in given:
            sentence = "accountId goes together with credentials; otherwise name it when the connection is begun"
            problems.append(Problem(sentence, "invalid_field_value", "accountId"))
    if problems or body is None:
        raise InvalidRequest(in_contract_order(problems))
    return body


def _read_select(payload: JsonObject) -> SelectBody:
    body, problems = read(SelectBody, payload)
    if problems or body is None:
        raise InvalidRequest(in_contract_order(problems))
    return body


def _respond(view: View, status: int = 200) -> Response[bytes]:
    return Response(write(view), status_code=status, media_type="application/json", headers=_NO_STORE)

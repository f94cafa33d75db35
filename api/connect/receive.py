"""Connections of accounts with a client's code of a platform, credentials, or selection."""

import secrets
from datetime import UTC, datetime
from typing import Any

from api.connect.begin import require_connections_left, require_known_account
from api.connect.schemas import ConnectBody
from api.connect.steps import EXPIRED, consume_and_finish, finish, is_final, step
from api.dependencies import Dependencies
from api.http.body import JsonObject
from api.http.body_validation import in_contract_order, read
from domain.audit import Actor
from domain.errors import InvalidRequest, Problem, Unprocessable
from platforms.access.connector import connectors
from platforms.access.consent import FindsServer
from store.accounts.pending_connections import add_connection, digest, find_by_state, find_open
from store.models import PendingConnection


async def connect(
    deps: Dependencies, workspace_id: str, platform: str, payload: JsonObject, actor: Actor
) -> PendingConnection:
    """Connect an account; returns the row with the result. Raises as `begin` does."""
    body = read_connect(payload, platform)
    if body.code is None and body.credentials is None:
        return await finish(deps, await _find_by_code(deps, workspace_id, platform, body.state or ""))
    if body.credentials is not None:
        row = await _begin_with_credentials(deps, workspace_id, platform, body.account_id, actor)
        handed: dict[str, Any] = {"credentials": body.credentials}
        # A repeat reconnects the account, which does no harm; and a password could be guessed from its digest.
        fingerprint = secrets.token_bytes()
    else:
        row = await _find(deps, workspace_id, platform, body)
        connector = connectors().get(platform)
        if isinstance(connector, FindsServer) and connector.always_names_issuer and body.iss is None:
            sentence = "iss is required: the platform sends it with the code"
            raise InvalidRequest(Problem(sentence, "missing_required_field", "iss"))
        handed = {"code": body.code, "iss": body.iss}
        fingerprint = digest(body.code or "")
    return await consume_and_finish(deps, row, handed, fingerprint)


async def _begin_with_credentials(
    deps: Dependencies, workspace_id: str, platform: str, account_id: str | None, actor: Actor
) -> PendingConnection:
    now = datetime.now(UTC)
    await require_known_account(deps, workspace_id, platform, account_id)
    await require_connections_left(deps, workspace_id, now)
    async with deps.database.transaction() as session:
        connection_id = await add_connection(
            session, workspace_id=workspace_id, platform=platform, now=now, account_id=account_id, begun_by=actor.id
        )
    return await step(deps, workspace_id, platform, connection_id, "begin")


async def _find_by_code(deps: Dependencies, workspace_id: str, platform: str, code: str) -> PendingConnection:
    """Return the connection whose code a person was to post."""
    async with deps.database.reading() as session:
        row = await find_by_state(session, workspace_id, platform, code)
    if (
        row is None
        or row.redirect_url is not None
        or (row.expires_at <= datetime.now(UTC) and not is_final(row.outcome))
    ):
        raise Unprocessable(EXPIRED)
    return row


async def _find(deps: Dependencies, workspace_id: str, platform: str, body: ConnectBody) -> PendingConnection:
    """Return the connection that a code belongs to. Verifiers must not be tried in turn: each try uses the code up."""
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
        rows = await find_open(session, workspace_id, platform, redirect_url, datetime.now(UTC))
    if len(rows) > 1:
        sentence = "state is required: several connections are open for this redirect_url"
        raise InvalidRequest(Problem(sentence, "missing_required_field", "state"))
    if not rows:
        raise Unprocessable(EXPIRED)
    return rows[0]


def _takes_credentials(platform: str) -> bool:
    """Return whether people connect accounts of a platform by credentials, if they name no server."""
    connector = connectors().get(platform)
    return connector is None or (isinstance(connector, FindsServer) and connector.takes_credentials)


def _concerns(problems: list[Problem], name: str) -> bool:
    return any(problem.param == name for problem in problems)


def read_connect(payload: JsonObject, platform: str) -> ConnectBody:
    """Return a body with a code, a posted state or credentials. Raises InvalidRequest if it mixes them."""
    body, problems = read(ConnectBody, payload)
    names = {
        name
        for name in ("code", "redirect_url", "state", "iss", "credentials", "accountId")
        if payload.get(name) is not None
    }
    if "credentials" in names:
        for name in sorted(names & {"code", "redirect_url", "state", "iss"}):
            problems.append(Problem(f"{name} does not go together with credentials", "invalid_field_value", name))
    elif not names & {"code", "state"} and _takes_credentials(platform) and not _concerns(problems, "credentials"):
        sentence = f"credentials is required: GET /v1/connect/{platform} lists what it holds"
        problems.append(Problem(sentence, "missing_required_field", "credentials"))
    elif names != {"state"}:  # a body with a posted code has no other field
        for name in sorted({"code", "redirect_url"} - names - {problem.param for problem in problems}):
            problems.append(Problem(f"{name} is required", "missing_required_field", name))
        if "accountId" in names:
            sentence = "accountId goes together with credentials; otherwise name it when the connection is begun"
            problems.append(Problem(sentence, "invalid_field_value", "accountId"))
    if problems or body is None:
        raise InvalidRequest(in_contract_order(ConnectBody, problems))
    return body

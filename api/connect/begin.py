"""Begin a connection, and connect with what a client sends: a platform's code, credentials, or a selection."""

import base64
import hashlib
import math
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from api.auth import request_actor
from api.connect.schemas import ConnectBody, ConnectionView, credential_fields
from api.connect.steps import (
    EXPIRED,
    NOT_DONE,
    consent_url,
    consume_and_finish,
    finish,
    is_final,
    push,
    require_success,
    step,
)
from api.dependencies import Dependencies
from api.http.body import JsonObject
from api.http.body_validation import in_contract_order, read
from api.http.headers import HttpRequest
from api.http.query import parse_query
from domain.audit import Actor
from domain.errors import InvalidRequest, Problem, TooManyRequests, Unavailable, Unprocessable
from domain.ids import new_id
from domain.schedule import rfc3339
from domain.workspaces import SelectionBy
from platforms.access.bots import CodeConnector
from platforms.access.connector import Connector, connectors
from platforms.access.consent import FindsServer
from platforms.registry import platforms
from store.accounts.connected import find_accounts
from store.accounts.pending_connections import (
    STATE_LIFETIME,
    add_connection,
    begin_of_newest,
    digest,
    find_by_state,
    find_open,
)
from store.apps import platforms_with_app
from store.models import PendingConnection

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
LONGEST = 512
"""What TikTok takes; the other platforms take more."""


def redirect_problem(url: str, allowed: Collection[str]) -> Problem | None:
    """Return what is wrong with a `redirect_url`. The allowed ones are compared as text, as platforms do."""
    if sentence := _fault(url):
        return Problem(f"redirect_url {sentence}", "invalid_field_value", "redirect_url")
    if allowed and url not in allowed:
        sentence = "redirect_url is not one that this service allows; its operator sets SOCIALSYNCER_REDIRECT_URLS"
        return Problem(sentence, "invalid_field_value", "redirect_url")
    return None


def _fault(url: str) -> str | None:
    if len(url) > LONGEST:
        return f"may be at most {LONGEST} characters long"
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "must be an address of printable ASCII characters without spaces and backslashes"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "must be a whole address, such as https://app.example.com/connected"
    if not host or parts.scheme not in {"http", "https"} or port == 0:
        return "must be a whole address, such as https://app.example.com/connected"
    if parts.username is not None or parts.password is not None or host.endswith("."):
        return "must name its host alone, without a user and without a dot at its end"
    if "#" in url:
        return "must not have a fragment"
    if parts.scheme == "http" and host not in LOCAL:
        return "must begin with https://; http is for localhost only"
    return None


MOST_AN_HOUR = 60
"""Connections that a workspace may begin in an hour; our choice."""
CALLBACK, START = "/v1/connect/callback", "/v1/connect/start"
"""Where platforms send people back if this service takes the answer, and where people begin then."""
_STATE_BYTES, _CODE_BYTES = 32, 16
_NOT_PUBLIC = Problem(
    "This service has no public address, so it cannot take a platform's answer. Its operator must set "
    "SOCIALSYNCER_PUBLIC_URL.",
    "platform_not_configured",
    "hosted",
)


async def begin(deps: Dependencies, workspace_id: str, platform: str, request: HttpRequest) -> ConnectionView:
    """Begin a connection. Raises InvalidRequest, Unprocessable, TooManyRequests, Unavailable."""
    connector, query = await _read_parameters(deps, workspace_id, platform, request)
    fields = credential_fields(platforms()[platform])
    if connector is None:
        return ConnectionView(
            method="credentials", authUrl=None, state=None, connectionId=None, expiresAt=None, fields=fields
        )
    redirect_url, account_id = query.get("redirect_url"), query.get("accountId")
    by_code = isinstance(connector, CodeConnector)
    hosted = query.get("hosted") == "true" and not by_code
    if hosted and deps.public_url is None:
        raise Unprocessable(_NOT_PUBLIC)
    chosen = {name: query[name] for name in connector.options if name in query}
    ticket, now, connection_id = secrets.token_urlsafe(_STATE_BYTES), datetime.now(UTC), new_id("sel")
    # A person posts the code in an app: it must hold no character that the app reads as markup.
    state = ticket_state(ticket) if hosted else secrets.token_hex(_CODE_BYTES) if by_code else ticket
    await require_known_account(deps, workspace_id, platform, account_id)
    if account_id is None:
        await deps.usage.require_room_for_account(workspace_id)
    await require_connections_left(deps, workspace_id, now)
    async with deps.database.transaction() as session:
        await add_connection(
            session,
            workspace_id=workspace_id,
            platform=platform,
            now=now,
            state=state,
            connection_id=connection_id,
            redirect_url=callback_url(deps, platform, connection_id) if hosted else None if by_code else redirect_url,
            selection_by=SelectionBy(query.get("choose", SelectionBy.PAGE)) if hosted else None,
            return_url=redirect_url if hosted else None,
            account_id=account_id,
            options=chosen,
            begun_by=request_actor(request).id,
        )
    row = await step(deps, workspace_id, platform, connection_id, "begin")
    require_success(row.outcome)
    row = await push(deps, row, state)
    if row.authorize_url is None:
        raise Unavailable(NOT_DONE)
    asked = consent_url(row, state)
    return ConnectionView(
        method="code" if by_code else "oauth",
        authUrl=f"{deps.public_url}{START}/{ticket}" if hosted else asked,
        state=None if hosted else state,
        connectionId=row.id,
        expiresAt=rfc3339(now + STATE_LIFETIME),
        fields=fields,
    )


async def _read_parameters(
    deps: Dependencies, workspace_id: str, platform: str, request: HttpRequest
) -> tuple[Connector[Any] | None, dict[str, str]]:
    """Return how the account is connected, None if with credentials, and the query's parameters. Raises InvalidRequest.

    Without the parameter that asks for its authorization (`takes_credentials`), a platform takes credentials.
    """
    connector = await _connector(deps, workspace_id, platform)
    options = connector.options if connector else {}
    others = {name for other in connectors().values() for name in other.options} - set(options)
    query, problems = parse_query(request, without=others)
    redirect_url, hosted = query.get("redirect_url"), query.get("hosted") == "true"
    if redirect_url is not None and (problem := redirect_problem(redirect_url, deps.redirect_urls)):
        problems.append(problem)
    problems += _wrong_options(options, query)
    if isinstance(connector, FindsServer) and connector.takes_credentials and connector.server_option not in query:
        connector = None
    faulty = {problem.param for problem in problems}
    # If this service takes the platform's answer, the platform sends people back to an address of this service.
    needed = [] if connector is None or hosted or isinstance(connector, CodeConnector) else ["redirect_url"]
    if isinstance(connector, FindsServer):
        needed.append(connector.server_option)
    for name in needed:
        if name not in query and name not in faulty:
            problems.append(Problem(f"{name} is required", "missing_required_field", name))
    if problems:
        raise InvalidRequest(problems)
    return connector, query


async def _connector(deps: Dependencies, workspace_id: str, platform: str) -> Connector[Any] | None:
    """Return how a platform lets people connect accounts; None if they give credentials."""
    connector = connectors().get(platform)
    if connector is None or connector.needs_app:
        return connector
    async with deps.database.reading() as session:
        return connector if platform in await platforms_with_app(session, workspace_id) else None


def callback_url(deps: Dependencies, platform: str, connection_id: str) -> str:
    """Return the address of this service to which a platform sends a person back.

    If an app is registered for each connection, so is its address. Otherwise a server that the caller chose could send
    the person on to another server, whose code would then be sent to the first one (RFC 9700, 4.4).
    """
    own = f"/{connection_id}" if platforms()[platform].app.registers_itself else ""
    return f"{deps.public_url}{CALLBACK}{own}"


def ticket_state(ticket: str) -> str:
    """Return the state that a platform is given for a ticket. It does not reveal the ticket, which opens the page."""
    return base64.urlsafe_b64encode(hashlib.sha256(f"state {ticket}".encode()).digest()).rstrip(b"=").decode()


def _wrong_options(options: Mapping[str, Sequence[str]], query: Mapping[str, str]) -> list[Problem]:
    """Return the problems of the parameters that have only a few values."""
    problems = []
    for name, values in {"hosted": ("true", "false"), "choose": tuple(SelectionBy), **options}.items():
        if values and name in query and query[name] not in values:
            problems.append(Problem(f"{name} must be one of {', '.join(values)}", "invalid_field_value", name))
    if "choose" in query and query.get("hosted") != "true":
        problems.append(Problem("choose goes together with hosted=true", "invalid_field_value", "choose"))
    return problems


async def require_known_account(deps: Dependencies, workspace_id: str, platform: str, account_id: str | None) -> None:
    """Raise Unprocessable if the account to reconnect does not exist in the workspace."""
    if account_id is None:
        return
    async with deps.database.reading() as session:
        account = (await find_accounts(session, workspace_id, [account_id])).get(account_id)
    if account is None or account.platform != platform:
        sentence = f"There is no {platforms()[platform].label} account {account_id} to reconnect"
        raise Unprocessable(Problem(sentence, "account_not_found", "accountId"))


async def require_connections_left(deps: Dependencies, workspace_id: str, now: datetime) -> None:
    """Raise TooManyRequests if a workspace has begun as many connections as it may in an hour."""
    async with deps.database.reading() as session:
        first = await begin_of_newest(session, workspace_id, MOST_AN_HOUR)
    if first and (wait := first + timedelta(hours=1) - now) > timedelta():
        sentence = f"This workspace has begun {MOST_AN_HOUR} connections within an hour; please wait"
        raise TooManyRequests(Problem(sentence, "rate_limited"), retry_after=math.ceil(wait.total_seconds()))


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

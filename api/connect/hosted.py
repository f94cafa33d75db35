"""Connect accounts for callers without a page of their own: this service takes what the platform sends back.

A person opens the address that the caller was given, goes to the platform and comes back to `/v1/connect/callback`.
Only the browser that began may continue: it holds a cookie. Without that, an attacker could send a victim straight to a
platform's page and have the victim's consent counted for the attacker's workspace. The outcome is in the
connection's row; a page shows it or sends it on to the caller's address.
"""

import re
import secrets
from collections.abc import Awaitable
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

from litestar import Controller, Response, get, post
from litestar.datastructures import Cookie
from litestar.params import FromPath

from api.connect import hosted_pages as pages
from api.connect.begin import CALLBACK, START, ticket_state
from api.connect.schemas import LONGEST_CODE
from api.connect.steps import (
    connect_selected,
    connection_error,
    consent_url,
    consume_and_finish,
    finish,
    is_final,
    selection_options,
)
from api.dependencies import Dependencies, Deps
from api.http.headers import HttpRequest
from domain.errors import PostsError
from domain.workspaces import SelectionBy
from platforms.registry import platforms
from store.accounts.pending_connections import bind_browser, digest, find_hosted
from store.models import PendingConnection
from store.rows import current_row
from store.workspaces.keys import name_of_workspace, read_connect_page

_RESULT = "/v1/connect/result"
_TICKET = re.compile(r"[A-Za-z0-9_-]{43}")
_CONNECTION = re.compile(r"sel_[0-9a-f]{32}")
_COOKIE_LIFETIME_S = 45 * 60
"""The time in which a person may consent and then choose, and some more."""
_MOST_FIELDS, _MOST_CHOSEN = 1_100, 20
_MOST_FORM_BYTES = 64 * 1024
"""Of a form or a query: some 60 for each of the fields. Decoding a body of 1 MiB would take 0.1 s."""
_GONE = "This address was used, or is older than 10 minutes. Begin again where you came from."
_OTHER_BROWSER = (
    "This browser did not begin this connection, or began it too long ago. Begin again where you came from, and allow "
    "cookies."
)
_CALLER_CHOOSES = "The accounts are not chosen here. Return to where you began, and choose there."
_FOREIGN = "This form was not sent from a page of this service. Begin again where you came from."


class HostedConnectEndpoints(Controller):
    """The pages between a caller and a platform."""

    @get(f"{START}/{{ticket:str}}")
    async def invite(self, ticket: FromPath[str], deps: Deps) -> Response[bytes]:
        """Show which workspace asks for which account. Nothing is changed: a link preview may fetch the page first."""
        row = await _row_of_ticket(deps, ticket)
        if row is None or not _may_begin(row):
            return _gone(row)
        async with deps.database.reading() as session:
            workspace = await name_of_workspace(session, row.workspace_id)
            look = await read_connect_page(session, row.workspace_id)
        name = look.name or workspace or "This service"
        return pages.invitation(row, _label(row), name, deps.operator_name, look.logo)

    @post(f"{START}/{{ticket:str}}", status_code=200)
    async def start(self, request: HttpRequest, ticket: FromPath[str], deps: Deps) -> Response[bytes]:
        """Bind the connection to this browser, and redirect it to the platform."""
        if not _is_own(request, deps):
            return _error_page(_FOREIGN, 403)
        if problem := await _catch_problem(deps.restoring.require_finished()):
            return _error_page(problem, 503)
        row = await _row_of_ticket(deps, ticket)
        if row is None or not _may_begin(row):
            return _gone(row)
        cookie = request.cookies.get(_cookie_name(deps, row.id)) or secrets.token_urlsafe(32)
        async with deps.database.transaction() as session:
            bound = await bind_browser(session, row.id, cookie, datetime.now(UTC))
        if not bound:
            return _error_page(_OTHER_BROWSER, 409)
        address = consent_url(row, ticket_state(ticket))
        answer = pages.page(f"On to {_label(row)}", "", go_to=address)
        answer.cookies.append(_cookie(deps, row.id, cookie))
        return answer

    @get([CALLBACK, f"{CALLBACK}/{{connection_id:str}}"])
    async def callback(self, request: HttpRequest, deps: Deps) -> Response[bytes]:
        """Receive the platform's answer, use up the state, and redirect to a page without the code in its address."""
        query = _parsed(request.scope["query_string"])
        state, code, error = query.get("state", ""), query.get("code", ""), query.get("error", "")
        row = await _row_of_state(deps, state)
        # The platform was given one address. An answer at any other belongs to another connection.
        if row is None or row.redirect_url != f"{deps.public_url}{request.url.path}":
            return _error_page(_GONE, 410)
        if not _is_bound(request, deps, row):
            return _error_page(_OTHER_BROWSER, 403)
        if len(code) > LONGEST_CODE or not (code or error):
            return _error_page(f"{_label(row)} has sent nothing that this service understands.", 400)
        if problem := await _catch_problem(deps.restoring.require_finished()):
            return _error_page(problem, 503)
        handed = {"code": code, "iss": query.get("iss", "")} if code else {"error": error[:64]}
        fingerprint = digest(code or f"error {error[:64]}")
        if problem := await _catch_problem(consume_and_finish(deps, row, handed, fingerprint)):
            async with deps.database.reading() as session:
                row = await current_row(session, PendingConnection, row.id) or row
            if row.handover_hash != fingerprint:
                return _error_page(problem, 410)
        return _redirect(f"{deps.public_url}{_RESULT}/{row.id}")

    @get(f"{_RESULT}/{{connection_id:str}}")
    async def result(self, request: HttpRequest, connection_id: FromPath[str], deps: Deps) -> Response[bytes]:
        """Show the result; if there are several accounts, ask the person which to connect."""
        row = await _bound_row(request, deps, connection_id)
        return _error_page(_OTHER_BROWSER, 403) if row is None else _shown(row)

    @post(f"{_RESULT}/{{connection_id:str}}", status_code=200)
    async def choose(self, request: HttpRequest, connection_id: FromPath[str], deps: Deps) -> Response[bytes]:
        """Connect what the person has chosen, or continue with what was not done in time."""
        if not _is_own(request, deps):
            return _error_page(_FOREIGN, 403)
        row = await _bound_row(request, deps, connection_id)
        if row is None:
            return _error_page(_OTHER_BROWSER, 403)
        if problem := await _catch_problem(deps.restoring.require_finished()):
            return _error_page(problem, 503)
        if (selection := selection_options(row)) is None:
            await _catch_problem(finish(deps, row))
        elif row.selection_by == SelectionBy.CALLER and row.selected_ids is None:
            return _error_page(_CALLER_CHOOSES, 403)
        else:
            ids = row.selected_ids or await _ids_in(request)
            if not 0 < len(ids) <= _MOST_CHOSEN:
                sentence = f"Choose at least one, and at most {_MOST_CHOSEN} at a time."
                return pages.selection(_label(row), selection, sentence)
            await _catch_problem(connect_selected(deps, row.workspace_id, row.platform, row.id, ids))
        return _redirect(f"{deps.public_url}{_RESULT}/{row.id}")


def _shown(row: PendingConnection) -> Response[bytes]:
    """Return the page of a connection as its row has it."""
    label, error, selection = _label(row), connection_error(row), selection_options(row)
    if row.outcome is None or (error and not is_final(row.selection_result or row.outcome)):
        return pages.waiting(label, error["message"] if error else None)
    if selection is not None and row.selection_result is None:
        if row.selected_ids is not None:
            return pages.waiting(label, None)
        if row.expires_at <= datetime.now(UTC):
            return pages.ended(row, _GONE)
        if row.selection_by == SelectionBy.PAGE:
            return pages.selection(label, selection)
    return pages.finished(row, label)


async def _row_of_ticket(deps: Dependencies, ticket: str) -> PendingConnection | None:
    """Return the connection that a ticket begins, or began."""
    return await _row_of_state(deps, ticket_state(ticket)) if _TICKET.fullmatch(ticket) else None


def _may_begin(row: PendingConnection) -> bool:
    return row.authorize_url is not None and row.consumed_at is None and row.expires_at > datetime.now(UTC)


def _gone(row: PendingConnection | None) -> Response[bytes]:
    return _error_page(_GONE, 410) if row is None else pages.ended(row, _GONE)


async def _row_of_state(deps: Dependencies, state: str) -> PendingConnection | None:
    if not _TICKET.fullmatch(state):
        return None

    async def look_up() -> PendingConnection | None:
        async with deps.database.reading() as session:
            return await find_hosted(session, state)

    return await deps.strangers.find(state, look_up)


async def _bound_row(request: HttpRequest, deps: Dependencies, connection_id: str) -> PendingConnection | None:
    """Return a connection if this browser has begun it."""
    if not _CONNECTION.fullmatch(connection_id) or _cookie_name(deps, connection_id) not in request.cookies:
        return None

    async def look_up() -> PendingConnection | None:
        async with deps.database.reading() as session:
            return await current_row(session, PendingConnection, connection_id)

    row = await deps.strangers.find(connection_id, look_up)
    return row if row is not None and row.consumed_at and _is_bound(request, deps, row) else None


def _is_bound(request: HttpRequest, deps: Dependencies, row: PendingConnection) -> bool:
    cookie = request.cookies.get(_cookie_name(deps, row.id), "")
    return row.browser_hash is not None and secrets.compare_digest(row.browser_hash, digest(cookie))


def _is_own(request: HttpRequest, deps: Dependencies) -> bool:
    """Return whether a form was sent from a page of this service: browsers send the form's origin."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site", "same-origin") in {"same-origin", "none"}
    own = urlsplit(deps.public_url or "")
    return origin == f"{own.scheme}://{own.netloc}".lower()


def _cookie_name(deps: Dependencies, connection_id: str) -> str:
    """Return the name of a connection's cookie; browsers let no other host set one that begins with __Host-."""
    return f"{'__Host-' if _is_secure(deps) else ''}connect-{connection_id[-12:]}"


def _cookie(deps: Dependencies, connection_id: str, value: str) -> Cookie:
    return Cookie(
        key=_cookie_name(deps, connection_id),
        value=value,
        path="/",
        max_age=_COOKIE_LIFETIME_S,
        httponly=True,
        secure=_is_secure(deps),
        samesite="lax",
    )


def _is_secure(deps: Dependencies) -> bool:
    return (deps.public_url or "").startswith("https:")


async def _ids_in(request: HttpRequest) -> list[str]:
    return [value for name, value in _pairs(await request.body()) if name == "ids"]


def _parsed(query: bytes) -> dict[str, str]:
    """Return the parameters of a query; of a repeated one the first counts."""
    return dict(reversed(_pairs(query)))


def _pairs(raw: bytes) -> list[tuple[str, str]]:
    if len(raw) > _MOST_FORM_BYTES:
        return []
    try:
        return parse_qsl(raw.decode("latin-1"), errors="replace", max_num_fields=_MOST_FIELDS)
    except ValueError:
        return []


async def _catch_problem(work: Awaitable[object]) -> str | None:
    """Return what went wrong, as a sentence for a person. The outcome is in the connection's row."""
    try:
        await work
    except PostsError as error:
        return error.first.error
    return None


def _label(row: PendingConnection) -> str:
    return platforms()[row.platform].label


def _error_page(sentence: str, status: int) -> Response[bytes]:
    return pages.page("Not connected", pages.paragraph(sentence), status=status)


def _redirect(url: str) -> Response[bytes]:
    return Response(b"", status_code=303, headers={**pages.HEADERS, "Location": url}, media_type="text/plain")

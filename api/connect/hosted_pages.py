"""The pages that a person sees while this service takes a platform's answer: HTML without scripts, all text escaped.

A workspace sets its name and its picture on them.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit

from litestar import Response

from api.connect.schemas import ConnectPageBody, ConnectPageView
from api.connect.steps import connected_accounts, connection_error
from domain.errors import InvalidRequest, Problem
from domain.workspaces import LARGEST_LOGO, LARGEST_SIDE, ConnectPage, is_logo
from store.database import Database
from store.models import PendingConnection
from store.workspaces.keys import read_connect_page, write_connect_page

_WRONG = Problem(
    f"logo must be a PNG of at most {LARGEST_LOGO // 1024} KiB and {LARGEST_SIDE} pixels on each side, in base64",
    "invalid_field_value",
    "logo",
)


async def show_page(database: Database, workspace_id: str) -> ConnectPageView:
    """Return how a workspace looks."""
    async with database.reading() as session:
        page = await read_connect_page(session, workspace_id)
    return _view(page)


async def replace_page(database: Database, workspace_id: str, body: ConnectPageBody) -> ConnectPageView:
    """Set how a workspace looks. Raises InvalidRequest."""
    page = ConnectPage(body.name, None if body.logo is None else _read_logo(body.logo))
    async with database.transaction() as session:
        await write_connect_page(session, workspace_id, page)
    return _view(page)


def _read_logo(text: str) -> bytes:
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(_WRONG) from None
    if not is_logo(content):
        raise InvalidRequest(_WRONG)
    return content


def _view(page: ConnectPage) -> ConnectPageView:
    return ConnectPageView(name=page.name, logo=None if page.logo is None else base64.b64encode(page.logo).decode())


_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #dfe4ea; --page: #f5f7f9; --card: #fff;
  --accent: #1f6feb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e8ee; --soft: #9aa6b4; --line: #2c3540; --page: #12171d;
  --card: #1a2129; --accent: #6aa5ff; } }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); }
main { max-width: 30rem; margin: 8vh auto; padding: 1.5rem 2rem 2rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 12px; }
h1 { font-size: 1.3rem; margin: 0 0 1rem; } .soft { color: var(--soft); font-size: .9rem; }
ul { list-style: none; margin: 1rem 0; padding: 0; max-height: 50vh; overflow: auto; }
li { padding: .5rem 0; border-top: 1px solid var(--line); }
button { font: inherit; font-weight: 600; padding: .55rem 1.2rem; border: 0; border-radius: 8px; color: #fff;
  background: #1f6feb; cursor: pointer; }
a { color: var(--accent); }
img { max-width: 12rem; max-height: 4rem; }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    # Nothing is loaded and nothing runs. Forms go to this service only. After a form a page sends the browser elsewhere
    # by <meta> and not by a redirect, because Chromium applies form-action to redirects, too.
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    ),
    "X-Frame-Options": "DENY",
    # Other sites learn nothing. With no-referrer a browser would send forms with `Origin: null`.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}


def page(
    title: str, body: str, *, status: int = 200, go_to: str | None = None, logo: bytes | None = None
) -> Response[bytes]:
    """Return a page; `go_to` is where the browser is sent from it. `body` is HTML, all else but the PNG is text."""
    headers, picture = HEADERS, ""
    if logo is not None:
        # A part of the page: no request tells another host who connects an account.
        policy = f"{HEADERS['Content-Security-Policy']}; img-src data:"
        headers = HEADERS | {"Content-Security-Policy": policy}
        picture = f'<img alt="" src="data:image/png;base64,{base64.b64encode(logo).decode()}">'
    onwards = f'<meta http-equiv="refresh" content="0;url={escape(go_to)}">' if go_to else ""
    link = (
        f'<p><a href="{escape(go_to)}" rel="noreferrer">Continue to {escape(host_name(go_to))}</a></p>' if go_to else ""
    )
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{onwards}<style>{_STYLE}</style></head>'
        f"<body><main>{picture}<h1>{escape(title)}</h1>{body}{link}</main></body></html>"
    )
    return Response(text.encode(), status_code=status, media_type="text/html; charset=utf-8", headers=headers)


def host_name(url: str) -> str:
    """Return the host of an address, for people."""
    return urlsplit(url).netloc


def paragraph(text: str) -> str:
    """Return a sentence as HTML."""
    return f"<p>{escape(text)}</p>"


def invitation(
    row: PendingConnection, label: str, workspace: str, operator: str | None = None, logo: bytes | None = None
) -> Response[bytes]:
    """Return the page that shows which workspace asks for which account, before the person goes to the platform.

    `operator`: the name of the party that runs this service, which people may know better than the workspace's.
    """
    by = f" with the service of <b>{escape(operator)}</b>" if operator else ""
    known = f"{workspace} or {operator}" if operator else workspace
    back = f"Afterwards you return to {host_name(row.return_url)}." if row.return_url else ""
    again = f" The account {row.account_id} is reconnected; any other is refused." if row.account_id else ""
    body = (
        f"<p><b>{escape(workspace)}</b> asks to publish to your {escape(label)} account for you{by}. "
        f"{escape(label)} asks for your consent on the next page, and you can take it back there at any time."
        f"{escape(again)}</p>"
        f'<form method="post"><button>Continue to {escape(label)}</button></form>'
        f'<p class="soft">{escape(back)} If you do not know {escape(known)}, close this page.</p>'
    )
    return page(f"Connect {label}", body, logo=logo)


def selection(label: str, options: Sequence[Mapping[str, Any]], problem: str | None = None) -> Response[bytes]:
    """Ask which of several pages, channels or locations are to be connected."""
    rows = "".join(_option(option) for option in options)
    body = (
        f"{paragraph(problem) if problem else ''}<p>Your consent covers several accounts. Choose which to connect:</p>"
        f'<form method="post"><ul>{rows}</ul><button>Connect</button></form>'
    )
    return page(f"Choose on {label}", body, status=400 if problem else 200)


def _option(option: Mapping[str, Any]) -> str:
    name, reason = escape(option["name"]), option["reason"]
    about = escape(reason or option["type"])
    box = f'<input type="checkbox" name="ids" value="{escape(option["id"])}"{" disabled" if reason else ""}>'
    return f'<li><label>{box} {name} <span class="soft">{about}</span></label></li>'


def waiting(label: str, problem: str | None) -> Response[bytes]:
    """Return the page with a button to try again, because the connection is not finished."""
    sentence = problem or f"The connection to {label} is not finished yet."
    return page(f"Connect {label}", f'{paragraph(sentence)}<form method="post"><button>Try again</button></form>')


BEGIN_AGAIN = "To try again, ask for a new address where you got the one that led here."


def ended(row: PendingConnection, sentence: str) -> Response[bytes]:
    """Return the page of an address that no longer begins a connection, with the way back to the caller."""
    link = paragraph(BEGIN_AGAIN)
    if row.return_url is not None:
        back = _back(row.return_url, row, [("error", "connection_expired"), ("message", sentence)])
        link = f'<p><a href="{escape(back)}" rel="noreferrer">Return to {escape(host_name(row.return_url))}</a></p>'
    return page("Not connected", paragraph(sentence) + link, status=410)


def finished(row: PendingConnection, label: str) -> Response[bytes]:
    """Return the page with the result, which sends the person back to the caller."""
    error, names, back = (
        connection_error(row),
        [account["username"] for account in connected_accounts(row)],
        returned(row),
    )
    if error:
        return page("Not connected", paragraph(error["message"]) + ("" if back else paragraph(BEGIN_AGAIN)), go_to=back)
    if not names:
        return page(f"{label} has consented", paragraph("Return to where you began, and choose there."), go_to=back)
    end = "" if back else " You can close this page."
    return page("Connected", paragraph(f"{label}: {', '.join(names)}.{end}"), go_to=back)


def returned(row: PendingConnection) -> str | None:
    """Return where the person is sent back to, with what came of the connection; None if there is no such address."""
    if row.return_url is None:
        return None
    error, accounts = connection_error(row), connected_accounts(row)
    if error:
        parameters = [("error", error["code"]), ("message", error["message"])]
    elif accounts:
        parameters = [("accountId", account["account_id"]) for account in accounts]
    else:
        parameters = [("selectionId", row.id)]
    return _back(row.return_url, row, parameters)


def _back(url: str, row: PendingConnection, parameters: Sequence[tuple[str, str]]) -> str:
    query = urlencode([("connectionId", row.id), ("platform", row.platform), *parameters])
    return f"{url}{'&' if '?' in url else '?'}{query}"

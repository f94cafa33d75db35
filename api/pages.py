"""Serve what people, tools and monitors read without a key. No page here loads anything from elsewhere."""

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from litestar import Controller, Response, get
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from api.dependencies import Deps
from api.http.headers import HttpRequest, entity_tag, has_current
from api.openapi.document import document, servers
from domain.errors import InvalidRequest, NotFound, Problem
from reconcile.readiness import Parts, ready
from store.apps import app_document

PATH = "/apps"
_MISSING = Problem("There is no such app", "not_found")


class AppDocuments(Controller):
    """Route to the metadata of apps."""

    @get(PATH + "/{name:str}")
    async def app_metadata(self, name: FromPath[str], deps: Deps) -> Response[str]:
        """Return the metadata of an app; nothing in it is secret."""

        async def look_up() -> dict[str, Any] | None:
            async with deps.database.reading() as session:
                return await app_document(session, path)

        path = f"{PATH}/{name}"
        document = await deps.strangers.find(path, look_up) if name.isascii() and "\0" not in name else None
        if document is None:
            raise NotFound(_MISSING)
        headers = {"Cache-Control": "public, max-age=300", "X-Content-Type-Options": "nosniff"}
        return Response(json.dumps(document), media_type="application/json", headers=headers)


_FLAGS = {"true": True, "1": True, "false": False, "0": False}


class HealthEndpoints(Controller):
    """Endpoints for monitors and balancers; no API key is needed."""

    @get("/healthz")
    async def live(self) -> dict[str, str]:
        """Answer that the process lives."""
        return {"status": "ok"}

    @get("/readyz")
    async def takes_requests(self, request: HttpRequest, deps: Deps) -> Response[Parts]:
        """Return each part by name; 503 if this process takes no requests: without the database, or because it ends.

        Without Temporal or a worker it stays ready: posts are accepted, and are published later (ADR 1).
        """
        parts = await deps.readiness.parts_soon()
        if is_draining := bool(request.scope["state"].get("draining")):
            parts["draining"] = True
        return Response(parts, status_code=200 if parts["database"] and not is_draining else 503)

    @get("/statusz")
    async def status(self, deps: Deps, strict: FromQuery[str] = "false") -> Response[Parts]:
        """Return each part by name; with `strict`, 503 unless all are available. Raises InvalidRequest."""
        if strict.lower() not in _FLAGS:
            raise InvalidRequest(Problem("strict must be true or false", "invalid_field_value", "strict"))
        parts = await deps.readiness.parts()
        return Response(parts, status_code=200 if ready(parts) or not _FLAGS[strict.lower()] else 503)


_HOME = Path(__file__).with_name("home.html")
_DOCS = Path(__file__).with_name("docs.html")
_CONNECT = Path(__file__).with_name("connect.html")
_CALENDAR = Path(__file__).with_name("calendar.html")


def strict_policy(page: str, pictures: str = "data:") -> str:
    """Return a policy under which a page's own style and script run, and nothing else; it speaks to its own origin.

    `pictures`: the sources of the pictures that it may show.
    """
    elements = {tag: re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL) for tag in ("style", "script")}
    hashes = {
        tag: base64.b64encode(hashlib.sha256((match[1] if match else "").encode()).digest()).decode()
        for tag, match in elements.items()
    }
    return (
        f"default-src 'none'; style-src 'sha256-{hashes['style']}'; script-src 'sha256-{hashes['script']}'; "
        f"connect-src 'self'; img-src {pictures}; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    )


class PageEndpoints(Controller):
    """Endpoints of the API's document and of a page that shows it."""

    @get("/", sync_to_thread=False)
    def home(self) -> Response[bytes]:
        """Return a page that leads to the other pages."""
        return _page(_HOME)

    @get("/openapi.json", sync_to_thread=False)
    def openapi(self, request: HttpRequest) -> Response[bytes]:
        """Return the OpenAPI document, which names the address that the caller has asked; 304 if the caller has it."""
        parts = _parts()
        address = json.dumps(servers(str(request.base_url).rstrip("/")), ensure_ascii=False).encode()
        tag = entity_tag(parts.digest, address)
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if has_current(request, tag):
            return Response(b"", status_code=304, headers=headers, media_type="application/json")
        body = b"".join((parts.before, address, parts.after))
        return Response(body, media_type="application/json", headers=headers)

    @get("/docs", sync_to_thread=False)
    def docs(self) -> Response[bytes]:
        """Return a page that renders the document."""
        return _page(_DOCS)

    @get("/connect", sync_to_thread=False)
    def connect(self) -> Response[bytes]:
        """Return a page on which a person tries how accounts are connected."""
        return _page(_CONNECT)

    @get("/calendar", sync_to_thread=False)
    def calendar(self) -> Response[bytes]:
        """Return the page with a workspace's calendar."""
        return _page(_CALENDAR, "'self' data:")

    @get("/campaigns/{campaign_id:str}", sync_to_thread=False)
    def campaign(self, campaign_id: FromPath[str]) -> Redirect:
        """Redirect to the calendar of a campaign."""
        return Redirect(f"/calendar?view=campaign&campaignId={quote(campaign_id, safe='')}", status_code=302)


@cache
def _read(file: Path, pictures: str) -> tuple[bytes, str]:
    """Return a page, without the indentation of its lines, and its policy."""
    page = re.sub(r"\n +", "\n", file.read_text(encoding="utf-8"))
    return page.encode(), strict_policy(page, pictures)


def _page(file: Path, pictures: str = "data:") -> Response[bytes]:
    page, policy = _read(file, pictures)
    headers = {"Content-Security-Policy": policy, "Referrer-Policy": "same-origin"}
    return Response(page, media_type="text/html", headers=headers)


@dataclass(frozen=True, slots=True)
class _DocumentParts:
    """The document as it is served, before and after the address at which it is served."""

    before: bytes
    after: bytes
    digest: bytes


@cache
def _parts() -> _DocumentParts:
    """Return the parts of the document. It is large, and everybody may ask for it, at addresses of their choice."""
    mark = "\0"
    text = json.dumps(document() | {"servers": mark}, ensure_ascii=False)
    before, after = (part.encode() for part in text.split(json.dumps(mark)))
    return _DocumentParts(before, after, hashlib.sha256(before + after).digest())

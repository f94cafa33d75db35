"""Serve what people and tools read about this API. Nothing here loads anything from elsewhere."""

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import quote

from litestar import Controller, Response, get
from litestar.params import FromPath
from litestar.response import Redirect

from api.http.etags import entity_tag, has_current
from api.http.headers import HttpRequest
from api.openapi.document import document, servers

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
    def root(self) -> Redirect:
        """Redirect to the page of the document."""
        return Redirect("/docs", status_code=302)

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

"""Serve what people and tools read about this API. Nothing here loads anything from elsewhere."""

import base64
import hashlib
import json
import re
from pathlib import Path

from litestar import Controller, Response, get
from litestar.response import Redirect

from api.http.headers import HttpRequest
from api.openapi.document import document, servers

_DOCS = Path(__file__).with_name("docs.html")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:"

_CONNECT = Path(__file__).with_name("connect.html")


def strict_policy(page: str) -> str:
    """Return a policy under which a page's own style and script run, and nothing else; it speaks to its own origin."""
    found = {tag: re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL) for tag in ("style", "script")}
    hashes = {
        tag: base64.b64encode(hashlib.sha256((match[1] if match else "").encode()).digest()).decode()
        for tag, match in found.items()
    }
    return (
        f"default-src 'none'; style-src 'sha256-{hashes['style']}'; script-src 'sha256-{hashes['script']}'; "
        "connect-src 'self'; img-src data:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    )


class PageEndpoints(Controller):
    """Endpoints of the API's document and of a page that shows it."""

    @get("/", sync_to_thread=False)
    def root(self) -> Redirect:
        """Redirect to the page of the document."""
        return Redirect("/docs", status_code=302)

    @get("/openapi.json", sync_to_thread=False)
    def openapi(self, request: HttpRequest) -> Response[bytes]:
        """Return the OpenAPI document, which names the address that the caller has asked."""
        served = document() | {"servers": servers(str(request.base_url).rstrip("/"))}
        return Response(json.dumps(served, ensure_ascii=False).encode(), media_type="application/json")

    @get("/docs", sync_to_thread=False)
    def docs(self) -> Response[bytes]:
        """Return a page that renders the document."""
        return Response(_DOCS.read_bytes(), media_type="text/html", headers={"Content-Security-Policy": _POLICY})

    @get("/connect", sync_to_thread=False)
    def connect(self) -> Response[bytes]:
        """Return a page on which a person tries how accounts are connected."""
        page = _CONNECT.read_text(encoding="utf-8")
        headers = {"Content-Security-Policy": strict_policy(page), "Referrer-Policy": "same-origin"}
        return Response(page.encode(), media_type="text/html", headers=headers)

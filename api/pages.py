"""Serve what people and tools read about this API. Nothing here loads anything from elsewhere."""

import json
from pathlib import Path
from typing import Any

from litestar import Controller, Request, Response, get
from litestar.response import Redirect

from api.openapi.document import document, servers

_DOCS = Path(__file__).with_name("docs.html")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:"


class Pages(Controller):
    """Endpoints of the API's document and of a page that shows it."""

    @get("/", sync_to_thread=False)
    def root(self) -> Redirect:
        """Lead to the page."""
        return Redirect("/docs", status_code=302)

    @get("/openapi.json", sync_to_thread=False)
    def openapi(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """Return the OpenAPI document, which names the address that the caller has asked."""
        served = document() | {"servers": servers(str(request.base_url).rstrip("/"))}
        return Response(json.dumps(served, ensure_ascii=False).encode(), media_type="application/json")

    @get("/docs", sync_to_thread=False)
    def docs(self) -> Response[bytes]:
        """Return a page that renders the document."""
        return Response(_DOCS.read_bytes(), media_type="text/html", headers={"Content-Security-Policy": _POLICY})

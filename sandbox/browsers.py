"""Refuse requests that a web page of another origin lets a browser send to this machine.

Any page in a developer's browser can send requests to 127.0.0.1. It can also read the answers if its own name resolves
to that address (DNS rebinding). `Origin` and `Sec-Fetch-Site` reveal the first, `Host` the second.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import msgspec

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_CONTROL = "/_/"


class OwnOriginOnly:
    """An ASGI app that passes on requests that are addressed to one of its names and do not come from a foreign page.

    `called` and `to_change` are texts for the person whose request is refused.
    """

    def __init__(
        self,
        app: Any,
        names: Iterable[str] = (),
        *,
        called: str = "The sandbox",
        to_change: str = "Use 127.0.0.1, or start it with --host-names",
    ) -> None:
        self._app = app
        self._called = called
        self._to_change = to_change
        self._names = {name.strip("[]").lower() for name in (*LOOPBACK, *names)}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one ASGI event."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        status, reason = refusal
        body = msgspec.json.encode({"error": reason})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _refusal(self, scope: Any) -> tuple[int, str] | None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        if _host_name(host) not in self._names:
            return 403, f"{self._called} is not called by this name. {self._to_change}"
        origin = headers.get(b"origin", b"").decode("latin-1").lower()
        own = {f"{scheme}://{host.lower()}" for scheme in ("http", "https")}
        # People follow links to a platform's page of consent from any site; such a page has no effect by itself.
        follows = scope["method"] == "GET" and headers.get(b"sec-fetch-mode") == b"navigate"
        foreign = headers.get(b"sec-fetch-site") == b"cross-site" and (
            not follows or scope["path"].startswith(_CONTROL)
        )
        if (origin and origin not in own) or foreign:
            return 403, f"{self._called} takes no requests from other web pages"
        kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if scope["method"] == "POST" and scope["path"].startswith(_CONTROL) and kind != b"application/json":
            return 415, "Send JSON, with the header Content-Type: application/json"
        return None


def _host_name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None

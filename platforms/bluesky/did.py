"""Checks that a server really holds an account: the account's own DID document must name the server.

Anyone may run a server, and a server may claim to hold any account. Source: atproto.com/specs/did.
"""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from platforms.base import Connection
from platforms.bluesky.settings import BlueskyCredentials
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import Wire, json_object
from platforms.servers.address import origin

PLC = "https://plc.directory"
"""The host of the documents of `did:plc`; source: web.plc.directory."""

INDEX = "https://public.api.bsky.app"
"""The public host for what any account has published; source: docs.bsky.app, API hosts and auth."""

_PLC = re.compile(r"did:plc:[a-z0-9]{1,64}")
"""The directory's own ids have 24 characters; only the directory can say whether one exists."""
_WEB = re.compile(r"did:web:([a-z0-9-]+(?:\.[a-z0-9-]+)*)(?:%3[Aa]([0-9]{1,5}))?")
_SERVICE = "#atproto_pds"


async def check_server(connection: Connection[BlueskyCredentials], did: str) -> None:
    """Raise PlatformError unless the account's own document names the server at which it is reached.

    A server that is Bluesky's own or that the operator has set is trusted.
    """
    if connection.is_trusted:
        return
    endpoint = server_in(await read_document(connection, did), did)
    if endpoint is None or origin(endpoint) != origin(connection.credentials.service):
        where = f" That is at {origin(endpoint)}; connect it there." if endpoint else ""
        message = f"This server says that it holds the account {did}, but the account's own record does not.{where}"
        raise PlatformError(ErrorKind.REJECTED, message, code="not_its_server")


async def read_document(connection: Connection[BlueskyCredentials], did: str) -> dict[str, Any]:
    """Return the account's document. Raises PlatformError."""
    return await document_at(connection.wire, connection.credentials.service, did)


async def document_at(
    wire: Wire, service: str, did: str, read_error: Callable[[httpx.Response], PlatformError] | None = None
) -> dict[str, Any]:
    """Return the document of a DID, read over the wire to a server. Raises PlatformError."""
    return json_object(await wire.send("GET", _address(wire, service, did), read_error=read_error))


def server_in(document: dict[str, Any], did: str) -> str | None:
    """Return the address of the server that a DID's document names; None if it names none or is for another DID."""
    services = document.get("service") if document.get("id") == did else None
    for service in services if isinstance(services, list) else []:
        if isinstance(service, dict) and service.get("id") in {_SERVICE, did + _SERVICE}:
            endpoint = service.get("serviceEndpoint")
            return endpoint if isinstance(endpoint, str) and origin(endpoint) else None
    return None


def _address(wire: Wire, service: str, did: str) -> str:
    if _PLC.fullmatch(did) or wire.base_url != service:
        # A sandbox or emulator in the server's place plays all other hosts, too.
        return f"{wire.host(PLC)}/{quote(did, safe=':')}"
    if not (web := _WEB.fullmatch(did)):
        raise PlatformError(ErrorKind.REJECTED, "This server names the account in an unknown way.", code="unknown_did")
    host = web[1] + (f":{web[2]}" if web[2] else "")
    # If the operator allows a server to use plain http, its account's document is read by plain http, too.
    own = urlsplit(service)
    return f"{own.scheme if own.netloc == host else 'https'}://{host}/.well-known/did.json"

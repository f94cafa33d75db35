"""The way from a handle to the server that issues tokens: handle, DID, account's server, authorization server.

Each step is named by the one before. The last ones are compared again when tokens arrive, because anyone may run a
server, and it may claim to hold any account: the account's own DID document must name the server. Source:
atproto.com/specs/oauth, atproto.com/specs/handle, atproto.com/specs/did.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
from pydantic import SecretStr

from platforms.bluesky.rules import BlueskyConnection, BlueskyCredentials
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import Wire, json_object
from platforms.servers.outgoing import origin

PLC = "https://plc.directory"
"""The host of the documents of `did:plc`; source: web.plc.directory."""

INDEX = "https://public.api.bsky.app"
"""The public host for what any account has published; source: docs.bsky.app, API hosts and auth."""

_PLC = re.compile(r"did:plc:[a-z0-9]{1,64}")
"""The directory's own ids have 24 characters; only the directory can say whether one exists."""
_WEB = re.compile(r"did:web:([a-z0-9-]+(?:\.[a-z0-9-]+)*)(?:%3[Aa]([0-9]{1,5}))?")
_SERVICE = "#atproto_pds"


async def check_server(connection: BlueskyConnection, did: str) -> None:
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


async def read_document(connection: BlueskyConnection, did: str) -> dict[str, Any]:
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


OpenWire = Callable[[BlueskyCredentials], Wire]
"""Opens a wire to the server that credentials name."""

_HANDLE = re.compile(r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_DID = re.compile(r"did:(?:plc|web):[A-Za-z0-9._:%-]{1,200}")
_RESOURCE, _METADATA = "/.well-known/oauth-protected-resource", "/.well-known/oauth-authorization-server"


@dataclass(frozen=True, slots=True)
class Home:
    """An account's server, and the server that issues tokens for it."""

    did: str
    service: str
    issuer: str
    authorize: str
    token: str
    push: str


def at_server(service: str) -> BlueskyCredentials:
    """Return credentials that name a server, and nothing else."""
    return BlueskyCredentials(service=service, user_id="-", access_token=SecretStr("-"))


def place(wire: Wire, service: str, url: str) -> str:
    """Return the address at which to ask a server's URL. A sandbox in place of the account's server plays all hosts."""
    if wire.base_url == service:
        return url
    return wire.base_url + (httpx.URL(url).raw_path.decode() or "/")


async def find_home(open_wire: OpenWire, identifier: str) -> Home:
    """Return the home of the account of a handle or DID. Raises PlatformError, `rejected` if there is none."""
    name = identifier.strip().removeprefix("@")
    wire = open_wire(at_server(INDEX))
    did = name if name.startswith("did:") else await _resolve_handle(wire, name.lower())
    if not _DID.fullmatch(did):
        raise _refused(f"{identifier[:80]} names no account of the AT Protocol.", "unknown_did")
    try:
        document = await document_at(wire, INDEX, did, _unknown_did)
    except PlatformError as error:
        if did.startswith("did:plc:"):
            raise
        raise _unanswered(error) from error
    service = server_in(document, did)
    if service is None:
        raise _refused("The account's own record names no server.", "no_server")
    if name != did and f"at://{name.lower()}" not in _names(document):
        raise _refused(f"The account that {name[:80]} leads to has another name.", "another_handle")
    service = written_origin(service)
    try:
        return await _authorization_server(open_wire(at_server(service)), did, service)
    except PlatformError as error:
        raise _unanswered(error) from error


async def read_metadata(wire: Wire, service: str, issuer: str) -> dict[str, Any]:
    """Return an authorization server's own metadata. Raises PlatformError if they are not for this issuer."""
    answer = json_object(await wire.send("GET", place(wire, service, issuer + _METADATA), read_error=_away))
    if answer.get("issuer") != issuer:
        raise _refused(f"{issuer} does not answer as an authorization server.", "no_issuer")
    return answer


def endpoint(metadata: Mapping[str, Any], name: str) -> str:
    """Return an endpoint of an authorization server, which must be on that server. Raises PlatformError."""
    url = metadata.get(f"{name}_endpoint")
    if not isinstance(url, str) or len(url) > 500 or origin(url) != origin(str(metadata["issuer"])):
        raise _refused("The authorization server names an endpoint that is not its own, or none.", "no_endpoint")
    return url


def written_origin(url: str) -> str:
    """Return scheme, host and port of a server's address, as it writes them."""
    parts = httpx.URL(url)
    return f"{parts.scheme}://{parts.netloc.decode()}"


async def _resolve_handle(wire: Wire, handle: str) -> str:
    if not _HANDLE.fullmatch(handle):
        raise _refused(f"{handle[:80]} is no handle, such as alice.bsky.social.", "no_handle")
    path = f"{wire.host(INDEX)}/xrpc/com.atproto.identity.resolveHandle"
    answer = json_object(await wire.send("GET", path, params={"handle": handle}, read_error=_unknown_handle))
    return str(answer.get("did") or "")


async def _authorization_server(wire: Wire, did: str, service: str) -> Home:
    resource = json_object(await wire.send("GET", place(wire, service, service + _RESOURCE), read_error=_without_oauth))
    named = resource.get("authorization_servers")
    issuer = named[0] if isinstance(named, list) and len(named) == 1 else None
    if not isinstance(issuer, str) or len(issuer) > 300 or origin(issuer) is None or written_origin(issuer) != issuer:
        raise _refused(f"{service} names no authorization server.", "no_issuer")
    if not issuer.startswith("https:") and not service.startswith("http:"):
        raise _refused(f"{service} names an authorization server without https.", "no_issuer")
    metadata = await read_metadata(wire, service, issuer)
    return Home(
        did,
        service,
        issuer,
        endpoint(metadata, "authorization"),
        endpoint(metadata, "token"),
        endpoint(metadata, "pushed_authorization_request"),
    )


def _names(document: Mapping[str, Any]) -> list[Any]:
    names = document.get("alsoKnownAs")
    return [name.lower() for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _refused(message: str, code: str) -> PlatformError:
    return PlatformError(ErrorKind.REJECTED, message, code=code)


def _unanswered(error: PlatformError) -> PlatformError:
    """Return the refusal of a name whose server, which anyone may choose, does not answer."""
    if error.kind is ErrorKind.REJECTED:
        return error
    message = "The account's own server does not answer as such a server does. Check the name, or try again later."
    return _refused(message, "no_server")


def _refusal(message: str = "", code: str = "", *statuses: int) -> Callable[[httpx.Response], PlatformError]:
    """Return the mapping by which these statuses refuse what was asked for, and all others are temporary."""

    def read(response: httpx.Response) -> PlatformError:
        status = response.status_code
        if status in statuses:
            return _refused(message, code)
        away = "The account's server could not be asked how to authorize an app."
        return PlatformError(ErrorKind.TRANSIENT, away, code=f"http_{status}", status=status)

    return read


_unknown_handle = _refusal("No account on Bluesky has this handle. Check its spelling.", "unknown_handle", 400, 404)
_unknown_did = _refusal("There is no account of this DID. Check its spelling.", "unknown_did", 400, 404, 410)
_without_oauth = _refusal(
    "The account's server does not let people authorize apps. Connect the account with an app password.",
    *("without_oauth", 404, 501),
)
_away = _refusal()

"""The way from a handle to the server that issues tokens: handle, DID, account's server, authorization server.

Each step is named by the one before. The last ones are compared again when tokens arrive, because anyone may run a
server, and it may claim anything. Source: atproto.com/specs/oauth, atproto.com/specs/handle.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import httpx
from pydantic import SecretStr

from platforms.bluesky.did import INDEX, document_at, server_in
from platforms.bluesky.settings import BlueskyCredentials
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import Wire, json_object
from platforms.servers.address import origin

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

    def dump(self) -> dict[str, str]:
        """Return it as JSON."""
        return asdict(self)


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


def _unknown_handle(response: httpx.Response) -> PlatformError:
    if response.status_code in {400, 404}:
        return _refused("No account on Bluesky has this handle. Check its spelling.", "unknown_handle")
    return _away(response)


def _unknown_did(response: httpx.Response) -> PlatformError:
    if response.status_code in {400, 404, 410}:
        return _refused("There is no account of this DID. Check its spelling.", "unknown_did")
    return _away(response)


def _unanswered(error: PlatformError) -> PlatformError:
    """Return the refusal of a name whose server, which anyone may choose, does not answer."""
    if error.kind is ErrorKind.REJECTED:
        return error
    message = "The account's own server does not answer as such a server does. Check the name, or try again later."
    return _refused(message, "no_server")


def _without_oauth(response: httpx.Response) -> PlatformError:
    if response.status_code in {404, 501}:
        message = "The account's server does not let people authorize apps. Connect the account with an app password."
        return _refused(message, "without_oauth")
    return _away(response)


def _away(response: httpx.Response) -> PlatformError:
    message = "The account's server could not be asked how to authorize an app."
    return PlatformError(ErrorKind.TRANSIENT, message, code=f"http_{response.status_code}", status=response.status_code)

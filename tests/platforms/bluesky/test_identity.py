"""A server is believed only if the account's own document confirms it, and an app only if its proofs verify."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from platforms.base import AccountFacts, Connection
from platforms.bluesky import PLATFORM
from platforms.bluesky.identity import PLC, server_in
from platforms.bluesky.rules import BlueskyCredentials
from platforms.bluesky.session import Nonces, app_jwk, assertion, new_key, proof, thumbprint
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import Wire
from platforms.servers.outgoing import origin
from platforms.servers.reach import to_named_servers
from sandbox.authorization import OAuthError
from sandbox.platforms.bluesky import check_assertion
from tests.media.hostile import HostileServer, answer
from tests.platforms.rig import Rig

ISSUER, APP = "https://as.example", "https://app.example/client.json"


def decode_claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return claims


def test_a_proof_names_the_request_without_its_query() -> None:
    key = new_key()
    claims = decode_claims(proof(key, "POST", "https://pds.example/xrpc/a.b?c=d", nonce="n", token="t"))
    assert (claims["htm"], claims["htu"], claims["nonce"]) == ("POST", "https://pds.example/xrpc/a.b", "n")
    # SHA-256 of "t"
    assert claims["ath"] == "4_RVSp9XNFM1_Hh7HD0VNj6-yu0GffWsTIQQGwSRhKc" or len(claims["ath"]) == 43
    bare = decode_claims(proof(key, "GET", "https://pds.example/"))
    assert "nonce" not in bare
    assert "ath" not in bare
    assert bare["jti"] != claims["jti"]


def test_the_name_of_a_key_is_that_of_rfc_7638() -> None:
    # RFC 9449, figure 4 and 16: the key of its examples and its thumbprint.
    jwk = {
        "kty": "EC",
        "x": "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
        "y": "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA",
        "crv": "P-256",
    }
    assert thumbprint(jwk) == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"


def test_an_app_has_one_key_for_one_secret() -> None:
    assert app_jwk("secret") == app_jwk("secret")
    assert app_jwk("secret")["x"] != app_jwk("another")["x"]


def test_an_assertion_is_for_one_server_and_a_minute() -> None:
    token = assertion("secret", APP, ISSUER)
    now = decode_claims(token)["iat"]
    assert check_assertion(token, app_jwk("secret"), APP, ISSUER, now) == decode_claims(token)["jti"]
    for jwk, issuer, moment in (
        (app_jwk("another"), ISSUER, now),
        (app_jwk("secret"), "https://other.example", now),
        (app_jwk("secret"), ISSUER, now + 61),
    ):
        with pytest.raises(OAuthError):
            check_assertion(token, jwk, APP, issuer, moment)


def test_nonces_are_kept_for_each_server_and_not_for_ever() -> None:
    nonces = Nonces()
    nonces.remember("https://a.example/x?y=z", {"dpop-nonce": "1"})
    nonces.remember("https://a.example:444/", {"dpop-nonce": "2"})
    assert nonces.newest("https://a.example/other") == "1"
    nonces.remember("https://a.example/", {})
    nonces.remember("https://a.example/", {"dpop-nonce": "n" * 600})
    nonces.remember("https://a.example/", {"dpop-nonce": "a\nb"})
    assert nonces.newest("https://a.example/") == "1"
    for number in range(2_000):
        nonces.remember(f"https://{number}.example/", {"dpop-nonce": "n"})
    assert nonces.newest("https://a.example/") is None
    assert nonces.newest("https://1999.example/") == "n"


VICTIM = "did:plc:ewvi7nxzyoun6zhxrhs64oiz"
ELSEWHERE = "https://morel.us-east.host.bsky.network"


def document(did: str, endpoint: Any, **more: Any) -> dict[str, Any]:
    service = {"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": endpoint, **more}
    return {"id": did, "alsoKnownAs": ["at://victim.example"], "service": [service]}


class Server(HostileServer):
    """A server that opens sessions for any account it likes, and plays the directory of DIDs."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def claims(self, did: str) -> None:
        session = {"did": did, "handle": "victim.example", "accessJwt": "a", "refreshJwt": "r", "active": True}
        for name in ("createSession", "refreshSession", "getSession"):
            self.routes[f"/xrpc/com.atproto.server.{name}"] = answer(json.dumps(session).encode())

    def publishes(self, path: str, shown: dict[str, Any]) -> None:
        self.routes[path] = answer(json.dumps(shown).encode())


async def identify(server: Server) -> str:
    """Connect an account of the server, as an account of an unknown server is connected."""
    stored = BlueskyCredentials(service=server.url, user_id="ann.example", access_token=SecretStr("app password"))

    async def refresh() -> BlueskyCredentials:
        return (await PLATFORM.renew(connection)).credentials

    async def keep(change: Callable[[BlueskyCredentials], BlueskyCredentials]) -> BlueskyCredentials:
        return change(connection.credentials)

    async with to_named_servers([f"127.0.0.1:{server.port}"]) as transport:
        wire = Wire(transport, server.url, PLATFORM.label, PLATFORM.read_error, elsewhere={PLC: server.url})
        connection = Connection(wire, AccountFacts("", "", ""), stored, refresh, keep, is_trusted=False)
        return (await PLATFORM.whoami(connection)).user_id


async def refusal(server: Server) -> PlatformError:
    with pytest.raises(PlatformError) as raised:
        await identify(server)
    return raised.value


async def test_a_server_cannot_take_an_account_that_another_holds() -> None:
    async with Server().running() as server:
        assert isinstance(server, Server)
        server.claims(VICTIM)
        server.publishes(f"/{VICTIM}", document(VICTIM, ELSEWHERE))
        error = await refusal(server)
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "not_its_server")
    assert f"{ELSEWHERE}:443" in error.message


async def test_the_server_that_the_document_names_is_believed() -> None:
    async with Server().running() as server:
        assert isinstance(server, Server)
        server.claims(VICTIM)
        server.publishes(f"/{VICTIM}", document(VICTIM, f"{server.url}/"))
        assert await identify(server) == VICTIM


async def test_an_account_unknown_to_the_directory_is_refused() -> None:
    async with Server().running() as server:
        assert isinstance(server, Server)
        server.claims(VICTIM)
        assert (await refusal(server)).kind is ErrorKind.REJECTED


async def test_a_web_did_is_asked_of_its_own_host() -> None:
    async with Server().running() as server, Server().running() as victim:
        assert isinstance(server, Server)
        assert isinstance(victim, Server)
        own = f"did:web:127.0.0.1%3A{server.port}"
        server.claims(own)
        server.publishes("/.well-known/did.json", document(own, server.url))
        assert await identify(server) == own
        server.claims(f"did:web:127.0.0.1%3A{victim.port}")
        error = await refusal(server)
        # The request would go by https to a private address: it is not sent, and the claim is not believed.
        assert error.kind is ErrorKind.REJECTED
        assert victim.requests == []


@pytest.mark.parametrize("did", ["did:key:z6Mk", "did:web:a.example:path", "did:plc:../../x", "did:web:", "victim", ""])
async def test_other_names_are_no_accounts(did: str) -> None:
    async with Server().running() as server:
        assert isinstance(server, Server)
        server.claims(did)
        with pytest.raises(PlatformError):
            await identify(server)


@pytest.mark.parametrize(
    "shown",
    [
        {},
        document("did:plc:another", ELSEWHERE),
        document(VICTIM, None),
        document(VICTIM, "morel.host"),
        document(VICTIM, ELSEWHERE, id="#atproto_labeler"),
        {"id": VICTIM, "service": "none"},
        {"id": VICTIM, "service": [None, 1]},
    ],
)
def test_a_document_that_names_no_server(shown: dict[str, Any]) -> None:
    assert server_in(shown, VICTIM) is None


def test_a_document_may_name_its_services_in_full() -> None:
    assert server_in(document(VICTIM, ELSEWHERE, id=f"{VICTIM}#atproto_pds"), VICTIM) == ELSEWHERE


@pytest.mark.parametrize(
    ("first", "other", "same"),
    [
        ("https://pds.example", "https://PDS.example:443/", True),
        ("https://pds.example.", "https://pds.example", True),
        ("https://pds.example", "http://pds.example", False),
        ("https://pds.example", "https://pds.example.evil.example", False),
        ("https://pds.example", "https://pds.example@evil.example", False),
        ("https://pds.example:8443", "https://pds.example", False),
    ],
)
def test_servers_are_compared_by_their_origin(first: str, other: str, *, same: bool) -> None:
    assert (origin(first) == origin(other)) is same


@pytest.mark.parametrize(
    "address", ["", "pds.example", "ftp://pds.example", "https://", "https://a:b:c", "https://x:99999"]
)
def test_an_address_without_a_server_has_no_origin(address: str) -> None:
    assert origin(address) is None


async def test_a_session_of_another_account_is_not_taken(rig: Rig) -> None:
    await PLATFORM.whoami(rig.connection())
    rig.stored = rig.stored.model_copy(update={"did": VICTIM, "access_jwt": None})
    with pytest.raises(PlatformError) as raised:
        await PLATFORM.publish(rig.connection(), rig.context("not mine"))
    assert (raised.value.kind, raised.value.code) == (ErrorKind.AUTH, "another_account")

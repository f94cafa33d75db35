"""Bluesky by an authorization: the app, the person's consent, bound tokens and their renewal, against the sandbox."""

import asyncio
import secrets
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from platforms.access.registered_apps import App
from platforms.access.token_endpoint import CODE_REJECTED
from platforms.base import AccountFacts
from platforms.bluesky import PLATFORM
from platforms.bluesky.access import AUTHORIZATION_TOKENS, CONNECTOR, LOCAL_APP_TOKENS, TOKENS, BlueskyConnector
from platforms.bluesky.identity import INDEX, PLC
from platforms.bluesky.session import app_jwk
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import ServerMemory
from tests.platforms.authorizing import BACK, Authorization, query
from tests.platforms.post_steps import publish, refused
from tests.platforms.rig import Rig, Sandbox
from tests.platforms.sources import MediaFromUrl

APP = App("https://posts.example.com/apps/bluesky.json", SecretStr("an app's secret"))


@pytest.fixture
async def person(sandbox: Sandbox) -> str:
    """Create an account; returns its name."""
    name = f"p{secrets.token_hex(4)}"
    number = str(secrets.randbelow(10**12))
    known = {"platform": "bluesky", "accountId": PLATFORM.account_id(f"did:plc:{number}"), "userId": number}
    known |= {"username": name, "accessToken": secrets.token_urlsafe(24)}
    await sandbox.control("POST", "accounts", {"accounts": [known]})
    return name


def begun(sandbox: Sandbox) -> Authorization:
    played = f"{sandbox.url}/bluesky"
    return Authorization(CONNECTOR, sandbox.client, lambda _: played, {PLC: played, INDEX: played})


async def consent(sandbox: Sandbox, address: str, person: str) -> dict[str, str]:
    answer = await sandbox.client.get(f"{address}&sandbox_as={person}", headers={"User-Agent": "Mozilla/5.0"})
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"].startswith(BACK)
    return query(answer.headers["location"])


async def connected(sandbox: Sandbox, person: str, app: App | None = None) -> Rig:
    authorization = begun(sandbox)
    address = await authorization.begin(app, identifier=f"{person}.bsky.social")
    grant = await authorization.trade(await consent(sandbox, address, person))
    candidate = await authorization.account(grant)
    facts = AccountFacts(PLATFORM.account_id(candidate.id), candidate.id, candidate.name)
    return Rig(PLATFORM, sandbox, facts, candidate.credentials, MediaFromUrl(sandbox.client))


async def test_an_authorized_account_publishes_and_renews_without_a_password(sandbox: Sandbox, person: str) -> None:
    rig = await connected(sandbox, person)
    assert rig.stored.is_authorized
    assert rig.stored.service == "https://sandbox.host.bsky.network"
    assert PLATFORM.rules_for(rig.stored) is LOCAL_APP_TOKENS
    first = rig.stored
    await publish(rig, rig.context("by an authorization"))
    assert rig.stored is first
    await sandbox.control("DELETE", f"tokens?platform=bluesky&accountId={rig.account.account_id}&only=access")
    await publish(rig, rig.context("with renewed tokens"))
    assert rig.stored.refresh_token != first.refresh_token
    assert rig.stored.dpop_key == first.dpop_key
    assert [post["text"] for post in await rig.posts()] == ["with renewed tokens", "by an authorization"]


async def test_media_go_up_with_proofs(sandbox: Sandbox, person: str) -> None:
    rig = await connected(sandbox, person)
    await publish(rig, rig.context("with a picture", [sandbox.media("plain.jpg")]))
    [post] = await rig.posts()
    assert post["mediaCount"] == 1


async def test_a_refresh_token_that_comes_twice_ends_the_connection(sandbox: Sandbox, person: str) -> None:
    rig = await connected(sandbox, person)
    first = rig.stored
    renewed = await PLATFORM.renew(rig.connection())
    rig.stored = renewed.credentials
    await PLATFORM.whoami(rig.connection())
    rig.stored = first
    replayed = await refused(PLATFORM.renew(rig.connection()))
    assert (replayed.kind, replayed.code) == (ErrorKind.AUTH, "invalid_grant")
    rig.stored = renewed.credentials
    assert (await refused(PLATFORM.renew(rig.connection()))).kind is ErrorKind.AUTH


async def test_an_app_proves_who_it_is_by_its_key(sandbox: Sandbox, person: str) -> None:
    known = {"platform": "bluesky", "clientId": APP.client_id, "clientSecret": "", "redirectUris": [BACK]}
    jwk = {name: value for name, value in app_jwk(APP.secret).items() if name in {"kty", "crv", "x", "y"}}
    await sandbox.control("POST", "apps", {**known, "jwk": jwk})
    rig = await connected(sandbox, person, APP)
    assert PLATFORM.rules_for(rig.stored) is AUTHORIZATION_TOKENS
    assert rig.stored.client_secret is None
    rig.stored = rig.stored.model_copy(update={"client_secret": APP.client_secret})
    renewed = await PLATFORM.renew(rig.connection())
    rig.stored = renewed.credentials.model_copy(update={"client_secret": SecretStr("another secret")})
    wrong = await refused(PLATFORM.renew(rig.connection()))
    assert (wrong.kind, wrong.code) == (ErrorKind.OPERATOR, "invalid_client")
    rig.stored = renewed.credentials
    await PLATFORM.renew(rig.connection())


async def test_tokens_are_of_no_use_without_their_key(sandbox: Sandbox, person: str) -> None:
    rig = await connected(sandbox, person)
    other = await connected(sandbox, person)
    own = rig.stored
    rig.stored = own.model_copy(update={"dpop_key": other.stored.dpop_key, "refresh_token": None})
    assert (await refused(PLATFORM.whoami(rig.connection()))).kind is ErrorKind.AUTH
    rig.stored = own.model_copy(update={"dpop_key": other.stored.dpop_key})
    assert (await refused(PLATFORM.renew(rig.connection()))).kind is ErrorKind.AUTH


async def test_another_account_than_the_named_one_is_not_connected(sandbox: Sandbox, person: str) -> None:
    authorization = begun(sandbox)
    address = await authorization.begin(identifier=f"@{person}.bsky.social")
    grant = await authorization.trade(await consent(sandbox, address, "somebody_else"))
    with pytest.raises(PlatformError) as raised:
        await authorization.account(grant)
    assert raised.value.code == "another_account"


async def test_code_of_another_server_is_not_exchanged(sandbox: Sandbox, person: str) -> None:
    authorization = begun(sandbox)
    back = await consent(sandbox, await authorization.begin(identifier=f"{person}.bsky.social"), person)
    connector = authorization.connector
    assert isinstance(connector, BlueskyConnector)
    assert connector.is_issuer(back["iss"])
    for other in (None, "https://evil.example", back["iss"] + "/"):
        assert not connector.is_issuer(other)


async def test_a_code_works_once_and_with_its_verifier_only(sandbox: Sandbox, person: str) -> None:
    authorization = begun(sandbox)
    back = await consent(sandbox, await authorization.begin(identifier=f"{person}.bsky.social"), person)
    with pytest.raises(PlatformError) as raised:
        await authorization.trade(back, verifier="another" * 8)
    assert raised.value.code == CODE_REJECTED
    with pytest.raises(PlatformError) as raised:
        await authorization.trade(back)
    assert raised.value.code == CODE_REJECTED


@pytest.mark.parametrize(
    ("identifier", "code"),
    [
        ("nobody.bsky.social", "unknown_handle"),
        ("no handle", "no_handle"),
        ("a" * 300, "no_handle"),
        ("did:key:abc", "unknown_did"),
        ("did:plc:../../x", "unknown_did"),
    ],
)
async def test_an_identifier_without_an_account_is_refused(sandbox: Sandbox, identifier: str, code: str) -> None:
    raised = await refused(begun(sandbox).begin(identifier=identifier))
    assert (raised.kind, raised.code) == (ErrorKind.REJECTED, code)


class Answers:
    """A server that answers each path with this JSON, or with 404."""

    def __init__(self, **by_path: Any) -> None:
        self.by_path = by_path

    def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = self.by_path.get(request.url.path.rpartition("/")[2])
        return httpx.Response(404) if answer is None else httpx.Response(200, json=answer)


DID = "did:plc:" + "a" * 24
DOCUMENT = {
    "id": DID,
    "alsoKnownAs": ["at://ann.example"],
    "service": [{"id": "#atproto_pds", "serviceEndpoint": "https://pds.example"}],
}
RESOURCE = {"authorization_servers": ["https://as.example"]}
ENDPOINTS = {
    "issuer": "https://as.example",
    "authorization_endpoint": "https://as.example/a",
    "token_endpoint": "https://as.example/t",
    "pushed_authorization_request_endpoint": "https://as.example/p",
}


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({DID: DOCUMENT | {"alsoKnownAs": ["at://bob.example"]}}, "another_handle"),
        ({DID: DOCUMENT | {"alsoKnownAs": "at://ann.example"}}, "another_handle"),
        ({DID: DOCUMENT | {"service": []}}, "no_server"),
        ({DID: DOCUMENT | {"id": "did:plc:b"}}, "no_server"),
        ({"oauth-protected-resource": None}, "without_oauth"),
        ({"oauth-protected-resource": {}}, "no_issuer"),
        (
            {"oauth-protected-resource": {"authorization_servers": ["https://a.example", "https://b.example"]}},
            "no_issuer",
        ),
        ({"oauth-protected-resource": {"authorization_servers": ["https://as.example/path"]}}, "no_issuer"),
        ({"oauth-protected-resource": {"authorization_servers": ["http://as.example"]}}, "no_issuer"),
        ({"oauth-authorization-server": ENDPOINTS | {"issuer": "https://evil.example"}}, "no_issuer"),
        ({"oauth-authorization-server": ENDPOINTS | {"token_endpoint": "https://evil.example/t"}}, "no_endpoint"),
        ({"oauth-authorization-server": ENDPOINTS | {"token_endpoint": "https://as.example:x/t"}}, "no_endpoint"),
        ({"oauth-authorization-server": ENDPOINTS | {"pushed_authorization_request_endpoint": None}}, "no_endpoint"),
    ],
)
async def test_a_server_that_names_another_issuer_or_a_bad_endpoint_is_refused(
    changed: dict[str, Any], code: str
) -> None:
    answers = {
        "com.atproto.identity.resolveHandle": {"did": DID},
        DID: DOCUMENT,
        "oauth-protected-resource": RESOURCE,
        "oauth-authorization-server": ENDPOINTS,
    }
    async with httpx.AsyncClient(transport=httpx.MockTransport(Answers(**answers))) as client:
        authorization = Authorization(CONNECTOR, client, lambda credentials: credentials.service)
        home = await CONNECTOR.find_server(authorization.wire, {"identifier": "ann.example"})
        assert (home["service"], home["issuer"]) == ("https://pds.example", "https://as.example")
    async with httpx.AsyncClient(transport=httpx.MockTransport(Answers(**answers | changed))) as client:
        authorization = Authorization(CONNECTOR, client, lambda credentials: credentials.service)
        raised = await refused(CONNECTOR.find_server(authorization.wire, {"identifier": "ann.example"}))
        assert (raised.kind, raised.code) == (ErrorKind.REJECTED, code)


def test_an_app_of_this_machine_sends_people_back_to_it_alone() -> None:
    assert CONNECTOR.own_app("https://app.example/back") is None
    assert CONNECTOR.own_app("http://localhost:3000/back") is None
    app = CONNECTOR.own_app("http://[::1]:3000/back?x=1")
    assert app is not None
    assert query(app.client_id) == {
        "redirect_uri": "http://[::1]:3000/back?x=1",
        "scope": "atproto transition:generic",
    }


def test_the_metadata_of_an_app_show_its_public_key_alone() -> None:
    document = CONNECTOR.document(APP, ["https://app.example/back", "http://localhost/back"])
    assert document is not None
    assert document["client_id"] == APP.client_id
    assert document["redirect_uris"] == ["https://app.example/back"]
    assert document["token_endpoint_auth_method"] == "private_key_jwt"
    assert [set(key) for key in document["jwks"]["keys"]] == [{"kty", "crv", "x", "y", "kid", "alg", "use"}]
    assert APP.secret not in str(document)
    assert CONNECTOR.document(App(APP.client_id), []) is None


async def test_an_app_without_a_key_is_the_operators_mistake(sandbox: Sandbox, person: str) -> None:
    raised = await refused(begun(sandbox).begin(App(APP.client_id), identifier=f"{person}.bsky.social"))
    assert raised.kind is ErrorKind.OPERATOR


def test_sessions_of_app_passwords_keep_their_rules() -> None:
    session = PLATFORM.credentials.model_validate({"identifier": "ann.example", "password": "x"})
    assert PLATFORM.rules_for(session) is TOKENS
    assert PLATFORM.can_renew(session)
    assert not PLATFORM.can_renew(session.model_copy(update={"dpop_key": SecretStr("k")}))


async def test_many_requests_at_once_need_one_nonce_each_at_most(sandbox: Sandbox, person: str) -> None:
    rig = await connected(sandbox, person)
    rig.memory = ServerMemory()
    identities = await asyncio.gather(*(PLATFORM.whoami(rig.connection()) for _ in range(10)))
    assert {identity.user_id for identity in identities} == {rig.account.user_id}

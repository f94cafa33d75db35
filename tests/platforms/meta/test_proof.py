"""Apps that require a proof of their secret with every call of the Graph API."""

import logging
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from platforms.base import Draft, Published
from platforms.errors import ErrorKind, PlatformError
from platforms.facebook import videos
from platforms.meta.graph import MetaCredentials, app_proof
from platforms.registry import platforms
from sandbox.graph import APP_SECRET
from tests.platforms.rig import Connect, Rig

POSTS: list[tuple[str, list[str], dict[str, Any]]] = [
    ("facebook", [], {"firstComment": "first"}),
    ("facebook", ["a.jpg"], {}),
    ("facebook", ["a.mp4"], {}),
    ("facebook", ["a.mp4"], {"contentType": "reel"}),
    ("instagram", ["a.jpg", "b.jpg"], {"firstComment": "first"}),
    ("threads", ["a.jpg"], {"threadItems": [{"content": "second"}]}),
]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(videos, "CHECK_PAUSES", (0, 0.01))


async def publish(rig: Rig, client: httpx.AsyncClient | None, names: list[str], settings: dict[str, Any]) -> None:
    platform, connection = rig.platform, rig.connection(client)
    media = [rig.sandbox.media(name) for name in names]
    context = rig.context("Hello", media, settings=settings, started_at=datetime.now(UTC))
    await platform.whoami(connection)
    if platform.prepares(context.draft):
        await platform.prepare(connection, context)
    published = await platform.complete(connection, context, await platform.publish(connection, context))
    assert published.warning is None
    assert isinstance(await platform.confirm(connection, context), Published)


@pytest.mark.parametrize(("platform", "names", "settings"), POSTS)
async def test_every_call_proves_the_apps_secret(
    connect: Connect, platform: str, names: list[str], settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    rig = await connect(platform, credentials={"clientSecret": APP_SECRET})
    await rig.sandbox.switch_on(platform, "app_secret_required", rig.account.account_id)
    with caplog.at_level(logging.DEBUG, logger="httpcore"):
        await publish(rig, None, names, settings)
    proof = app_proof(rig.stored)["appsecret_proof"]
    assert len(proof) == 64
    messages = [record.getMessage() for record in caplog.records if record.name.startswith("httpcore")]
    assert messages
    assert not [line for line in messages if proof in line or APP_SECRET in line]


@pytest.mark.parametrize("platform", ["facebook", "instagram", "threads"])
@pytest.mark.parametrize(
    ("credentials", "words"),
    [({}, "wants another proof"), ({"clientSecret": "another app's"}, "Check clientSecret")],
)
async def test_a_missing_or_wrong_proof_waits_for_the_operator(
    connect: Connect, platform: str, credentials: dict[str, Any], words: str
) -> None:
    rig = await connect(platform, credentials=credentials)
    await rig.sandbox.switch_on(platform, "app_secret_required", rig.account.account_id)
    with pytest.raises(PlatformError) as caught:
        await rig.platform.whoami(rig.connection())
    assert (caught.value.kind, caught.value.code) == (ErrorKind.OPERATOR, "app_secret")
    assert words in caught.value.message


@pytest.mark.parametrize("name", ["facebook", "instagram", "threads"])
def test_the_app_is_named_by_its_client_id(name: str) -> None:
    platform = platforms()[name]
    credentials = platform.credentials.model_validate({"accessToken": "t", "clientId": "123", "clientSecret": "s"})
    assert platform.app_id(credentials) == "123"
    assert "clientSecret" not in repr(credentials)
    assert "'s'" not in repr(credentials)


@pytest.mark.parametrize("name", ["facebook", "instagram", "threads"])
def test_a_missing_proof_holds_no_account_that_has_one(name: str) -> None:
    platform = platforms()[name]
    draft = Draft("Hi", (), platform.settings())
    for more, held in (({}, True), ({"clientSecret": "s"}, False)):
        credentials = platform.credentials.model_validate({"accessToken": "t", **more})
        assert platform.refusal_applies("app_secret", credentials, draft) is held
        assert platform.refusal_applies("200", credentials, draft)


def test_the_proof_is_the_digest_of_the_token_under_the_secret() -> None:
    """The digest was made with `openssl dgst -sha256 -hmac secret`."""
    credentials = MetaCredentials(access_token=SecretStr("token"), client_secret=SecretStr("secret"))
    expected = "e941110e3d2bfe82621f0e3e1434730d7305d106c5f68c87165d0b27a4611a4a"
    assert app_proof(credentials) == {"appsecret_proof": expected}
    assert app_proof(MetaCredentials(access_token=SecretStr("token"))) == {}

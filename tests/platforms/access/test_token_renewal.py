"""Tokens that end are renewed once by their refresh token; what cannot be renewed must be reconnected."""

import pytest
from pydantic import SecretStr

from platforms.access.oauth import TOKEN_RENEWED
from platforms.access.renewal import Renews
from platforms.errors import ErrorKind
from platforms.registry import platforms
from tests.platforms.forms import FORMS, Form, quick
from tests.platforms.post_steps import publish, refused
from tests.platforms.rig import Connect, Rig

__all__ = ["quick"]

RENEWED = [
    name
    for name, platform in platforms().items()
    if isinstance(platform, Renews) and not platform.tokens.renews_itself and name != "bluesky"
]
"""Platforms of which an access token is renewed by a refresh token. Bluesky's sessions have tests of their own."""
USED_ONCE = {"pinterest", "tiktok", "twitter"}
"""Platforms of which each renewal brings another refresh token."""
RENEWED_BEFORE = {"tiktok", "youtube"}
"""Platforms that are asked something else before the public request, so that the token is renewed then."""
YESTERDAY = SecretStr("a token of yesterday")


def choose_form(name: str) -> Form:
    """Return a simple form of post that is published by one public request."""
    return next(form for form in FORMS if form.platform == name)


async def with_old_token(connect: Connect, name: str, refresh_token: str | None) -> Rig:
    """Connect an account whose access token has ended."""
    app = {"clientId": "app", "clientSecret": "app-s3cret"}
    rig = await connect(name, credentials={"refreshToken": refresh_token, **app} if refresh_token else {})
    if name == "googlebusiness":
        await rig.platform.whoami(rig.connection())
    rig.stored = rig.stored.model_copy(update={"access_token": YESTERDAY})
    return rig


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", RENEWED)
async def test_an_expired_token_is_renewed_once(connect: Connect, name: str) -> None:
    rig = await with_old_token(connect, name, f"once-{name}")
    old, before = rig.stored, len(await rig.operations())
    context = choose_form(name).context(rig)
    if name not in RENEWED_BEFORE:
        # A public request is not repeated in the same step.
        assert (await refused(publish(rig, context))).code == TOKEN_RENEWED
    await publish(rig, context)
    assert (await rig.operations())[before:].count("auth") == 1
    assert len(await rig.posts()) == 1
    assert rig.stored.access_token != old.access_token
    assert (rig.stored.refresh_token != old.refresh_token) is (name in USED_ONCE)
    assert (rig.stored.client_id, rig.stored.client_secret) == (old.client_id, old.client_secret)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("refresh_token", [None, "s3cret-of-another"])
@pytest.mark.parametrize("name", RENEWED)
async def test_a_token_that_cannot_be_renewed_must_be_replaced(
    connect: Connect, name: str, refresh_token: str | None
) -> None:
    rig = await with_old_token(connect, name, refresh_token and f"known-{name}")
    if refresh_token:
        rig.stored = rig.stored.model_copy(update={"refresh_token": SecretStr(refresh_token)})
    error = await refused(publish(rig, choose_form(name).context(rig)))
    assert error.kind is ErrorKind.AUTH
    assert await rig.posts() == []
    shown = f"{error!r}{vars(error)!r}{error.__cause__!r}{rig.connection()!r}"
    assert not [secret for secret in ("s3cret", YESTERDAY.get_secret_value()) if secret in shown]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize("name", RENEWED)
async def test_a_renewal_that_fails_sends_nothing(connect: Connect, name: str, status: int) -> None:
    rig = await with_old_token(connect, name, f"failing-{name}-{status}")
    await rig.sandbox.fault(name, "reject", "auth", status=status, body={})
    error = await refused(publish(rig, choose_form(name).context(rig)))
    assert error.kind is ErrorKind.TRANSIENT
    assert await rig.posts() == []

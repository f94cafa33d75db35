"""Tokens of accounts: in no log, no error and no repr, and in an address only if the platform demands it there."""

import io
import logging
import traceback

import pytest
from pydantic import SecretStr, ValidationError

from platforms.registry import platforms
from runtime.logging import configure
from tests.platforms.forms import FIRST, FORMS, Form, quick
from tests.platforms.post_steps import lost, publish
from tests.platforms.rig import Connect

__all__ = ["quick"]

IN_ADDRESSES = {("telegram", ""), ("discord", "webhook")}
"""Platform and kind of account of which every address contains the token."""
RICHEST = {(form.platform, form.account): form for form in FORMS}.values()
PLACES = {"discord": {"channelId": "1"}, "telegram": {"chatId": "@news"}, "bluesky": {"identifier": "ada.test"}}
RENEWING = {"refreshToken": "refresh_token", "clientSecret": "client_secret"}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("form", FIRST, ids=str)
async def test_the_token_is_in_no_log_and_no_error(connect: Connect, form: Form) -> None:
    rig = await form.open(connect)
    token = rig.stored.access_token.get_secret_value()
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    faults = ("drop", "accept_then_drop", "accept_then_500", "rate_limited")
    try:
        configure("debug", "json", stream)
        for fault in faults:
            error = await lost(rig, form.context(rig, f"Failing by {fault}"), fault)
            logging.getLogger("test").error("failed", exc_info=error)
            assert token not in "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
        await publish(rig, form.context(rig))
    finally:
        root.handlers[:], root.level = handlers, level
    assert stream.getvalue().count("failed") >= len(faults)
    assert token not in stream.getvalue()
    assert token not in repr(rig.stored) + repr(rig.exchanges) + repr(rig.connection())


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("form", [*FIRST, *RICHEST], ids=str)
async def test_the_token_is_in_no_address(connect: Connect, form: Form) -> None:
    rig = await form.open(connect)
    await publish(rig, form.context(rig))
    addresses = [str(request.url) for request in rig.sent]
    secrets = [value.get_secret_value() for _, value in rig.stored if isinstance(value, SecretStr)]
    shown = any(secret in address for address in addresses for secret in secrets)
    assert shown is ((form.platform, form.account) in IN_ADDRESSES)


@pytest.mark.parametrize("name", platforms())
def test_credentials_show_no_secret(name: str) -> None:
    model = platforms()[name].credentials
    credentials = {"accessToken": "s3cret-1", **PLACES.get(name, {})}
    credentials |= {alias: "s3cret-2" for alias, field in RENEWING.items() if field in model.model_fields}
    read = model.model_validate(credentials)
    assert "s3cret" not in f"{read!r} {read} {read.model_dump_json()}"
    with pytest.raises(ValidationError) as caught:
        model.model_validate({**credentials, "accessToken": 1, "other": "s3cret-3"})
    assert "s3cret" not in str(caught.value)

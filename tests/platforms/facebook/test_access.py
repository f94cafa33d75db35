"""At Facebook, only the access of the person to whom our app's token belongs is removed."""

from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from platforms.access.registered_apps import App
from platforms.errors import ErrorKind, PlatformError
from platforms.facebook.access import CONNECTOR
from platforms.facebook.rules import FacebookCredentials
from platforms.http.wire import Wire

CREDENTIALS = FacebookCredentials.model_validate({"accessToken": "a-token"})


async def revoke(data: Any, sent: list[str]) -> None:
    """Revoke a token of which Facebook reports `data`; note the requests."""

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(f"{request.method} {request.url.path}")
        return httpx.Response(200, json={"data": data} if request.method == "GET" else {"success": True})

    wire = Wire(httpx.MockTransport(answer), "https://graph.example", "Facebook", CONNECTOR.read_error)
    await CONNECTOR.revoke(wire, App("1", SecretStr("a-secret")), CREDENTIALS)


async def test_the_app_is_removed_for_the_tokens_person() -> None:
    sent: list[str] = []
    await revoke({"app_id": "1", "is_valid": True, "user_id": "77"}, sent)
    asked, removed = sent
    assert asked.endswith("/debug_token")
    assert removed.startswith("DELETE ")
    assert removed.endswith("/77/permissions")


async def test_a_token_that_has_ended_already_needs_no_removal() -> None:
    sent: list[str] = []
    await revoke({"app_id": "1", "is_valid": False}, sent)
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"app_id": "2", "is_valid": True, "user_id": "77"}, ErrorKind.REJECTED),
        ({"is_valid": True, "user_id": "77"}, ErrorKind.REJECTED),
        ({"app_id": "1", "is_valid": True}, ErrorKind.TRANSIENT),
        ({"app_id": "1", "is_valid": True, "user_id": 77}, ErrorKind.TRANSIENT),
        ({"app_id": "1", "is_valid": True, "user_id": "me"}, ErrorKind.TRANSIENT),
        ({"app_id": "1", "is_valid": True, "user_id": "77/../88"}, ErrorKind.TRANSIENT),
        ("nothing", ErrorKind.REJECTED),
    ],
)
async def test_nothing_is_removed_for_a_person_who_may_be_another(data: Any, kind: ErrorKind) -> None:
    sent: list[str] = []
    with pytest.raises(PlatformError) as caught:
        await revoke(data, sent)
    assert caught.value.kind is kind
    assert [request.split()[0] for request in sent] == ["GET"]

"""A web page in a developer's browser cannot reach the sandbox."""

import httpx
import pytest

from sandbox.browsers import OwnOriginOnly
from tests.sandbox.conftest import Sandbox


@pytest.fixture(scope="module")
def served() -> bool:
    return True


PATHS = ["/", "/_/posts", "/_/faults", "/_/unknown", "/twitter/2/users/me", "/mastodon/api/v2/instance"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1.evil.example:{port}", "", "[::1"])
async def test_foreign_name_that_resolves_here_is_refused(shared: Sandbox, path: str, host: str) -> None:
    port = httpx.URL(shared.url).port
    answer = await shared.control.get(path, headers={"Host": host.format(port=port)})
    assert answer.status_code == 403
    assert "not called by this name" in answer.json()["error"]


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "LOCALHOST", "[::1]:{port}"])
async def test_this_machine_is_called_by_its_own_names(shared: Sandbox, host: str) -> None:
    headers = {"Host": host.format(port=httpx.URL(shared.url).port)}
    assert (await shared.control.get("/_/posts", headers=headers)).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://127.0.0.1"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_foreign_page_changes_nothing(shared: Sandbox, headers: dict[str, str], method: str) -> None:
    await shared.fault("twitter", "rate_limited")
    before = (await shared.control.get("/_/faults")).json()
    body = {"platform": "twitter", "fault": "drop"} if method == "POST" else None
    answer = await shared.control.request(method, "/_/faults", json=body, headers=headers)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    assert (await shared.control.get("/_/faults")).json() == before
    await shared.control.delete("/_/faults")


async def test_its_own_page_is_served(shared: Sandbox) -> None:
    headers = {"Origin": shared.url, "Sec-Fetch-Site": "same-origin"}
    assert (await shared.control.get("/_/feed", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "kind", [None, "text/plain", "application/x-www-form-urlencoded", "text/plain;application/json"]
)
@pytest.mark.parametrize("path", ["/_/faults", "/_/accounts"])
async def test_a_form_controls_nothing(shared: Sandbox, path: str, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    answer = await shared.control.post(path, content=b'{"accounts": []}', headers=headers)
    assert answer.status_code == 415
    assert "application/json" in answer.json()["error"]


async def test_other_names_are_those_it_was_started_with() -> None:
    async def app(scope: object, receive: object, send: object) -> None:
        answered.append(scope)

    async def send(message: object) -> None:
        pass

    answered: list[object] = []
    guarded = OwnOriginOnly(app, ["0.0.0.0", "Sandbox.lan"])
    for host in (b"sandbox.lan:8025", b"other.lan:8025"):
        scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"host", host)]}
        await guarded(scope, None, send)
    assert len(answered) == 1

"""The address and the key that a program gives the Python client."""

import json
import socket
import threading
from pathlib import Path

import httpx
import pytest

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(400), pytest.mark.usefixtures("client_package")]
URL, KEY = "https://api.test", "sk_a_key_that_no_text_shows"
REFUSED = [
    (URL, "sk_two words"),
    (URL, "sk_two\nlines"),
    (URL, "sk_ü"),
    ("posts.example.com", KEY),
    ("ftp://posts.example.com", KEY),
    ("https://name:word@posts.example.com", KEY),
    ("https://posts.example.com?key=1", KEY),
    ("https://", KEY),
]


def test_a_key_that_was_read_from_a_file_may_end_with_a_line_break() -> None:
    from socialsyncer_client import Client

    keys = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Authorization"])
        return httpx.Response(200, json={"posts": [], "hasMore": False})

    for key in (KEY, f"{KEY}\n", f" {KEY}\r\n"):
        with Client(f"{URL}\n", key, transport=httpx.MockTransport(answer)) as client:
            client.list_posts()
    assert keys == [f"Bearer {KEY}"] * 3


def test_a_key_goes_over_http_only_to_this_machine_or_if_that_is_asked_for() -> None:
    from socialsyncer_client import AsyncClient, Client

    for kind in (Client, AsyncClient):
        for host in ("localhost", "127.0.0.1", "127.3.2.1", "[::1]", "api.localhost"):
            kind(f"http://{host}:8080", KEY)
        for host in ("posts.example.com", "10.0.0.1", "localhost.example.com", "127.0.0.1.example.com", "[::2]"):
            with pytest.raises(ValueError, match="https://"):
                kind(f"http://{host}", KEY)
            kind(f"http://{host}", KEY, allow_http=True)


def test_proxies_of_the_environment_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    from socialsyncer_client import Client

    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as proxy:

        def answer() -> None:
            connection, _ = proxy.accept()
            asked.append(connection.recv(100))
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        with pytest.raises(Exception, match="got no answer"), Client(URL, KEY, attempts=1) as client:
            client.list_posts()
        thread.join()
    assert asked[0].startswith(b"CONNECT api.test:443 ")


MISSING_IDS = json.loads(Path(__file__).with_name("missing_ids.json").read_text())


async def test_an_id_that_is_missing_is_a_mistake() -> None:
    from socialsyncer_client import AsyncClient, Client

    with Client(URL, KEY) as client:
        for method in (client.get_post, client.get_media, client.get_campaign, client.get_webhook, client.delete_post):
            for part in MISSING_IDS:
                with pytest.raises(ValueError, match="An id of the path is missing"):
                    method(part)
        with pytest.raises(ValueError, match="An id of the path is missing"):
            client.upload(__file__, resume="")
    async with AsyncClient(URL, KEY) as async_client:
        for part in MISSING_IDS:
            with pytest.raises(ValueError, match="An id of the path is missing"):
                await async_client.get_post(part)


def test_a_client_refuses_what_is_no_key_or_address() -> None:
    from socialsyncer_client import AsyncClient, Client

    for url, key in REFUSED:
        for kind in (Client, AsyncClient):
            with pytest.raises(ValueError, match=r"key has|address must be|must begin") as caught:
                kind(url, key)
            assert key not in str(caught.value)


async def test_a_single_call_may_have_a_timeout_of_its_own() -> None:
    from socialsyncer_client import AsyncClient, Client

    read: list[tuple[float, float]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        timeout = request.extensions["timeout"]
        read.append((timeout["connect"], timeout["read"]))
        return httpx.Response(200, json={"posts": [], "hasMore": False})

    with Client(URL, KEY, timeout=30, transport=httpx.MockTransport(answer)) as client:
        client.with_timeout(2).list_posts()
        client.list_posts()
    async with AsyncClient(URL, KEY, timeout=30, transport=httpx.MockTransport(answer)) as client:
        await client.with_timeout(2).list_posts()
        await client.list_posts()
    assert read == [(2, 2), (10, 30)] * 2

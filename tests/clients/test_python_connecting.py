"""The address and the key that a program gives the Python client."""

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


def test_a_client_refuses_what_is_no_key_or_address() -> None:
    from socialsyncer_client import AsyncClient, Client

    for url, key in REFUSED:
        for kind in (Client, AsyncClient):
            with pytest.raises(ValueError, match=r"key has|address must be") as caught:
                kind(url, key)
            assert key not in str(caught.value)

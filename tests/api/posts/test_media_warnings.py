"""Warnings about media at addresses that are not on the public internet, before any worker sees them."""

import secrets
from typing import Any

import pytest

from api.posts.media_checks import local_media_warnings
from domain.content import PostContent
from domain.post import Media, MediaType
from media.local_hosts import LocalHosts
from tests.api.conftest import Client
from tests.stack import Stack

LOCAL = "http://localhost:3000/photo.jpg"
PUBLIC = "https://photos.example.com/photo.jpg"
DISTANT = "2030-02-01T14:00:00Z"


def words(about: str) -> str:
    return f"{about} {secrets.token_hex(4)}"


def image(url: str) -> dict[str, str]:
    return {"type": "image", "url": url}


def body(stack: Stack, **fields: Any) -> dict[str, Any]:
    target = {"platform": "twitter", "accountId": stack.accounts["twitter"].id}
    return {"content": words("local media"), "platforms": [target], "scheduledFor": DISTANT, **fields}


@pytest.mark.parametrize(
    ("url", "host"),
    [
        (LOCAL, "localhost:3000"),
        ("http://LOCALHOST./a.jpg", "localhost."),
        ("https://app.localhost/a.jpg", "app.localhost"),
        ("http://127.0.0.1:8000/a.jpg", "127.0.0.1:8000"),
        ("http://user:word@10.0.0.7/a.jpg", "10.0.0.7"),
        ("http://[::1]:3000/a.jpg", "[::1]:3000"),
        ("http://169.254.169.254/latest", "169.254.169.254"),
        (PUBLIC, None),
        ("https://8.8.8.8/a.jpg", None),
        ("http://nas:8080/a.jpg", None),
        ("https://localhost.example.com/a.jpg", None),
    ],
)
def test_addresses_show_whether_their_host_is_local(url: str, host: str | None) -> None:
    assert LocalHosts().refused_host(url) == host


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (LOCAL, "this host is not on the public internet"),
        ("https://photos.example.com:22/a.jpg", "this port is not called, only 80, 443 and those from 1024 on"),
        ("https://ada:word@photos.example.com/a.jpg", "the address holds a user name or password"),
    ],
)
def test_addresses_show_why_they_are_refused_without_their_secrets(url: str, why: str) -> None:
    host, reason = LocalHosts().why_refused(url) or ("", "")
    assert reason == why
    assert "word" not in host
    assert LocalHosts().why_refused(PUBLIC) is None


def test_hosts_that_the_operator_allows_get_no_warning() -> None:
    content = PostContent(media_items=[Media(type=MediaType.IMAGE, url=LOCAL)], targets=[])
    assert [warning.param for warning in local_media_warnings(content, LocalHosts(["localhost:3001"]))] == [
        "mediaItems.0"
    ]
    assert local_media_warnings(content, LocalHosts(["localhost:3000"])) == []
    assert local_media_warnings(content, LocalHosts(samples_url="http://localhost:3000")) == []


async def test_validate_names_local_media_without_fetching(api: Client, stack: Stack) -> None:
    post = body(stack, mediaItems=[image(PUBLIC), image(LOCAL)])
    verdict = (await api.post("/v1/posts/validate", json=post)).json()
    assert verdict["valid"]
    (warning,) = [entry for entry in verdict["warnings"] if entry["code"] == "media_refused"]
    assert warning["param"] == "mediaItems.1"
    assert warning["error"].startswith("The image at localhost:3000 will not be fetched")


async def test_answers_warn_of_local_media_until_they_are_corrected(api: Client, stack: Stack) -> None:
    created = (await api.send_post(body(stack, mediaItems=[image(LOCAL)]))).json()
    path = f"/v1/posts/{created['id']}"
    assert [warning["code"] for warning in created["warnings"]] == ["media_refused"]
    assert (await api.get(path)).json()["warnings"] == created["warnings"]
    renamed = (await api.patch(path, json={"content": words("another text")})).json()
    assert renamed["warnings"] == created["warnings"]
    corrected = (await api.patch(path, json={"mediaItems": [image(PUBLIC)]})).json()
    assert "warnings" not in corrected
    own = {**corrected["platforms"][0], "customMedia": [image(LOCAL)]}
    changed = await api.patch(path, json={"platforms": [own]})
    assert [warning["code"] for warning in changed.json()["warnings"]] == ["media_refused"]


async def test_refusal_names_the_host_and_the_reason(api: Client, stack: Stack) -> None:
    post = {**body(stack, mediaItems=[image(LOCAL)]), "scheduledFor": None, "publishNow": True}
    (target,) = (await api.send_post(post)).json()["platforms"]
    assert target["error"] == "The image at localhost is not fetched: localhost is not on the public internet."

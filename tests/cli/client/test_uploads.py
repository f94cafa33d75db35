"""`socialsyncer upload` as a person at a terminal, and as a script, uses it."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result
from litestar import Litestar

from cli.client.uploads import IN_PARTS_FROM
from cli.main import main
from storage.base import PART
from tests.api.media.files import JPEG as PICTURE
from tests.cli.client.conftest import Terminal
from tests.cli.client.scripted import DROP, answering
from tests.fetching import fetching_uploads
from tests.stack import Stack

VIDEO = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom"


@pytest.fixture
def large(tmp_path: Path) -> bytes:
    """The bytes of large.mp4, which has three parts and begins as a video does."""
    content = VIDEO + os.urandom(IN_PARTS_FROM + 1000)
    (tmp_path / "large.mp4").write_bytes(content)
    return content


async def test_a_file_is_uploaded_and_named_by_a_post(terminal: Terminal, stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(PICTURE)
    uploaded = await terminal.run("upload", "photo.jpg")
    assert uploaded.exit_code == 0, uploaded.output
    address = uploaded.output.strip()
    assert address.endswith("/photo.jpg")
    account = f"twitter/{stack.accounts['twitter'].id}"
    post = await terminal.run("post", "create", "With a file", "--account", account, "--draft", "--media", address)
    assert post.exit_code == 0, post.output
    shown = json.loads((await terminal.run("upload", "photo.jpg", "--json")).output)
    assert (shown["state"], shown["size"], shown["sha256"]) == (
        "ready",
        len(PICTURE),
        hashlib.sha256(PICTURE).hexdigest(),
    )


async def test_a_file_that_is_no_media_is_refused(terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "page.jpg").write_text("<html>")
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "unknown").write_text("no picture")
    refused = await terminal.run("upload", "page.jpg", "--json")
    assert (refused.exit_code, json.loads(refused.stderr)["code"]) == (1, "media_rejected")
    for name, sentence in (
        ("empty.jpg", "empty.jpg is empty."),
        ("unknown", "Neither name nor bytes of unknown show its type: give it by --type"),
        ("missing.jpg", "missing.jpg cannot be read: No such file or directory."),
    ):
        result = await terminal.run("upload", name)
        assert (result.exit_code, sentence in result.output) == (1, True), result.output
    (tmp_path / "picture").write_bytes(PICTURE)
    for options in ((), ("--type", "image/jpeg")):
        assert (await terminal.run("upload", "picture", *options)).exit_code == 0


async def test_a_large_file_is_sent_in_parts_and_continued(terminal: Terminal, stack: Stack, large: bytes) -> None:
    content = large
    fields = {"filename": "large.mp4", "contentType": "video/mp4", "size": len(content)}
    fields["sha256"] = hashlib.sha256(content).hexdigest()
    url = terminal.environment["SOCIALSYNCER_API_URL"]
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {stack.api_key}"}) as client:
        begun = (await client.post("/v1/media/multipart", json=fields)).json()
        path = f"/v1/media/multipart/{begun['id']}"
        (await client.put(f"{path}/parts/2", content=content[PART : 2 * PART])).raise_for_status()
        uploaded = await terminal.run("upload", "large.mp4", "--json")
        assert uploaded.exit_code == 0, uploaded.output
        shown = json.loads(uploaded.output)
        assert (shown["id"], shown["state"], shown["sha256"]) == (begun["id"], "ready", fields["sha256"])
        public = await client.get(
            httpx.URL(shown["publicUrl"]).path, headers={"Range": f"bytes={PART - 10}-{PART + 9}"}
        )
        assert (public.status_code, public.content) == (206, content[PART - 10 : PART + 10])


def run(url: str, *arguments: str) -> Result:
    environment = {"SOCIALSYNCER_API_URL": url, "SOCIALSYNCER_API_KEY": "sk_test"}
    return CliRunner(env=environment).invoke(main, list(arguments))


def presigned(url: str) -> dict[str, Any]:
    return {"id": "med_1", "uploadUrl": f"{url}/elsewhere", "headers": {"Content-Type": "image/jpeg"}}


def test_bytes_are_sent_again_and_never_with_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.client.uploads.backoff", lambda _: 0.0)
    path = tmp_path / "photo.jpg"
    path.write_bytes(PICTURE)
    with answering() as storage, answering((200, presigned(storage.url), {}), (200, {"publicUrl": "x"}, {})) as api:
        storage.answers[:] = [*[DROP] * 5, (503, b"busy", {}), (200, b"", {})]
        assert run(api.url, "upload", str(path)).output == "x\n"
    assert [(method, body) for method, _, _, body in storage.requests] == [("PUT", PICTURE)] * 7
    for _, _, headers, _ in storage.requests:
        assert "Authorization" not in headers
        assert headers["Content-Type"] == "image/jpeg"
    assert [path for _, path, _, _ in api.requests] == ["/v1/media/presign", "/v1/media/med_1/complete"]
    with answering() as storage, answering((200, presigned(storage.url), {})) as api:
        storage.answers[:] = [(403, b"<Error><Code>AccessDenied</Code></Error>", {"Content-Type": "application/xml"})]
        refused = run(api.url, "upload", str(path))
    assert (refused.exit_code, refused.output) == (1, "Error: The storage refuses the bytes with status 403.\n")
    with answering() as storage, answering((200, presigned(storage.url), {})) as api:
        storage.answers[:] = [DROP] * 7
        away = run(api.url, "upload", str(path))
    assert (away.exit_code, "Run the same command again" in away.output) == (3, True)


async def test_the_service_fetches_a_file_of_the_internet(terminal: Terminal, app: Litestar, stack: Stack) -> None:
    async with fetching_uploads(app, stack):
        fetched = await terminal.run("upload", "https://example.com/photo.jpg")
        lost = await terminal.run("upload", "https://no-such-host.invalid/photo.jpg")
    assert fetched.exit_code == 0, fetched.output
    assert fetched.output.strip().endswith("/photo.jpg")
    assert (lost.exit_code, "no-such-host.invalid is not fetched" in lost.output) == (1, True)

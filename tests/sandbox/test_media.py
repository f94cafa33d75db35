"""The sandbox's samples, its journal, and its refusal of unknown names."""

import asyncio
import contextlib
import io
import signal
import sys
from pathlib import Path
from typing import Any

import av
import httpx
import pytest
from PIL import Image

from sandbox import media
from sandbox.fetching import probe
from sandbox.journal import FILE_NAME
from sandbox.server import running_sandbox
from sandbox.wire import TrackedParameters
from tests.sandbox.conftest import ACCOUNTS, IG_USER, X_USER, Sandbox, sandbox_with_accounts


@pytest.mark.parametrize(
    ("extension", "kind", "smallest"), [("jpg", "JPEG", 1080), ("png", "PNG", 1080), ("gif", "GIF", 100)]
)
async def test_sample_images_are_valid(shared: Sandbox, extension: str, kind: str, smallest: int) -> None:
    answer = await shared.control.get(f"/_/media/holiday-2.{extension}")
    assert answer.headers["content-type"] == media.CONTENT_TYPES[extension]
    image = Image.open(io.BytesIO(answer.content))
    image.load()
    assert image.format == kind
    assert min(image.size) >= smallest
    assert getattr(image, "n_frames", 1) == (10 if kind == "GIF" else 1)
    file_format = probe(answer.content)
    assert file_format is not None
    assert (file_format.content_type, file_format.width, file_format.height) == (
        media.CONTENT_TYPES[extension],
        *image.size,
    )


async def test_sample_documents_are_pdfs_that_differ_by_name(shared: Sandbox) -> None:
    first, second = [await shared.control.get(f"/_/media/{name}.pdf") for name in ("plan", "report")]
    assert first.headers["content-type"] == "application/pdf"
    assert first.content.startswith(b"%PDF-")
    assert first.content != second.content


async def test_sample_videos_are_valid(shared: Sandbox) -> None:
    answer = await shared.control.get("/_/media/film.mp4")
    assert answer.headers["content-type"] == "video/mp4"
    with av.open(io.BytesIO(answer.content), "r") as container:
        stream = container.streams.video[0]
        frames = sum(1 for _ in container.decode(stream))
        assert stream.codec_context.name in ("h264", "mpeg4")
        assert stream.codec_context.height >= stream.codec_context.width >= 360
        assert frames / float(stream.average_rate or 0) >= 3
    assert answer.content.index(b"moov") < answer.content.index(b"mdat")
    file_format = probe(answer.content)
    assert file_format is not None
    assert file_format.seconds == 4
    assert len(answer.content) < 500_000


@pytest.mark.parametrize("extension", list(media.CONTENT_TYPES))
def test_samples_differ_by_name_and_stay_the_same(extension: str) -> None:
    assert media.sample("one", extension) != media.sample("two", extension)
    first = media.sample("one", extension)
    assert media.origin(first) == f"/_/media/one.{extension}"


async def test_other_samples_do_not_exist(shared: Sandbox) -> None:
    for name in ("a.exe", "a", ".jpg"):
        assert (await shared.control.get(f"/_/media/{name}")).status_code == 404, name


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.com/photo.jpg", ("photo", "jpg")),
        ("https://cdn.example.com/a/b/clip.MP4?x=1.png", ("clip", "mp4")),
        ("http://EXAMPLE.org/picture.jpeg", ("picture", "jpg")),
        ("https://a.b.example.net/thing.webp", ("thing.webp", "jpg")),
        ("https://example.com/", ("sample", "jpg")),
        ("https://example.com/with%20space.png", ("with space", "png")),
        ("https://notexample.com/photo.jpg", None),
        ("https://example.com.evil.org/photo.jpg", None),
        ("ftp://example.com/photo.jpg", None),
        ("photo.jpg", None),
    ],
)
def test_reserved_addresses_stand_for_samples(url: str, expected: tuple[str, str] | None) -> None:
    sample = media.resolve(url)
    assert (tuple(sample) if sample else None) == expected


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff", b"<html>", b"GIF8", b"\x89PNG", b"\x00" * 40])
def test_probing_survives_invalid_files(content: bytes) -> None:
    file_format = probe(content)
    assert file_format is None or (file_format.width, file_format.height) == (0, 0)


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("where", ["query", "form", "json"])
async def test_misspelt_parameter_is_reported(where: str, *, strict: bool) -> None:
    async with running_sandbox(strict=strict) as (url, _), httpx.AsyncClient(base_url=url, verify=False) as client:
        await client.post("/_/accounts", json={"accounts": ACCOUNTS})
        right = {"image_url": "https://example.com/a.jpg", "caption": "Hello"}
        wrong = {"captoin": "Hello"}
        options: dict[str, Any] = {
            "query": {"params": wrong, "data": right},
            "form": {"data": right | wrong},
            "json": {"json": right | wrong},
        }[where]
        answer = await client.post(
            f"/instagram/v25.0/{IG_USER}/media", headers={"authorization": "Bearer ig-token"}, **options
        )
        assert answer.status_code == (400 if strict else 200), answer.text
        assert ("captoin" in answer.text) is strict


def test_iterated_parameters_count_as_read() -> None:
    for read in (
        dict,
        list,
        lambda parameters: {**parameters},
        lambda parameters: parameters.items(),
        lambda parameters: parameters.values(),
    ):
        parameters = TrackedParameters({"a": 1, "b": 2})
        assert parameters.unread() == {"a", "b"}
        read(parameters)
        assert parameters.unread() == set()
    parameters = TrackedParameters({"a": 1, "b": 2})
    assert (parameters.get("a"), "c" in parameters, parameters.raw()) == (1, False, {"a": 1, "b": 2})
    assert parameters.unread() == {"b"}


SERVE = """
import sys
from pathlib import Path
from sandbox.server import run
run("127.0.0.1", int(sys.argv[1]), Path(sys.argv[2]))
"""


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    async with sandbox_with_accounts(tmp_path) as sandbox:
        deleted = await sandbox.tweet("mistake")
        await sandbox.x.delete(f"/2/tweets/{deleted}")
        first = await sandbox.tweet("frist")
        await sandbox.tweet("first", edit_options={"previous_post_id": first})
        container = await sandbox.container(image_url="https://example.com/a.jpg", caption="hello")
        medium = await sandbox.publish(container)
        waiting = await sandbox.container(image_url="https://example.com/b.jpg")
        before = await sandbox.posts()
    async with sandbox_with_accounts(tmp_path) as sandbox:
        assert await sandbox.posts() == before
        timeline = (await sandbox.x.get(f"/2/users/{X_USER}/tweets")).json()["data"]
        assert [post["text"] for post in timeline] == ["first"]
        assert (await sandbox.x.post("/2/tweets", json={"text": "first"})).status_code == 403
        status = await sandbox.ig.get(f"/v25.0/{container}", params={"fields": "status_code"})
        assert status.json()["status_code"] == "PUBLISHED"
        listed = (await sandbox.ig.get(f"/v25.0/{IG_USER}/media")).json()["data"]
        assert listed == [{"id": medium}]
        await sandbox.publish(waiting)


async def test_renewed_tokens_survive_a_restart(tmp_path: Path) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": "x-refresh"}
    async with sandbox_with_accounts(tmp_path) as sandbox:
        token = (await sandbox.x.post("/2/oauth2/token", data=form)).json()["access_token"]
    async with sandbox_with_accounts(tmp_path) as sandbox:
        answer = await sandbox.x.get("/2/users/me", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 200
        assert (await sandbox.x.post("/2/oauth2/token", data=form)).json()["error"] == "invalid_request"


async def test_a_torn_last_line_is_dropped_and_does_not_spoil_the_next(tmp_path: Path) -> None:
    async with sandbox_with_accounts(tmp_path) as sandbox:
        await sandbox.tweet("one")
        await sandbox.tweet("two")
    journal = tmp_path / FILE_NAME
    content = journal.read_bytes()
    journal.write_bytes(content[: content.rindex(b"two") + 1])
    async with sandbox_with_accounts(tmp_path) as sandbox:
        assert [post["text"] for post in await sandbox.posts()] == ["one"]
        await sandbox.tweet("three")
    async with sandbox_with_accounts(tmp_path) as sandbox:
        assert [post["text"] for post in await sandbox.posts()] == ["three", "one"]


async def test_killing_the_process_loses_nothing_that_was_answered(tmp_path: Path, unused_tcp_port: int) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVE, str(unused_tcp_port), str(tmp_path))
    url = f"http://127.0.0.1:{unused_tcp_port}"
    try:
        async with httpx.AsyncClient(base_url=url) as client:
            await _answers(client)
            await client.post("/_/accounts", json={"accounts": ACCOUNTS})
        sandbox = Sandbox(url)
        ids = [await sandbox.tweet(f"post {number}") for number in range(20)]
        process.send_signal(signal.SIGKILL)
        await sandbox.close()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    async with sandbox_with_accounts(tmp_path) as sandbox:
        assert [post["platformPostId"] for post in reversed(await sandbox.posts())] == ids


async def _answers(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(httpx.TransportError):
                assert (await client.get("/_/health")).status_code == 200
                return
            await asyncio.sleep(0.05)

import asyncio
import os
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import IO, cast

import pytest

from domain.post import Media, MediaType
from media.admission import Admission, MediaBusy, MediaDisk
from media.changes import ChangeRecord, MediaChange
from media.decoder_pool import DecoderPool
from media.fetch import MediaFetcher
from media.public_files import PublicFiles
from media.shared_files import SharedFiles
from media.step_media import MediaTools, StepMedia
from platforms.errors import ErrorKind, PlatformError
from platforms.files import MediaFile
from platforms.registry import platforms
from platforms.rules import FileRule
from tests.media import files
from tests.media.hostile import JPEG, MP4_HEAD, Answer, HostileServer, answer, endless, generated, slow
from tests.media.hostile_files import zip_bomb


class Noted(ChangeRecord):
    def __init__(self) -> None:
        self.entries: dict[str, list[str]] = {}

    async def save(self, url: str, changes: Sequence[MediaChange]) -> None:
        self.entries[url] = [change.what for change in changes]


class Kept(PublicFiles):
    def __init__(self) -> None:
        self.files: list[tuple[str, bytes]] = []

    async def put(self, workspace_id: str, file: MediaFile) -> str:
        self.files.append((file.content_type, await file.read()))
        return f"https://posts.example/media/{len(self.files)}.jpg"


@pytest.fixture
async def tools(server: HostileServer) -> AsyncIterator[MediaTools]:
    tools = MediaTools(SharedFiles(MediaFetcher(private_hosts=[f"127.0.0.1:{server.port}"])), DecoderPool())
    yield tools
    await tools.close()


def step_media(tools: MediaTools, name: str, rules: Sequence[FileRule] | None = None) -> tuple[StepMedia, Noted]:
    platform, noted = platforms()[name], Noted()
    return StepMedia(
        tools, "workspace", "post", platform, platform.rules.files if rules is None else rules, noted, lambda _: None
    ), noted


def served(server: HostileServer, content: bytes, kind: MediaType = MediaType.IMAGE, name: str = "/a") -> Media:
    server.routes[name] = answer(content)
    return Media(type=kind, url=f"http://127.0.0.1:{server.port}{name}")


async def refused(source: StepMedia, media: Media) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        async with source.open(media):
            pass
    return caught.value


async def test_a_fitting_file_is_sent_as_it_is(tools: MediaTools, server: HostileServer) -> None:
    content = files.saved(files.photo(), "JPEG")
    source, noted = step_media(tools, "bluesky")
    async with source.open(served(server, content)) as file:
        assert (file.content_type, file.width, file.height) == ("image/jpeg", 60, 40)
        assert await file.read() == content
    assert list(noted.entries.values()) == [[]]


async def test_a_picture_is_made_smaller_for_a_server_that_takes_less(tools: MediaTools, server: HostileServer) -> None:
    content = files.saved(files.photo(600, 400), "JPEG", quality=98)
    source, noted = step_media(tools, "bluesky")
    source.shrink_to(len(content) // 2)
    async with source.open(served(server, content)) as file:
        assert file.size <= len(content) // 2
        assert (file.width, file.height) == (600, 400)
    assert list(noted.entries.values()) == [["compressed"]]


async def test_location_and_camera_are_removed_if_the_platform_keeps_them(
    tools: MediaTools, server: HostileServer
) -> None:
    photo = served(server, files.jpeg())
    source, noted = step_media(tools, "mastodon")
    async with source.open(photo) as file:
        clean = await file.read()
    assert not [secret for secret in files.SECRETS if secret in clean]
    assert noted.entries == {photo.url: ["metadata_removed"]}
    source, noted = step_media(tools, "twitter")
    async with source.open(photo) as file:
        assert await file.read() == files.jpeg()
    assert noted.entries == {photo.url: []}


async def test_an_image_of_another_type_becomes_a_jpeg(tools: MediaTools, server: HostileServer) -> None:
    picture = served(server, files.webp(1))
    source, noted = step_media(tools, "facebook")
    async with source.open(picture) as file:
        assert (file.content_type, file.width, file.height) == ("image/jpeg", 60, 40)
        assert (await file.read())[:3] == b"\xff\xd8\xff"
    assert noted.entries == {picture.url: ["converted", "compressed"]}


async def test_an_image_is_scaled_to_the_sides_that_the_platform_takes(
    tools: MediaTools, server: HostileServer
) -> None:
    rule = FileRule(MediaType.IMAGE, ("image/jpeg",), max_width=30)
    source, noted = step_media(tools, "facebook", [rule])
    picture = served(server, files.saved(files.photo(), "JPEG"))
    async with source.open(picture) as file:
        assert (file.width, file.height) == (30, 20)
    assert noted.entries == {picture.url: ["scaled", "compressed"]}


async def test_files_beyond_platform_limits_are_not_sent(
    tools: MediaTools, server: HostileServer, tmp_path: Path
) -> None:
    clip = served(server, files.video(tmp_path), MediaType.VIDEO)
    error = await refused(step_media(tools, "linkedin")[0], clip)
    assert error.kind is ErrorKind.REJECTED
    assert error.message.startswith("LinkedIn needs at least 75,000 bytes for a video; this has ")
    webm = served(server, files.video(tmp_path, kind="webm", codec="libvpx", audio=False), MediaType.VIDEO)
    error = await refused(step_media(tools, "bluesky")[0], webm)
    assert (error.code, error.message) == ("media_type", "Bluesky takes video/mp4 for a video; this is video/webm.")


async def test_animated_gifs_are_not_flattened(tools: MediaTools, server: HostileServer) -> None:
    error = await refused(step_media(tools, "twitter")[0], served(server, files.gif()))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "media_type")
    assert "type gif" in error.message


# The cases have ids because a PNG's profile contains the second of its creation, and all test processes must use the
# same ids.
@pytest.mark.parametrize(
    "content",
    [b"\xff\xd8\xff\xe1", files.bomb(20_000, 20_000), files.png()[:40]],
    ids=["cut off", "far too large", "damaged"],
)
async def test_damaged_and_oversized_files_are_refused(
    content: bytes, tools: MediaTools, server: HostileServer
) -> None:
    error = await refused(step_media(tools, "discord")[0], served(server, content))
    assert (error.kind, error.code) in {(ErrorKind.REJECTED, "media_invalid"), (ErrorKind.REJECTED, "media_too_large")}


async def test_platform_that_fetches_media_gets_the_files_own_address(tools: MediaTools, server: HostileServer) -> None:
    photo = served(server, files.jpeg(1))
    source, noted = step_media(tools, "instagram")
    assert await source.address(photo) == photo.url
    assert noted.entries == {}


async def test_a_missing_public_url_is_explained(tools: MediaTools, server: HostileServer) -> None:
    source, _ = step_media(tools, "instagram")
    with pytest.raises(PlatformError) as caught:
        await source.address(served(server, files.png()))
    assert caught.value.message == (
        "Instagram takes image/jpeg for an image; this is image/png. Give the URL of a file of that type."
    )
    source, _ = step_media(tools, "instagram", [FileRule(MediaType.IMAGE, ("image/jpeg",), max_width=30)])
    with pytest.raises(PlatformError) as caught:
        await source.address(served(server, files.saved(files.photo(), "JPEG")))
    assert caught.value.message == (
        "Instagram allows an image up to 30 pixels wide; this is 60 x 40. Give a smaller one."
    )


async def test_converted_files_are_published_at_the_public_url(tools: MediaTools, server: HostileServer) -> None:
    public_files = Kept()
    source, noted = step_media(MediaTools(tools.files, tools.decoder_pool, public_files), "instagram")
    picture = served(server, files.saved(files.photo(60, 60), "PNG"))
    assert await source.address(picture) == "https://posts.example/media/1.jpg"
    [(content_type, content)] = public_files.files
    assert (content_type, content[:3]) == ("image/jpeg", b"\xff\xd8\xff")
    assert noted.entries == {picture.url: ["converted", "compressed"]}


async def test_a_large_video_costs_little_memory_on_its_whole_way(
    tools: MediaTools, server: HostileServer, tmp_path: Path
) -> None:
    padding = 48
    box = (1).to_bytes(4, "big") + b"mdat" + (16 + padding * 2**20).to_bytes(8, "big")
    server.routes["/v"] = generated([files.phone_video(tmp_path) + box, *[os.urandom(2**20)] * padding])
    source, noted = step_media(tools, "mastodon")
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        async with source.open(Media(type=MediaType.VIDEO, url=f"http://127.0.0.1:{server.port}/v")) as file:
            assert sum([len(chunk) async for chunk in file.chunks(4 * 2**20)]) == file.size > padding * 2**20
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert cast("list[list[str]]", list(noted.entries.values())) == [["metadata_removed"]]
    assert peak - before < 20 * 2**20


VIDEO = FileRule(MediaType.VIDEO, ("video/mp4",), max_bytes=2**20)


def clip(server: HostileServer, sent: Answer) -> Media:
    server.routes["/v"] = sent
    return Media(type=MediaType.VIDEO, url=f"http://127.0.0.1:{server.port}/v")


@pytest.mark.parametrize("sent", [endless(MP4_HEAD), answer(MP4_HEAD, length=2**20 + 1)])
async def test_fetching_stops_at_what_the_platform_takes(
    sent: Answer, tools: MediaTools, server: HostileServer
) -> None:
    heard: list[str] = []
    platform = platforms()["telegram"]
    source = StepMedia(tools, "workspace", "post", platform, [VIDEO], Noted(), heard.append)
    error = await refused(source, clip(server, sent))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "media_too_large")
    assert error.message == "Telegram allows 1 MB for a video; this has more."
    assert all(float(heartbeat.split()[1]) <= 1 for heartbeat in heard)
    assert tools.files._admission.disk.free == tools.files._admission.disk.total


async def test_a_file_is_fetched_up_to_the_largest_size_that_its_platforms_take(
    tools: MediaTools, server: HostileServer, tmp_path: Path
) -> None:
    may_end = asyncio.Event()
    content = files.video(tmp_path)
    box = (3 * 2**20).to_bytes(4, "big") + b"free" + bytes(3 * 2**20 - 8)
    media = clip(server, slow(content + box, may_end, has_length=False))
    small, large = (
        step_media(tools, platform, [replace(VIDEO, max_bytes=most)])[0]
        for platform, most in (("telegram", 2**20), ("twitter", 2**23))
    )
    first = asyncio.create_task(refused(small, media))
    while not server.requests:  # noqa: ASYNC110 - no event is set
        await asyncio.sleep(0.01)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_open_once(large, media))
        await asyncio.sleep(0.05)
        may_end.set()
    assert (await first).message == "Telegram allows 1 MB for a video; this has 3.0 MB."
    assert len(server.requests) == 1


async def _open_once(source: StepMedia, media: Media) -> None:
    async with source.open(media):
        pass


async def test_a_platform_without_a_limit_gets_no_video_of_any_size(tools: MediaTools, server: HostileServer) -> None:
    source, _ = step_media(tools, "mastodon", [replace(VIDEO, max_bytes=None)])
    error = await refused(source, clip(server, answer(MP4_HEAD, length=2**29 + 1)))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "media_too_large")


async def test_a_full_disk_is_waited_for(
    tools: MediaTools, server: HostileServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_a_full_disk(**_: object) -> IO[bytes]:
        return Path("/dev/full").open("r+b", buffering=0)

    monkeypatch.setattr("media.spool.tempfile.TemporaryFile", on_a_full_disk)
    source, _ = step_media(tools, "telegram")
    error = await refused(source, served(server, files.jpeg()))
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "no_disk_space")


class TestWorkspaceShares:
    """Two workspaces share a worker's disk of 8 MiB, from which a workspace gets at most half."""

    @pytest.fixture
    async def tools(self, server: HostileServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MediaTools]:
        monkeypatch.setattr("media.shared_files._TIMEOUT_S", 0.1)
        admission = Admission(MediaDisk(8 * 2**20), fetches=2, most_steps=4)
        fetcher = MediaFetcher(private_hosts=[f"127.0.0.1:{server.port}"])
        tools = MediaTools(SharedFiles(fetcher, admission), DecoderPool(), admission=admission)
        yield tools
        await tools.close()
        assert admission.disk.free == admission.disk.total
        assert admission.files.free == admission.files.total
        assert admission.fetches.free == admission.fetches.total

    def source(self, tools: MediaTools, workspace: str = "a", post: str = "post") -> StepMedia:
        platform = platforms()["telegram"]
        return StepMedia(tools, workspace, post, platform, [], Noted(), lambda _: None, target_id=post)

    async def test_the_disk_is_shared(self, tools: MediaTools, server: HostileServer) -> None:
        large = served(server, b"%PDF-1.7" + bytes(2_000_000), MediaType.DOCUMENT, "/large")
        small = served(server, b"%PDF-1.7" + bytes(2**20), MediaType.DOCUMENT, "/small")
        async with self.source(tools).open(large), self.source(tools, post="another").open(large):
            error = await refused(self.source(tools, post="third"), large)
            assert isinstance(error, MediaBusy)
            assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "media_busy")
            assert timedelta(seconds=0.5) < error.wait < timedelta(seconds=5)
            async with self.source(tools, "b").open(small) as file:
                assert file.size > 2**20

    async def test_unused_files_make_room(self, tools: MediaTools, server: HostileServer) -> None:
        stays, used, newest = (
            served(server, b"%PDF-1.7" + bytes(size), MediaType.DOCUMENT, f"/{size}")
            for size in (1_500_000, 1_400_000, 2_000_000)
        )
        await _open_once(self.source(tools, post="first"), stays)
        async with self.source(tools, post="second").open(used):
            third = self.source(tools, post="third")
            assert isinstance(await refused(third, newest), MediaBusy)
            await _open_once(third, newest)

    async def test_a_body_without_a_length_stops_at_the_limit_of_a_file(
        self, tools: MediaTools, server: HostileServer
    ) -> None:
        server.routes["/v"] = endless(MP4_HEAD)
        media = Media(type=MediaType.VIDEO, url=f"http://127.0.0.1:{server.port}/v")
        assert (await refused(self.source(tools), media)).code == "no_disk_space"
        assert tools.admission.disk.free == tools.admission.disk.total

    async def test_fetches_are_shared_and_waiters_are_limited(self, tools: MediaTools, server: HostileServer) -> None:
        may_end = asyncio.Event()
        media = [Media(type=MediaType.IMAGE, url=f"http://127.0.0.1:{server.port}/{number}") for number in range(3)]
        for number in range(3):
            server.routes[f"/{number}"] = slow(JPEG, may_end)
        posts = [self.source(tools, post=f"post {number}") for number in range(3)]
        waiting = [asyncio.create_task(_open_once(post, item)) for post, item in zip(posts[:2], media, strict=False)]
        await asyncio.sleep(0.1)
        assert isinstance(await refused(posts[2], media[2]), MediaBusy)
        # A step that shares a file with another step of its post needs no fetch, but it holds a slot.
        joined = self.source(tools, post="post 0")
        assert isinstance(await refused(joined, media[0]), MediaBusy)
        other = asyncio.create_task(_open_once(self.source(tools, "b"), media[2]))
        await asyncio.sleep(0.1)
        may_end.set()
        await asyncio.gather(*waiting, other)
        await _open_once(posts[2], media[2])
        assert len(server.requests) == 4


async def test_documents_are_not_parsed(tools: MediaTools, server: HostileServer) -> None:
    content = zip_bomb(20 * 2**20)
    rule = FileRule(MediaType.DOCUMENT, ("application/zip",))
    source, noted = step_media(tools, "linkedin", [rule])
    document = served(server, content, MediaType.DOCUMENT)
    async with source.open(document) as file:
        assert await file.read() == content
    assert noted.entries == {document.url: []}
    assert not any(decoders._server for decoders in tools.decoder_pool._decoders.values())

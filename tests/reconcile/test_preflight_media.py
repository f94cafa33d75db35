"""The media of scheduled posts are fetched a little before their time, to warn their owners of errors."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.meters import Meters
from media.admission import Admission
from media.fetch import MediaFetcher
from media.own_uploads import OwnUploads
from media.shared_files import SharedFiles
from reconcile import preflight, preflight_media
from storage.directory import DirectoryStorage
from store.models import Post
from tests.media.hostile import JPEG, MP4_HEAD, HostileServer, answer, drops, endless
from tests.reconcile.test_preflight import SOON, CountingMeters, history, own, refuse, warnings
from tests.stack import Stack
from tests.uploads import BASE, add_upload, address

__all__ = ["own"]


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    async with HostileServer().running() as running:
        yield running


@pytest.fixture
async def files(server: HostileServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SharedFiles]:
    monkeypatch.setattr(preflight_media, "_RETRY_S", 0)
    files = SharedFiles(MediaFetcher(private_hosts=[f"127.0.0.1:{server.port}"]))
    yield files
    await files.close()


async def check(
    stack: Stack, files: SharedFiles, *, after: timedelta = timedelta(0), meters: Meters | None = None
) -> int:
    now = datetime.now(UTC) + after
    return await preflight.preflight(stack.worker_database, meters or Meters(), now, files)


def url(server: HostileServer, name: str) -> str:
    return f"http://127.0.0.1:{server.port}/{name}"


async def saved(stack: Stack, server: HostileServer, name: str, platform: str = "twitter") -> Post:
    return await stack.save(f"with {name}", [await stack.connect(platform)], due_in=SOON, media=[url(server, name)])


async def test_a_missing_file_is_a_warning_until_it_is_back(
    own: Stack, server: HostileServer, files: SharedFiles
) -> None:
    post, meters = await saved(own, server, "photo.jpg"), CountingMeters()
    assert await check(own, files, meters=meters) == 1
    assert await warnings(own, post) == [("twitter", "media_refused")]
    assert meters.warned == [("twitter", "media_refused")]
    asked = len(server.requests)
    assert "range: bytes=0-1023" in server.requests[0].lower()
    assert await check(own, files, after=timedelta(minutes=2)) == 0, "its server is not asked every minute"
    server.routes["/photo.jpg"] = answer(JPEG)
    assert await check(own, files, after=timedelta(minutes=15, seconds=1)) == 1
    assert len(server.requests) == asked + 1
    assert await warnings(own, post) == []
    account = post.targets[0].account_id
    assert await history(own, post) == [
        ("warned", account, {"reason": "media_refused"}),
        ("warning_cleared", account, {"reason": "media_refused"}),
    ]


async def test_a_good_file_is_read_no_further_than_its_beginning(
    own: Stack, server: HostileServer, files: SharedFiles
) -> None:
    server.routes["/photo.jpg"] = endless(JPEG)
    post = await saved(own, server, "photo.jpg")
    assert await check(own, files) == 1
    assert await warnings(own, post) == []
    assert len(server.requests) == 1


async def test_a_file_of_another_type_or_too_large_is_a_warning(
    own: Stack, server: HostileServer, files: SharedFiles
) -> None:
    begins = MP4_HEAD + bytes(2000)
    server.routes |= {
        "/page.jpg": answer(b"<!doctype html><title>Sign in</title>"),
        "/video.jpg": answer(begins),
        "/empty.jpg": answer(b""),
        "/large.mp4": answer(begins[:1024], "Content-Range: bytes 0-1023/99999999999", status="206 Partial Content"),
        "/longer.mp4": answer(begins, length=99_999_999_999),
        "/small.mp4": answer(begins[:1024], "Content-Range: bytes 0-1023/2024", status="206 Partial Content"),
    }
    posts = {name: await saved(own, server, name.removeprefix("/")) for name in server.routes}
    assert await check(own, files) == len(posts)
    by_name = {name: await warnings(own, post) for name, post in posts.items()}
    refused = [("twitter", "media_refused")]
    assert by_name == dict.fromkeys(posts, refused) | {"/small.mp4": []}


async def test_a_server_that_does_not_answer_is_asked_twice(
    own: Stack, server: HostileServer, files: SharedFiles
) -> None:
    server.routes |= {"/busy.jpg": answer(b"", status="503 Service Unavailable"), "/broken.jpg": drops}
    busy, broken = await saved(own, server, "busy.jpg"), await saved(own, server, "broken.jpg")
    await check(own, files)
    assert await warnings(own, busy) == [("twitter", "media_not_checked")]
    assert await warnings(own, broken) == [("twitter", "media_not_checked")]
    assert len(server.requests) == 4


async def test_private_addresses_are_not_asked(own: Stack, server: HostileServer) -> None:
    """An owner could otherwise learn from warnings what answers inside the operator's network."""
    files = SharedFiles(MediaFetcher())
    post = await saved(own, server, "photo.jpg")
    await check(own, files)
    await files.close()
    assert server.requests == []
    assert await warnings(own, post) == [("twitter", "media_refused")]


async def test_an_account_comes_before_its_media(own: Stack, server: HostileServer, files: SharedFiles) -> None:
    account = await own.connect("twitter")
    await refuse(own, account)
    post = await own.save("two reasons", [account], due_in=SOON, media=[url(server, "gone.jpg")])
    await check(own, files)
    assert await warnings(own, post) == [("twitter", "account_refused")]
    assert server.requests == []


async def test_a_file_of_several_targets_is_asked_for_once(
    own: Stack, server: HostileServer, files: SharedFiles
) -> None:
    server.routes["/photo.jpg"] = answer(JPEG)
    accounts = [await own.connect("twitter"), await own.connect("mastodon")]
    await own.save("for two", accounts, due_in=SOON, media=[url(server, "photo.jpg")])
    assert await check(own, files) == 2
    assert len(server.requests) == 1


async def test_a_workspace_has_so_many_files_checked_in_a_round(
    own: Stack, server: HostileServer, files: SharedFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight_media, "MOST_FILES_OF_WORKSPACE", 2)
    posts = [await saved(own, server, f"{number}.jpg") for number in range(3)]
    assert await check(own, files) == 3
    assert [await warnings(own, post) for post in posts].count([]) == 1
    assert await check(own, files, after=timedelta(seconds=61)) == 1
    assert [await warnings(own, post) for post in posts].count([]) == 0


async def test_a_warning_stays_while_the_workspace_fetches_all_it_may(
    own: Stack, server: HostileServer, files: SharedFiles
) -> None:
    post = await saved(own, server, "gone.jpg")
    await check(own, files)
    busy = Admission(fetches=1)
    full = SharedFiles(MediaFetcher(private_hosts=[f"127.0.0.1:{server.port}"]), busy)
    with busy.fetches.take(own.workspace_id):
        assert await check(own, full, after=timedelta(minutes=15, seconds=1)) == 1
    await full.close()
    assert await warnings(own, post) == [("twitter", "media_refused")]


async def test_a_post_that_was_changed_meanwhile_keeps_its_new_state(
    own: Stack, server: HostileServer, files: SharedFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    post = await saved(own, server, "gone.jpg")
    probe = SharedFiles.probe

    async def moved(*arguments: object) -> str:
        await own.write_change(post, due=datetime.now(UTC) + timedelta(days=7))
        return await probe(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(SharedFiles, "probe", moved)
    await check(own, files)
    assert await warnings(own, post) == []


async def test_a_deleted_upload_is_a_warning_a_day_ahead(own: Stack, tmp_path: Path) -> None:
    """Uploads are checked in the storage, those of threads as well; none is requested by its address."""
    storage = DirectoryStorage(tmp_path, least_free=0)
    await storage.prepare()
    files = SharedFiles(MediaFetcher(), uploads=OwnUploads(own.worker_database, storage, [BASE]))
    cover, lost = [await add_upload(own.database, own.workspace_id, JPEG, storage=storage) for _ in range(2)]
    await storage.delete(lost.key)
    names = {"twitter": address(lost), "instagram": address(cover), "mastodon": address(cover)}
    posts = {
        name: await own.save(f"upload on {name}", [await own.connect(name)], due_in=SOON, media=[f"{url}.jpg"])
        for name, url in names.items()
    }
    second = {"content": "second", "mediaItems": [{"type": "image", "url": address(lost)}]}
    bluesky = await own.connect("bluesky")
    posts["bluesky"] = await own.save("first", [bluesky], due_in=SOON, settings={"threadItems": [second]})
    assert await check(own, files) == len(posts)
    assert {name: await warnings(own, post) for name, post in posts.items()} == {
        "twitter": [("twitter", "media_gone")],
        "instagram": [("instagram", "media_not_public")],
        "mastodon": [],
        "bluesky": [("bluesky", "media_gone")],
    }
    await files.close()
    await storage.close()

"""A file of several targets of a post is fetched once, used by all of them, kept for a short time and then deleted."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from domain.post import Media, MediaType
from media.fetch import MediaFetcher
from media.shared_files import SharedFiles
from media.spool import Spool
from media.stored import StoredFile
from platforms.errors import ErrorKind, PlatformError
from runtime.parts import open_parts
from store.publishing.targets import load
from tests.media.descriptors import open_files, wait_for_open_files
from tests.media.hostile import JPEG, Answer, HostileServer, answer, slow
from tests.stack import Stack

Make = Callable[..., SharedFiles]


@pytest.fixture
async def make(server: HostileServer) -> AsyncIterator[Make]:
    all_files: list[SharedFiles] = []

    def make_shared_files(**options: float) -> SharedFiles:
        fetcher = MediaFetcher(private_hosts=[f"127.0.0.1:{server.port}"])
        all_files.append(SharedFiles(fetcher, **options))  # type: ignore[arg-type]
        return all_files[-1]

    before = open_files()
    yield make_shared_files
    for shared_files in all_files:
        await shared_files.close()
    await wait_for_open_files(before)


def picture(server: HostileServer, name: str = "/a", sent: Answer | None = None) -> Media:
    server.routes[name] = sent or answer(JPEG)
    return Media(type=MediaType.IMAGE, url=f"http://127.0.0.1:{server.port}{name}")


@asynccontextmanager
async def opened(files: SharedFiles, media: Media, post: str = "post") -> AsyncIterator[StoredFile]:
    async with files.open("workspace", post, media, lambda _: None) as file:
        yield file.stored


async def asked(server: HostileServer) -> None:
    async with asyncio.timeout(60):
        while not server.requests:  # noqa: ASYNC110 - there is no event
            await asyncio.sleep(0.01)


async def read(files: SharedFiles, media: Media, post: str = "post") -> bytes:
    async with opened(files, media, post) as file:
        return await file.read()


async def test_concurrent_targets_share_one_fetch_and_its_progress(make: Make, server: HostileServer) -> None:
    may_end, files, heard = asyncio.Event(), make(), list[tuple[int, int]]()
    media = picture(server, sent=slow(JPEG, may_end))

    async def target(number: int) -> bytes:
        async with files.open("workspace", "post", media, lambda received: heard.append((number, received))) as file:
            return await file.stored.read()

    targets = [asyncio.create_task(target(number)) for number in range(3)]
    await asked(server)
    may_end.set()
    assert await asyncio.gather(*targets) == [JPEG] * 3
    assert len(server.requests) == 1
    assert {number for number, received in heard if received == len(JPEG)} == {0, 1, 2}


async def test_a_target_a_little_later_finds_the_file(make: Make, server: HostileServer) -> None:
    files, media = make(), picture(server)
    assert await read(files, media) == await read(files, media) == JPEG
    assert len(server.requests) == 1


async def test_no_post_gets_the_file_of_another(make: Make, server: HostileServer) -> None:
    files, media = make(), picture(server)
    await read(files, media)
    await read(files, media, "another post")
    assert len(server.requests) == 2


async def test_declared_type_is_checked_for_each_post(make: Make, server: HostileServer) -> None:
    files, media = make(), picture(server)
    await read(files, media)
    with pytest.raises(PlatformError):
        await read(files, media.model_copy(update={"type": MediaType.VIDEO}))


async def test_kept_file_expires(make: Make, server: HostileServer) -> None:
    before = open_files()
    files, media = make(keep_s=0.05), picture(server)
    await read(files, media)
    await wait_for_open_files(before)
    await read(files, media)
    assert len(server.requests) == 2


async def test_a_file_in_use_outlives_its_time(make: Make, server: HostileServer) -> None:
    files, media = make(keep_s=0.01), picture(server)
    await read(files, media)
    async with opened(files, media) as file:
        await asyncio.sleep(0.1)
        assert await file.read() == JPEG


@pytest.mark.parametrize("room", [{"most_bytes": 2 * len(JPEG)}, {"most_files": 2}])
async def test_oldest_unused_files_make_room(make: Make, server: HostileServer, room: dict[str, int]) -> None:
    files = make(**room)
    first, *others = (picture(server, name) for name in ("/a", "/b", "/c"))
    async with opened(files, first) as used:
        for media in others:
            await read(files, media)
        assert await used.read() == JPEG
    before = len(server.requests)
    await read(files, first)
    await read(files, others[1])
    assert len(server.requests) == before
    await read(files, others[0])
    assert len(server.requests) == before + 1


async def test_a_refused_file_is_fetched_again(make: Make, server: HostileServer) -> None:
    files, media = make(), picture(server)
    with pytest.raises(PlatformError):
        async with opened(files, media):
            raise PlatformError(ErrorKind.REJECTED, "too wide", code="media_dimensions")
    await read(files, media)
    assert len(server.requests) == 2
    with pytest.raises(PlatformError):
        async with opened(files, media):
            raise PlatformError(ErrorKind.NOT_READY, "processing", code="processing")
    await read(files, media)
    assert len(server.requests) == 2
    files.forget("post")
    await read(files, media)
    assert len(server.requests) == 3


async def test_a_forgotten_file_stays_for_its_users_only(make: Make, server: HostileServer) -> None:
    files, media = make(), picture(server)
    async with opened(files, media) as file:
        files.forget("post")
        await read(files, media)
        assert await file.read() == JPEG
    assert len(server.requests) == 2
    await read(files, media)
    assert len(server.requests) == 2


async def test_cancelling_one_user_does_not_affect_others(make: Make, server: HostileServer) -> None:
    may_end, files = asyncio.Event(), make()
    media = picture(server, sent=slow(JPEG, may_end))
    first, second = (asyncio.create_task(read(files, media)) for _ in range(2))
    await asked(server)
    first.cancel()
    await asyncio.sleep(0.05)
    may_end.set()
    assert await second == JPEG
    assert first.cancelled()
    assert len(server.requests) == 1


async def test_a_fetch_without_waiters_ends(make: Make, server: HostileServer) -> None:
    before = open_files()
    may_end, files = asyncio.Event(), make()
    media = picture(server, sent=slow(JPEG, may_end))
    alone = asyncio.create_task(read(files, media))
    await asked(server)
    alone.cancel()
    await asyncio.gather(alone, return_exceptions=True)
    may_end.set()
    await wait_for_open_files(before)


async def test_a_failure_reaches_all_waiters_and_is_not_kept(make: Make, server: HostileServer) -> None:
    files, media = make(), picture(server, sent=answer(b"", status="503 Service Unavailable"))
    outcomes = await asyncio.gather(*(read(files, media) for _ in range(2)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [PlatformError] * 2
    assert len(server.requests) == 1
    server.routes["/a"] = answer(JPEG)
    assert await read(files, media) == JPEG


async def test_two_targets_of_a_post_get_a_video_by_one_request_up_to_its_last_piece(
    stack: Stack, server: HostileServer
) -> None:
    sample = await stack.http.get(f"{stack.sandbox_url}/_/media/a.mp4")
    server.routes["/a.mp4"] = answer(sample.content)
    here = f"127.0.0.1:{server.port}"
    allowed = [*stack.settings.private_media_hosts, here]
    settings = stack.settings.model_copy(update={"private_media_hosts": allowed})
    accounts = [await stack.connect(platform) for platform in ("youtube", "mastodon")]
    post = await stack.save("one request", accounts, media=[f"http://{here}/a.mp4"])
    async with open_parts(settings, stack.worker_database) as parts:

        async def publish(number: int) -> None:
            async with stack.database.transaction() as session:
                job = await load(session, post.targets[number].id)
            assert job is not None
            step = parts.contexts.create(job)
            await step.platform.prepare(step.connection, step.context)
            await step.platform.publish(step.connection, step.context)

        await asyncio.gather(publish(0), publish(1))
        parts.media.files.forget(post.id)
    assert len(server.requests) == 1
    assert len(await stack.public("one request")) == 2


def test_a_copy_is_a_file_of_its_own() -> None:
    with Spool() as first, Spool() as other:
        first.append(b"abc")
        first.copy_to(other)
        other.write_at(0, b"x")
        assert (first.read_at(0, 9), other.read_at(0, 9)) == (b"abc", b"xbc")

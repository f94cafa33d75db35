"""The targets of a post have a file examined by one process, and share its copy without metadata."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import pytest

from domain.post import Media, MediaType
from media.admission import Admission
from media.decoder_pool import DecoderPool
from media.decoders import Decoders, ProcessEnd, ServerUnavailable
from media.decoding.jobs import Job
from media.fetch import MediaFetcher
from media.shared_files import SharedFiles
from platforms.errors import ErrorKind, PlatformError
from tests.media import files
from tests.media.descriptors import open_files
from tests.media.hostile import HostileServer, answer


@dataclass
class Worker:
    """A worker's files and decoding processes, which its steps share."""

    files: SharedFiles
    pool: DecoderPool
    admission: Admission
    jobs: list[Job] = field(default_factory=list)

    async def examine(self, media: Media, *, cleaned: bool = True, post: str = "post") -> bytes:
        async with self.files.open("workspace", post, media, lambda _: None) as shared:
            file, facts, _ = await shared.examine(self.pool, cleaned=cleaned)
            assert (facts.width, facts.height, facts.size) == (40, 60, file.size)
            return await file.read()


@pytest.fixture
async def make(server: HostileServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Worker]]:
    before, workers = open_files(), list[Worker]()
    run = Decoders.run

    def make_worker(**options: float) -> Worker:
        admission = Admission()
        fetcher = MediaFetcher(private_hosts=[f"127.0.0.1:{server.port}"])
        shared = SharedFiles(fetcher, admission, **options)  # type: ignore[arg-type]
        workers.append(Worker(shared, DecoderPool(), admission))
        return workers[-1]

    async def counted(self: Decoders, job: Job, numbers: Sequence[int], within: float) -> ProcessEnd:
        workers[-1].jobs.append(job)
        return await run(self, job, numbers, within)

    monkeypatch.setattr(Decoders, "run", counted)
    yield make_worker
    for worker in workers:
        await worker.files.close()
        await worker.pool.close()
        assert worker.admission.disk.free == worker.admission.disk.total
    assert open_files() <= before


@pytest.fixture
def photo(server: HostileServer) -> Media:
    server.routes["/a"] = answer(files.jpeg())
    return Media(type=MediaType.IMAGE, url=f"http://127.0.0.1:{server.port}/a")


async def test_concurrent_and_later_targets_share_one_examination(make: Callable[..., Worker], photo: Media) -> None:
    worker = make()
    first = await asyncio.gather(*(worker.examine(photo) for _ in range(3)))
    assert [*first, await worker.examine(photo)] == [first[0]] * 4
    assert len(first[0]) < len(files.jpeg())
    assert [job.strips for job in worker.jobs] == [True]


async def test_a_file_is_examined_once_with_and_once_without_its_metadata(
    make: Callable[..., Worker], photo: Media
) -> None:
    worker = make()
    clean, whole = await asyncio.gather(worker.examine(photo), worker.examine(photo, cleaned=False))
    assert (clean, whole) == (await worker.examine(photo), await worker.examine(photo, cleaned=False))
    assert (len(clean) < len(whole), whole) == (True, files.jpeg())
    assert sorted(job.strips for job in worker.jobs) == [False, True]


async def test_posts_share_no_examination(make: Callable[..., Worker], photo: Media) -> None:
    worker = make()
    await worker.examine(photo)
    await worker.examine(photo, post="another")
    assert len(worker.jobs) == 2


async def test_a_failed_examination_is_repeated(
    make: Callable[..., Worker], photo: Media, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, run = make(), Decoders.run

    async def ends(*_: object) -> ProcessEnd:
        raise ServerUnavailable

    monkeypatch.setattr(Decoders, "run", ends)
    outcomes = await asyncio.gather(*(worker.examine(photo) for _ in range(2)), return_exceptions=True)
    assert [error.kind for error in outcomes if isinstance(error, PlatformError)] == [ErrorKind.TRANSIENT] * 2
    monkeypatch.setattr(Decoders, "run", run)
    assert len(await worker.examine(photo)) < len(files.jpeg())


async def test_cancelling_the_target_that_asked_first_does_not_affect_others(
    make: Callable[..., Worker], photo: Media
) -> None:
    worker = make()
    first, second = (asyncio.create_task(worker.examine(photo)) for _ in range(2))
    while not worker.jobs:  # noqa: ASYNC110 - there is no event
        await asyncio.sleep(0)
    first.cancel()
    assert len(await second) < len(files.jpeg())
    assert first.cancelled()
    assert len(worker.jobs) == 1


async def test_an_examination_ends_with_its_last_user_and_begins_again_for_the_next(
    make: Callable[..., Worker], photo: Media
) -> None:
    worker = make()
    alone = asyncio.create_task(worker.examine(photo))
    while not worker.jobs:  # noqa: ASYNC110 - there is no event
        await asyncio.sleep(0)
    alone.cancel()
    next_user = asyncio.create_task(worker.examine(photo))
    await asyncio.gather(alone, return_exceptions=True)
    assert alone.cancelled()
    assert len(await next_user) < len(files.jpeg())


async def test_an_unused_copy_counts_as_its_file_does(make: Callable[..., Worker], photo: Media) -> None:
    content = files.jpeg()
    worker = make(most_bytes=len(content))
    clean = await worker.examine(photo)
    assert len(clean) + len(content) > len(content)
    assert worker.admission.disk.free == worker.admission.disk.total, "the file and its copy are beyond the limit"
    roomy = make()
    await roomy.examine(photo)
    assert roomy.admission.disk.total - roomy.admission.disk.free == len(clean) + len(content)

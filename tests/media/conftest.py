from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial

import pytest

from media.decoder_pool import DecoderPool
from media.fetch import MediaFetcher
from platforms.http.guard import GuardedTransport
from tests.media import files
from tests.media.hostile import PUBLIC, HostileServer, Internet


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    async with HostileServer().running() as running:
        yield running


@pytest.fixture
def internet(server: HostileServer) -> Internet:
    internet = Internet(server)
    internet.knows("cdn.test", [PUBLIC])
    return internet


@pytest.fixture
async def fetcher_with(internet: Internet) -> AsyncIterator[Callable[..., MediaFetcher]]:
    fetchers: list[MediaFetcher] = []

    def make(**options: object) -> MediaFetcher:
        transport = partial(GuardedTransport, names=internet, network=internet)
        fetchers.append(MediaFetcher(transport=transport, **options))  # type: ignore[arg-type]  # options vary by test
        return fetchers[-1]

    yield make
    for fetcher in fetchers:
        await fetcher.close()


@pytest.fixture(scope="module")
async def pool() -> AsyncIterator[DecoderPool]:
    pool = DecoderPool()
    yield pool
    await pool.close()


@pytest.fixture(autouse=True)
def close_files() -> Iterator[None]:
    yield
    while files.MADE:
        files.MADE.pop().close()

"""The stores of these tests: a directory, and servers of S3's API."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from storage.base import Storage
from storage.directory import DirectoryStorage
from tests.storage.servers import Server, credentials, radosgw, rclone

SERVERS = ["rclone", pytest.param("radosgw", marks=pytest.mark.thorough)]


@pytest.fixture(scope="session")
def rclone_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with rclone(tmp_path_factory.mktemp("s3") / "rclone") as server, credentials():
        yield server


@pytest.fixture(scope="session")
def radosgw_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with radosgw(tmp_path_factory.mktemp("s3") / "radosgw") as server, credentials():
        yield server


@pytest.fixture(params=SERVERS)
def s3_server(request: pytest.FixtureRequest) -> Server:
    server: Server = request.getfixturevalue(f"{request.param}_server")
    return server


@pytest.fixture(params=["directory", *SERVERS])
def server(request: pytest.FixtureRequest) -> Server | None:
    if request.param == "directory":
        return None
    server: Server = request.getfixturevalue(f"{request.param}_server")
    return server


@pytest.fixture
async def store(server: Server | None, tmp_path: Path) -> AsyncIterator[Storage]:
    store = server.open() if server else DirectoryStorage(tmp_path, least_free=0)
    await store.prepare()
    yield store
    await store.close()

"""The Python client as it is built, and the API that it speaks to."""

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from litestar import Litestar

from tests.api.conftest import app
from tests.clients.building import built, unpacked
from tests.fetching import fetching_uploads
from tests.serving import listening
from tests.stack import Stack

__all__ = ["app"]


@pytest.fixture(scope="session")
def python_files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return the wheel and the source distribution of the Python client."""
    return built("python", tmp_path_factory.mktemp("python"))


@pytest.fixture(scope="session")
def client_package(python_files: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    """Import the package of the wheel."""
    (wheel,) = [file for file in python_files if file.suffix == ".whl"]
    folder = str(unpacked(wheel, tmp_path_factory.mktemp("unpacked")))
    sys.path.insert(0, folder)
    import socialsyncer_client

    yield socialsyncer_client
    sys.path.remove(folder)


@pytest.fixture
async def address(app: Litestar) -> AsyncIterator[str]:
    """Serve the API, and yield its address."""
    async with listening(app) as url:
        yield url


@pytest.fixture
async def fetching(app: Litestar, stack: Stack) -> AsyncIterator[None]:
    """Fetch uploads as a worker does."""
    async with fetching_uploads(app, stack):
        yield

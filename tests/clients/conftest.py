"""The Python client as it is built, and the API that it speaks to."""

import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pytest
from litestar import Litestar

from domain.request_limits import Policy, PolicyName
from tests.api.conftest import app, limited_app
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


@dataclass(frozen=True, slots=True)
class LimitedApi:
    """An API whose keys may make some requests at once, and then one in a second."""

    address: str
    key: str
    burst: int
    statuses: Counter[int]
    """How many requests got which status."""


@pytest.fixture
async def limited_api(stack: Stack) -> AsyncIterator[LimitedApi]:
    """Serve the API with a small limit."""
    _, key = await stack.new_workspace()
    statuses = Counter[int]()
    few = Policy(PolicyName.REQUESTS, 60, 3)
    async with limited_app(stack, requests=few) as app:

        async def counting(scope: Any, receive: Any, send: Any) -> None:
            async def count(message: Any) -> None:
                if message["type"] == "http.response.start":
                    statuses[message["status"]] += 1
                await send(message)

            await app(scope, receive, count)

        async with listening(cast("Any", counting)) as url:
            yield LimitedApi(url, key, few.burst, statuses)


@pytest.fixture
async def fetching(app: Litestar, stack: Stack) -> AsyncIterator[None]:
    """Fetch uploads as a worker does."""
    async with fetching_uploads(app, stack):
        yield


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the waits, and let them end at once."""
    seconds: list[float] = []
    from socialsyncer_client import transports

    monkeypatch.setattr(transports, "sleep", lambda wait: seconds.append(wait) if wait else None)
    return seconds

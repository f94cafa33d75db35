"""The fetching of uploads for tests of the API: as a worker does it, from the sandbox's samples at example.com."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from litestar import Litestar

from media.fetch import MediaFetcher
from media.shared_files import SharedFiles
from media.upload_fetching import UploadFetcher
from reconcile.rounds import running_tasks
from reconcile.uploads import UploadFetches
from tests.stack import Stack


@asynccontextmanager
async def fetching_uploads(app: Litestar, stack: Stack) -> AsyncIterator[None]:
    """Fetch the uploads of an app for the length of the block."""
    files = SharedFiles(MediaFetcher(samples_url=stack.sandbox_url))
    fetcher = UploadFetcher(stack.worker_database, app.state.deps.storage, files, 0)
    async with running_tasks(UploadFetches(stack.worker_database, fetcher).task()):
        yield
    await files.close()

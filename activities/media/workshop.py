"""Inspect and convert media in processes of their own, so that no hostile file takes the worker down with it."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from activities.media.changes import Change, conversion_changes
from activities.media.decoding.facts import Conversion, ImageDemand, MediaFacts
from activities.media.decoding.main import MAX_MESSAGE
from activities.media.refusals import cannot_shrink, damaged, too_many_pixels
from activities.media.spool import Spool
from activities.media.stored import StoredFile, stored

PROCESSES = 2
"""Files worked on at the same time; each may need some hundred MB of memory if its picture is huge."""
PATIENCE = 60
"""Seconds for one file; a picture of 120 megapixels takes some ten."""

_START = (
    "import sys; sys.path[:] = sys.argv[2:]; from activities.media.decoding.main import main; main(int(sys.argv[1]))"
)


class Workshop:
    """Hold the decoding processes, started when needed; one per worker."""

    def __init__(self, *, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._threads = ThreadPoolExecutor(PROCESSES, thread_name_prefix="media")
        self._idle: deque[_Process] = deque()

    async def close(self) -> None:
        """End the processes, after the work they are at."""
        await asyncio.to_thread(self._threads.shutdown)
        while self._idle:
            self._idle.pop().end()

    async def inspect(self, file: StoredFile) -> MediaFacts:
        """Probe an image or video; no more of it is decoded than one frame, and of most images nothing.

        Raises NetworkError(rejected) where the file is damaged or beyond measure.
        """
        return MediaFacts(**await self._ask(file, {}, file.spool))

    @asynccontextmanager
    async def fitted(
        self, file: StoredFile, demand: ImageDemand
    ) -> AsyncIterator[tuple[StoredFile, tuple[Change, ...]]]:
        """Yield an image as it is where it meets the demand, else as a new JPEG for the length of the block.

        Raises NetworkError(rejected) for damaged files and where no picture fits the bytes.
        """
        facts = await self.inspect(file)
        if demand.is_met_by(facts):
            yield file, ()
            return
        with Spool() as out:
            made = Conversion(**await self._ask(file, {"demand": asdict(demand)}, file.spool, out))
            yield stored(out, "image/jpeg"), conversion_changes(facts, made)

    async def _ask(self, file: StoredFile, request: dict[str, Any], *spools: Spool) -> dict[str, Any]:
        request = {"contentType": file.content_type, **request}
        files = [spool.duplicate() for spool in spools]
        job = asyncio.get_running_loop().run_in_executor(self._threads, self._blocking, request, files)
        # Who no longer waits has closed the spools; the job must run all the same, to close its own.
        answer = await asyncio.shield(job)
        if "result" in answer:
            result: dict[str, Any] = answer["result"]
            return result
        refusal = {"TooManyPixels": too_many_pixels, "TooManyBytes": cannot_shrink}.get(answer["error"])
        raise refusal(answer["limit"]) if refusal else damaged(file.content_type)

    def _blocking(self, request: dict[str, Any], files: list[int]) -> dict[str, Any]:
        try:
            process = self._next_process()
            try:
                answer = process.ask(request, files)
            except (OSError, EOFError):
                # It crashed over the file, or found no end.
                process.kill()
                return {"error": "Crashed"}
            self._idle.append(process)
            return answer
        finally:
            for file in files:
                os.close(file)

    def _next_process(self) -> "_Process":
        try:
            return self._idle.pop()
        except IndexError:
            return _Process(self._patience)


class _Process:
    def __init__(self, patience: float) -> None:
        self._line, theirs = socket.socketpair()
        with theirs:
            self._line.settimeout(patience)
            self._process = subprocess.Popen(  # noqa: S603 - our own program, no word of it from outside
                [sys.executable, "-W", "ignore", "-c", _START, str(theirs.fileno()), *sys.path],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                # No secret of ours is in its environment, and Ctrl-C in the terminal is not for it: it ends with us.
                env={},
                start_new_session=True,
            )

    def ask(self, request: dict[str, Any], files: list[int]) -> dict[str, Any]:
        socket.send_fds(self._line, [json.dumps(request).encode()], files)
        message = self._line.recv(MAX_MESSAGE)
        if not message:
            raise EOFError
        answer: dict[str, Any] = json.loads(message)
        return answer

    def end(self) -> None:
        self._line.close()
        self._process.wait(5)

    def kill(self) -> None:
        self._line.close()
        self._process.kill()
        self._process.wait()

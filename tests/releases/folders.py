"""The folders of releases, and what each of them has."""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RELEASES = Path(__file__).parent
ROOT = RELEASES.parents[1]


@dataclass(frozen=True, slots=True)
class Release:
    """A release, read from its folder. `uv run python -m tests.releases.record VERSION` writes it."""

    path: Path

    @property
    def version(self) -> str:
        """Return its version."""
        return self.path.name

    def read(self, name: str) -> Any:
        """Return a JSON file of it."""
        return json.loads(self.path.joinpath(name).read_text())

    @property
    def schema(self) -> str:
        """Return the statements that make its schema, as pg_dump writes them."""
        return self.path.joinpath("schema.sql").read_text()

    @property
    def rows(self) -> str:
        """Return the statements that insert what the product had stored."""
        return gzip.decompress(self.path.joinpath("rows.sql.gz").read_bytes()).decode()


def releases() -> list[Release]:
    """Return all releases, oldest first."""
    folders = [path for path in RELEASES.iterdir() if path.is_dir() and path.name[0].isdigit()]
    return [Release(path) for path in sorted(folders, key=lambda path: [int(part) for part in path.name.split(".")])]

"""A recorder of releases: `uv run python -m tests.releases.record VERSION` writes tests/releases/VERSION.

It runs once for each release, before the commit is tagged. A release's folder never changes after that.
"""

import asyncio
import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from sqlalchemy import make_url

from api.openapi.document import document
from cli.main import main as commands
from cli.stack.postgres import programs
from domain.schedule import rfc3339
from runtime.settings import MigrateSettings, VaultSettings
from sandbox.journal import FILE_NAME
from store.models import Base
from store.schema.revisions import code_version, revisions
from tests.databases import new_database
from tests.postgres import postgres_server
from tests.releases.filling import fill, running_product
from tests.releases.trees import RELEASES, ROOT
from tests.running import stack_on
from tests.temporal import temporal_server

_FROZEN = ("store/migrations/versions/*.py", "store/functions/*.sql")
_HISTORIES = "tests/histories/*.json.gz"


def digests(patterns: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of each file, by its path."""
    files = sorted(path for pattern in patterns for path in ROOT.glob(pattern))
    return {str(path.relative_to(ROOT)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def frozen_files() -> dict[str, str]:
    """Return the digests of the files that a release freezes: migrations and functions of the database."""
    return digests(_FROZEN)


def histories() -> dict[str, str]:
    """Return the digests of the workflows' recorded histories."""
    return digests([_HISTORIES])


def command_options(group: click.Command = commands, name: str = "socialsyncer") -> dict[str, list[str]]:
    """Return the options and arguments of every command."""
    if isinstance(group, click.Group):
        return {
            path: options
            for child, command in sorted(group.commands.items())
            for path, options in command_options(command, f"{name} {child}").items()
        }
    words = [word for parameter in group.params for word in (*parameter.opts, *parameter.secondary_opts)]
    return {name: sorted(words)}


def settings() -> list[str]:
    """Return the names of all settings."""
    fields = {*VaultSettings.model_fields, *MigrateSettings.model_fields}
    return sorted(f"SOCIALSYNCER_{name.upper()}" for name in fields)


def metrics() -> list[str]:
    """Return the names of all metrics with their labels, as docs/metrics.md has them, and of all alerts."""
    page = (ROOT / "docs/metrics.md").read_text()
    alerts = re.findall(r"^ +- alert: (\w+)$", (ROOT / "deploy/prometheus/alerts.yml").read_text(), re.MULTILINE)
    return sorted({*re.findall(r"^\| `(socialsyncer_\w+(?:\{[\w,]+\})?)`", page, re.MULTILINE), *alerts})


def uses() -> dict[str, Any]:
    """Return the parts of the schema that the code uses: contracts of the next release must leave them."""
    code = [path.read_text() for path in (ROOT / "store").rglob("*.py") if "migrations" not in path.parts]
    named = set(re.findall(r"\b[a-z_]+_v\d+\b", "\n".join(code)))
    sources = {path.stem: path.read_text() for path in (ROOT / "store/functions").glob("*.sql")}
    called = named & sources.keys()
    while inner := {name for source in called for name in sources if name in sources[source]} - called:
        called |= inner
    return {
        "columns": {name: sorted(table.columns.keys()) for name, table in sorted(Base.metadata.tables.items())},
        "functions": sorted(called),
        "revisions": [revision.name for revision in revisions()],
    }


def surface() -> dict[str, Any]:
    """Return the files of a release that are read from the code."""
    return {
        "frozen.json": frozen_files(),
        "histories.json": histories(),
        "openapi.json": document(),
        "commands.json": command_options(),
        "settings.json": settings(),
        "metrics.json": metrics(),
        "uses.json": uses(),
    }


def dump(database_url: str, *options: str) -> str:
    """Return the statements by which pg_dump describes a database, without psql's own commands."""
    address = make_url(database_url)
    command = [str(programs() / "pg_dump"), "-h", str(address.host), "-p", str(address.port), "-U", "postgres"]
    ended = subprocess.run([*command, *options, str(address.database)], capture_output=True, check=True, text=True)
    return "".join(line for line in ended.stdout.splitlines(keepends=True) if not line.startswith("\\"))


async def record(version: str) -> None:
    """Write the folder of a release."""
    if version != code_version():
        raise SystemExit(f"pyproject.toml has the version {code_version()}: set it, and run `uv sync`.")
    folder = RELEASES / version
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in surface().items():
        _write_json(folder / name, content)
    sandbox = folder / "sandbox"
    with postgres_server() as url:
        database_url = await new_database(url)
        async with temporal_server() as temporal, stack_on(database_url, temporal, sandbox_folder=sandbox) as stack:
            stack.workspace_id, stack.api_key = await stack.new_workspace("acme")
            for name, platform, premium in (("plain", "twitter", False), ("instagram", "instagram", False)):
                stack.accounts[name] = await stack.connect(platform, premium=premium)
            async with running_product(stack) as product:
                known = await fill(product)
                # While workers and requests are in flight, as at a crash.
                rows = dump(database_url, "--data-only", "--column-inserts", "--rows-per-insert=100")
                journal = (sandbox / FILE_NAME).read_bytes()
                recorded_at = datetime.now(UTC)
                key = stack.settings.encryption_keys[0].get_secret_value()
                await stack.clear_faults()
        schema = dump(database_url, "--schema-only", "--no-owner")
    shutil.rmtree(sandbox)
    (folder / "schema.sql").write_text(schema)
    (folder / "rows.sql.gz").write_bytes(gzip.compress(rows.encode(), mtime=0))
    (folder / "sandbox.jsonl.gz").write_bytes(gzip.compress(journal, mtime=0))
    # The key opens nothing but the sandbox's credentials.
    secrets = {"encryptionKey": key, "apiKey": stack.api_key, "workspaceId": stack.workspace_id}
    _write_json(folder / "stored.json", {"recordedAt": rfc3339(recorded_at), **secrets, **known})
    print(f"{folder.relative_to(ROOT)}: {len(known['posts'])} posts", flush=True)  # noqa: T201


def _write_json(path: Path, content: Any) -> None:
    # The API's document has 20,000 lines, which no one reads in a diff.
    indent = None if path.name == "openapi.json" else 1
    path.write_text(json.dumps(content, indent=indent, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1]))

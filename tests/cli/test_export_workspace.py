"""`socialsyncer workspaces export`: all rows and files, no secret, and an interrupted export continues."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from cli.exporting import command
from storage.directory import DirectoryStorage
from store.maintenance.exports import exported_tables
from store.models import ApiKey
from tests.cli.commands import bare, production, run
from tests.stack import Stack
from tests.store.maintenance.filled_workspace import SECRET, fill
from tests.uploads import add_upload
from tests.workspaces import new_workspace

__all__ = ["bare", "production"]


def lines(folder: Path, table: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{table}.jsonl").read_text().splitlines()]


async def test_an_export_has_everything_but_secrets(
    production: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media, to = tmp_path / "media", tmp_path / "export"
    media.mkdir()
    monkeypatch.setenv("SOCIALSYNCER_STORAGE", f"file:{media}")
    monkeypatch.setattr(command, "PAGE", 2)
    storage = DirectoryStorage(media)
    await storage.prepare()
    async with new_workspace(production) as own:
        upload = await add_upload(own.database, own.workspace_id, b"a picture", storage=storage)
        gone = await add_upload(own.database, own.workspace_id, b"not in the store")
        posts = [await own.save(f"exported {number}", [own.accounts["plain"]]) for number in range(5)]
        await fill(own.database, own.workspace_id, posts[0], upload)
        async with own.database.reading() as session:
            keys = (await session.scalars(select(ApiKey).where(ApiKey.workspace_id == own.workspace_id))).all()

        exported = await run("workspaces", "export", own.workspace_id, "--to", str(to))

        assert exported.exit_code == 0, exported.output
        assert {f"{owned.table.name}.jsonl" for owned in exported_tables()} <= {path.name for path in to.iterdir()}
        assert all(lines(to, owned.table.name) for owned in exported_tables() if owned.table.name != "listeners")
        (row,) = [row for row in lines(to, "posts") if row["id"] == posts[3].id]
        assert (row["content"], row["targets"][0]["account_id"]) == ("exported 3", own.accounts["plain"].id)
        assert len({row["id"] for row in lines(to, "posts")}) == len(lines(to, "posts")) == len(posts)
        assert (to / "uploads" / upload.id).read_bytes() == b"a picture"
        everything = b"".join(path.read_bytes() for path in to.rglob("*") if path.is_file())
        for secret in (own.api_key, SECRET, upload.token, *(key.sha256.hex() for key in keys)):
            assert secret.encode() not in everything
        manifest = json.loads((to / "manifest.json").read_text())
        assert manifest["missingUploads"] == [gone.id]
        for name, about in manifest["files"].items():
            content = (to / name).read_bytes()
            assert (about["bytes"], about["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
        assert to.stat().st_mode & 0o077 == 0
        assert not [path for path in to.rglob("*") if path.stat().st_mode & 0o077]

        # As after a kill while the posts were written: a part of a line is left, and no manifest.
        (to / "manifest.json").unlink()
        written = (to / "posts.jsonl").read_bytes()
        (to / "posts.jsonl").unlink()
        (to / "posts.jsonl.part").write_bytes(written[: len(written) // 2])
        (to / f"uploads/{upload.id}").rename(to / f"uploads/{upload.id}.part")
        continued = await run("workspaces", "export", own.workspace_id, "--to", str(to))
        assert continued.exit_code == 0, continued.output
        assert (to / "posts.jsonl").read_bytes() == written
        assert (to / "uploads" / upload.id).read_bytes() == b"a picture"
        again = await run("workspaces", "export", own.workspace_id, "--to", str(to))
        assert (again.exit_code, "complete export already" in again.output) == (1, True)
        other = await run("workspaces", "export", production.workspace_id, "--to", str(to))
        assert (other.exit_code, "another workspace" in other.output) == (1, True)
    await storage.close()

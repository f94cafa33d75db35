"""`socialsyncer workspaces delete`: nothing of the workspace is left anywhere, whenever the command was killed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import delete, select, update

from cli.erasing import accounts, command, rows
from domain.post import TargetStatus
from domain.workspaces import DeletionStep
from storage.directory import DirectoryStorage
from store.models import Deletion, Post, RateLimitSlot, Target, Upload, Workspace
from store.workspaces.keys import recognize_key
from tests.cli.commands import bare, production, run
from tests.stack import Stack
from tests.store.maintenance.filled_workspace import fill, tables_with
from tests.uploads import add_upload
from tests.workspaces import new_workspace

__all__ = ["bare", "production"]


@pytest.fixture
async def own(production: Stack, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stack]:
    """Yield the product in a new workspace; the command does not wait for requests of before."""
    monkeypatch.setattr(command, "HEARD_AFTER_S", 0)
    monkeypatch.setattr(command, "REQUESTS_END_AFTER", timedelta(0))
    async with new_workspace(production) as mine:
        yield mine


async def name(stack: Stack) -> str:
    async with stack.database.reading() as session:
        return (await session.scalars(select(Workspace.name).where(Workspace.id == stack.workspace_id))).one()


async def delete_workspace(stack: Stack) -> Result:
    named = ("--confirm", await name(stack), "--without-revoking")
    return await run("workspaces", "delete", stack.workspace_id, *named)


async def find_deletion(stack: Stack) -> Deletion:
    async with stack.database.reading() as session:
        return (await session.scalars(select(Deletion).where(Deletion.workspace_id == stack.workspace_id))).one()


async def list_runs(stack: Stack) -> list[str]:
    runs = [run async for run in stack.client.list_workflows(f"Workspace = '{stack.workspace_id}'")]
    return [run.id for run in runs]


async def test_nothing_of_a_deleted_workspace_is_left(
    own: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "media"
    folder.mkdir()
    monkeypatch.setenv("SOCIALSYNCER_STORAGE", f"file:{folder}")
    storage = DirectoryStorage(folder)
    await storage.prepare()
    upload = await add_upload(own.database, own.workspace_id, b"a picture", storage=storage)
    account = own.accounts["plain"]
    published = await own.publish("published, then deleted", [account])
    later = await own.save("never published", [account], due_in=timedelta(days=30))
    await own.start(later)
    await fill(own.database, own.workspace_id, later, upload)
    workspace = await name(own)
    async with own.database.transaction() as session:
        slot = {"platform": "twitter", "server": "x", "account_id": account.id, "step": "publish", "last_attempt_id": 0}
        session.add(RateLimitSlot(**slot, target_id=published.targets[0].id, at=published.created_at, taken=True))

    monkeypatch.setattr(accounts, "REVOKED_WITHIN_S", 0)

    stopped = await run("workspaces", "delete", own.workspace_id, "--confirm", workspace)
    deleted = await delete_workspace(own)

    # The accounts' app is unknown, so no platform can end their authorizations.
    assert (stopped.exit_code, "3 authorizations are still to be ended" in stopped.output) == (1, True)
    assert deleted.exit_code == 0, deleted.output
    ids = [own.workspace_id, published.id, published.targets[0].id, later.id, upload.id, account.id]
    assert deleted.output.splitlines()[-1] == f"{own.workspace_id} is deleted."
    assert await tables_with(own.database, ids) == {"deletions"}
    assert not await storage.has(upload.key)
    assert await list_runs(own) == []
    assert len(await own.public("published, then deleted")) == 1
    deletion = await find_deletion(own)
    assert (deletion.step, deletion.counts["posts"], deletion.unconfirmed) == (DeletionStep.DONE, 2, [])
    assert deletion.counts["accounts"] == len(own.accounts)
    again = await run("workspaces", "delete", own.workspace_id, "--confirm", workspace)
    assert (again.exit_code, "is deleted already" in again.output) == (0, True)
    assert own.workspace_id in (await run("workspaces", "deletions", "--json")).output
    await storage.close()


async def test_another_name_deletes_nothing(own: Stack) -> None:
    refused = await run("workspaces", "delete", own.workspace_id, "--confirm", "another")
    assert (refused.exit_code, "--confirm must be the name" in refused.output) == (1, True)
    unknown = await run("workspaces", "delete", "ws_none", "--confirm", "none")
    assert (unknown.exit_code, "There is no workspace ws_none" in unknown.output) == (1, True)
    async with own.database.reading() as session:
        assert await recognize_key(session, own.api_key) is not None


async def test_a_post_that_may_be_public_is_named(own: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is being sent, and its answer does not come in time."""
    monkeypatch.setattr(rows, "PATIENCE_S", 0.2)
    monkeypatch.setattr(rows, "POLL_S", 0.05)
    post = await own.save("being sent while it is deleted", [own.accounts["plain"]], due_in=timedelta(days=1))
    async with own.database.transaction() as session:
        await session.execute(update(Post).where(Post.id == post.id).values(status="publishing"))
        sending = {"status": TargetStatus.UNCONFIRMED, "confirming": True}
        await session.execute(update(Target).where(Target.post_id == post.id).values(**sending))
    deleted = await delete_workspace(own)
    assert deleted.exit_code == 0, deleted.output
    account = own.accounts["plain"]
    assert f"  {post.id} to twitter {account.id}" in deleted.output
    named = [{"postId": post.id, "platform": "twitter", "accountId": account.id}]
    assert (await find_deletion(own)).unconfirmed == named


async def test_a_post_that_is_sent_at_that_moment_is_waited_for(own: Stack) -> None:
    await own.fault("twitter", "accept_then_delay", seconds=2)
    post = await own.save("out in the last moment", [own.accounts["plain"]])
    await own.start(post)
    async with asyncio.timeout(60):
        while not await own.public("out in the last moment"):  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
    deleted = await delete_workspace(own)
    assert deleted.exit_code == 0, deleted.output
    assert (await find_deletion(own)).unconfirmed == []


async def test_a_workspace_that_is_being_deleted_sends_nothing(own: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOCIALSYNCER_STORAGE", raising=False)
    await add_upload(own.database, own.workspace_id, b"")
    stopped = await delete_workspace(own)
    assert (stopped.exit_code, "set SOCIALSYNCER_STORAGE" in stopped.output) == (1, True)
    async with own.database.reading() as session:
        assert await recognize_key(session, own.api_key) is None
    post = await own.save("after it was closed", [own.accounts["plain"]])
    await own.start(post)
    async with asyncio.timeout(60):
        while (await own.read(post.id)).targets[0].status != TargetStatus.HELD:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
    assert await own.public("after it was closed") == []
    assert (await find_deletion(own)).step == DeletionStep.UPLOADS
    async with own.database.transaction() as session:
        await session.execute(delete(Upload).where(Upload.workspace_id == own.workspace_id))
    finished = await delete_workspace(own)
    assert finished.exit_code == 0, finished.output

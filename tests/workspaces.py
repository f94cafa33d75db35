"""Workspaces that the tests of one process do not share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

from domain.errors import Unavailable
from tests.stack import Stack
from workflows.client.runs import Runs


@asynccontextmanager
async def new_workspace(stack: Stack) -> AsyncIterator[Stack]:
    """Yield a stack with a new workspace, whose rows and workflows are deleted afterwards."""
    mine = await _in_new_workspace(stack)
    try:
        yield mine
    finally:
        await end_workflows(mine, mine.workspace_id)
        await mine.delete_workspace()


async def end_workflows(stack: Stack, workspace_id: str) -> None:
    """End what runs for a workspace."""
    async for run in Runs(stack.client).listed("Running", workspace_id):
        # A workflow that has just ended is listed for a moment more.
        with suppress(Unavailable):
            await Runs(stack.client).terminate(run, "the test is over")


async def _in_new_workspace(stack: Stack) -> Stack:
    workspace_id, key = await stack.new_workspace()
    mine = replace(stack, workspace_id=workspace_id, api_key=key, accounts={})
    for name, platform in (("plain", "twitter"), ("other", "twitter"), ("instagram", "instagram")):
        mine.accounts[name] = await mine.connect(platform, premium=name == "other")
    return mine

"""Start the product's real parts inside the test session's event loop, except for a worker."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from pydantic import SecretStr
from temporalio.testing import WorkflowEnvironment

from cli.stack.ports import free_port
from runtime.settings import VaultSettings
from sandbox.authorization import PLAY_APP, PLAY_SECRET
from sandbox.platforms.discord.base import SHARED_BOT as DISCORD_BOT
from sandbox.platforms.telegram.base import SHARED_BOT as TELEGRAM_BOT
from sandbox.server import running_sandbox
from store.announcer import Outcomes
from store.database import Database
from store.roles import Component
from store.secrets.vault import new_key
from tests.databases import new_database, url_as
from tests.serving import direct_client
from tests.stack import Stack
from workflows.client.post_workflows import PostWorkflows

SANDBOX_APPS = ["facebook", "google", "instagram", "linkedin", "pinterest", "reddit", "threads", "tiktok", "twitter"]
SANDBOX_APP = {"clientId": PLAY_APP, "clientSecret": PLAY_SECRET}
"""An app that each platform of the sandbox knows."""
OTHERS_APP = {"clientId": "app-of-others", "clientSecret": "app-secret-of-others", "workspaces": ["ws_others"]}
"""An app at X that is for another workspace than those of the tests."""
SANDBOX_BOTS = {"discord": SANDBOX_APP | {"botToken": DISCORD_BOT}, "telegram": {"botToken": TELEGRAM_BOT}}
"""Bots that the sandbox's platforms know, which accounts share."""


@asynccontextmanager
async def running_stack(server_url: str, environment: WorkflowEnvironment) -> AsyncIterator[Stack]:
    """Run everything except a worker; tests start and kill workers themselves or use the `stack` fixture's worker."""
    async with stack_on(await new_database(server_url), environment) as stack:
        await new_owner(stack)
        yield stack


async def new_owner(stack: Stack) -> None:
    """Give the stack a workspace of its own, with accounts."""
    stack.workspace_id, stack.api_key = await stack.new_workspace()
    for name, platform, premium in (
        ("twitter", "twitter", True),
        ("plain", "twitter", False),
        ("instagram", "instagram", False),
    ):
        stack.accounts[name] = await stack.connect(platform, premium=premium)


@asynccontextmanager
async def stack_on(
    database_url: str,
    environment: WorkflowEnvironment,
    *,
    encryption_key: str | None = None,
    sandbox_folder: Path | None = None,
) -> AsyncIterator[Stack]:
    """Run everything except a worker on a database and, if it is named, on the folder of an earlier sandbox."""
    database = Database(database_url)
    of_api, of_worker = Database(url_as(database_url, Component.API)), Database(url_as(database_url, Component.WORKER))
    outcomes = Outcomes(url_as(database_url, Component.API))
    await outcomes.start()
    async with running_sandbox(sandbox_folder) as sandbox, httpx.AsyncClient(timeout=30) as http:
        settings = VaultSettings(
            _env_file=None,
            database_url=SecretStr(database_url),
            encryption_keys=[SecretStr(encryption_key or new_key())],
            sandbox_url=sandbox.url,
            private_media_hosts=[sandbox.url.removeprefix("http://")],
            private_webhook_hosts=[f"127.0.0.1:{free_port()}"],
            platform_rate_limits=False,
            apps=SecretStr(
                json.dumps(
                    dict.fromkeys(SANDBOX_APPS, SANDBOX_APP) | SANDBOX_BOTS | {"twitter": [SANDBOX_APP, OTHERS_APP]}
                )
            ),
        )
        client = environment.client
        try:
            yield Stack(
                *(database, database_url, of_api, of_worker, client, PostWorkflows(client), outcomes, settings),
                *(sandbox.url, http, direct_client(sandbox.app, sandbox.url)),
            )
        finally:
            await outcomes.close()
            for pool in (database, of_api, of_worker):
                await pool.close()

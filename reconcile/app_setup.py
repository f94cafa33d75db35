"""A worker's reports about itself: its apps and encryption keys, the keys that it lacks, the room on its disk."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import structlog

from activities.meters import Meters
from media.admission import MediaDisk
from platforms.access.connector import connectors
from platforms.access.consent import PublishesApp
from platforms.access.registered_apps import RegisteredApps
from platforms.registry import platforms
from reconcile.rounds import BackgroundTask
from store.accounts.revocations import count_without_key
from store.apps import announce_apps
from store.database import Database
from store.secrets.vault import Vault

log = structlog.get_logger(__name__)

_KEYS_EVERY_S = 600.0
_KEYS_AGAIN_S = 10.0
"""The pause after a check that failed because the database is unavailable."""


def key_task(database: Database, vault: Vault, meters: Meters) -> BackgroundTask:
    """Return the task that checks when the worker starts, and every ten minutes."""
    return BackgroundTask(
        lambda: check_keys(database, vault, meters), _KEYS_EVERY_S, "keys.not_checked", again_s=lambda _: _KEYS_AGAIN_S
    )


async def check_keys(database: Database, vault: Vault, meters: Meters) -> int:
    """Report how many accounts this worker cannot read, and return their number."""
    async with database.reading() as session:
        missing = await count_without_key(session, vault.key_ids)
    unreadable = sum(missing.values())
    meters.record_unreadable_accounts(unreadable)
    if unreadable:
        log.error(
            "keys.missing",
            accounts=unreadable,
            key_ids=sorted(key.hex() for key in missing),
            hint="add the key that these accounts are encrypted with to SOCIALSYNCER_ENCRYPTION_KEYS",
        )
    return unreadable


EVERY_S = 5.0


def disk_task(disk: MediaDisk, meters: Meters) -> BackgroundTask:
    """Return the task that measures when the worker starts, and every few seconds."""

    async def measure() -> None:
        meters.record_media_disk(await asyncio.to_thread(disk.measure))

    return BackgroundTask(measure, EVERY_S, "disk.not_measured")


_EVERY_S = 60.0


def announce_task(
    database: Database, apps: RegisteredApps, redirect_urls: Sequence[str] = (), key_ids: Sequence[bytes] = ()
) -> BackgroundTask:
    """Return the task that announces them every minute.

    Each worker does so when it starts, and then only one: if workers have different settings, the last one counts.
    """
    shared = {
        name for name, platform in platforms().items() if platform.app.registers_itself or apps.is_shared(platform)
    }
    own = {
        workspace: {name for name, platform in platforms().items() if apps.workspace_app(platform, workspace)}
        for workspace in apps.workspaces()
    }
    documents = app_documents(apps, redirect_urls)

    async def announce() -> None:
        async with database.reading() as session:
            await announce_apps(session, shared, own, datetime.now(UTC), documents, key_ids)

    return BackgroundTask(announce, _EVERY_S, "apps.not_announced")


def app_documents(apps: RegisteredApps, redirect_urls: Sequence[str]) -> dict[str, Any]:
    """Return the documents about the apps that the API publishes, by path, without secrets."""
    documents: dict[str, Any] = {}
    for platform, connector in connectors().items():
        if not isinstance(connector, PublishesApp):
            continue
        for app in apps.apps(platforms()[platform]):
            if (document := connector.document(app, redirect_urls)) is not None:
                documents[urlsplit(app.client_id).path] = document
    return documents

"""Announcements of the platforms for which there is an app, and of the encryption keys; only the workers know them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from platforms.access.connector import connectors
from platforms.access.consent import PublishesApp
from platforms.access.registered_apps import RegisteredApps
from platforms.registry import platforms
from reconcile.rounds import BackgroundTask
from store.apps import announce_apps
from store.database import Database

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

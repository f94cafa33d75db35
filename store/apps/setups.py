"""The operator's settings that only workers know: the platforms for which there is an app, and the encryption keys."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from store.models import AppSetup


async def announce_apps(
    session: AsyncSession,
    platforms: Collection[str],
    platforms_by_workspace: Mapping[str, Collection[str]],
    now: datetime,
    documents: Mapping[str, Any] | None = None,
    key_ids: Sequence[bytes] = (),
) -> None:
    """Save for which platforms there is an app: for all workspaces, and for single ones by their ids.

    Nothing is written if the row says so already: a worker announces every minute.
    `documents` are the documents about apps that the API publishes, by their paths. `key_ids` are the ids of the
    worker's encryption keys.
    """
    values = {
        "platforms": sorted(platforms),
        "platforms_by_workspace": {workspace: sorted(names) for workspace, names in platforms_by_workspace.items()},
        "documents": dict(documents or {}),
        "key_ids": [key_id.hex() for key_id in key_ids],
    }
    statement = insert(AppSetup).values(only=True, announced_at=now, **values)
    differs = or_(*(getattr(AppSetup, name).is_distinct_from(statement.excluded[name]) for name in values))
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=[AppSetup.only], set_={"announced_at": now, **values}, where=differs
        )
    )


async def platforms_with_app(session: AsyncSession, workspace_id: str) -> frozenset[str]:
    """Return the platforms for which a workspace can use an app; none before a worker has run."""
    setup = await session.scalar(select(AppSetup))
    return frozenset((*setup.platforms, *setup.platforms_by_workspace.get(workspace_id, ()))) if setup else frozenset()


async def app_document(session: AsyncSession, path: str) -> dict[str, Any] | None:
    """Return the published document of an app at a path, None if there is none."""
    app_documents = await session.scalar(select(AppSetup.documents))
    document: dict[str, Any] | None = (app_documents or {}).get(path)
    return document


async def key_ids_of_workers(session: AsyncSession) -> list[str]:
    """Return the ids of the encryption keys of the worker that started last; none before a worker has run."""
    return list(await session.scalar(select(AppSetup.key_ids)) or ())

"""Say whether the process lives, and whether what it depends on is there."""

import asyncio

import structlog
from litestar import Controller, Response, get

from api.dependencies import Dependencies, Deps
from store.failures import database_away

log = structlog.get_logger(__name__)

_PATIENCE_S = 3.0


class Health(Controller):
    """Serve monitors; no key is needed."""

    @get("/healthz")
    async def lives(self) -> dict[str, str]:
        """Say that the process lives."""
        return {"status": "ok"}

    @get("/readyz")
    async def ready(self, deps: Deps) -> Response[dict[str, bool]]:
        """Say of each part by name whether it is there; 503 unless all are."""
        database, temporal = await asyncio.gather(_database(deps), deps.workflows.health())
        parts = {"database": database, **temporal}
        return Response(parts, status_code=200 if all(parts.values()) else 503)


async def _database(deps: Dependencies) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await deps.database.ping()
    except Exception as error:
        if not database_away(error):
            raise
        log.warning("database.away", reason=type(error).__name__)
        return False
    return True

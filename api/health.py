"""Endpoints for monitors: whether the process lives, and whether the parts that it needs are available."""

from litestar import Controller, Response, get

from api.dependencies import Deps
from reconcile.readiness import Parts, ready


class HealthEndpoints(Controller):
    """Endpoints for monitors; no API key is needed."""

    @get("/healthz")
    async def live(self) -> dict[str, str]:
        """Answer that the process lives."""
        return {"status": "ok"}

    @get("/readyz")
    async def ready(self, deps: Deps) -> Response[Parts]:
        """Return for each part by name whether it is available; 503 unless all are."""
        parts = await deps.readiness.parts()
        return Response(parts, status_code=200 if ready(parts) else 503)

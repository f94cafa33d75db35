"""Say whether the process lives, and whether what it depends on is there."""

from litestar import Controller, Response, get

from api.dependencies import Deps
from reconcile.readiness import Parts, ready


class Health(Controller):
    """Endpoints for monitors; no API key is needed."""

    @get("/healthz")
    async def live(self) -> dict[str, str]:
        """Say that the process lives."""
        return {"status": "ok"}

    @get("/readyz")
    async def ready(self, deps: Deps) -> Response[Parts]:
        """Say of each part by name whether it is there; 503 unless all are."""
        parts = await deps.readiness.parts()
        return Response(parts, status_code=200 if ready(parts) else 503)

"""Endpoints for monitors and balancers: whether the process lives and takes requests, and which parts are available."""

from litestar import Controller, Response, get
from litestar.params import FromQuery

from api.dependencies import Deps
from api.http.headers import HttpRequest
from domain.errors import InvalidRequest, Problem
from reconcile.readiness import Parts, ready

_FLAGS = {"true": True, "1": True, "false": False, "0": False}


class HealthEndpoints(Controller):
    """Endpoints for monitors and balancers; no API key is needed."""

    @get("/healthz")
    async def live(self) -> dict[str, str]:
        """Answer that the process lives."""
        return {"status": "ok"}

    @get("/readyz")
    async def takes_requests(self, request: HttpRequest, deps: Deps) -> Response[Parts]:
        """Return each part by name; 503 if this process takes no requests: without the database, or because it ends.

        Without Temporal or a worker it stays ready: posts are accepted, and are published later (ADR 1).
        """
        parts = await deps.readiness.parts_soon()
        if is_draining := bool(request.scope["state"].get("draining")):
            parts["draining"] = True
        return Response(parts, status_code=200 if parts["database"] and not is_draining else 503)

    @get("/statusz")
    async def status(self, deps: Deps, strict: FromQuery[str] = "false") -> Response[Parts]:
        """Return each part by name; with `strict`, 503 unless all are available. Raises InvalidRequest."""
        if strict.lower() not in _FLAGS:
            raise InvalidRequest(Problem("strict must be true or false", "invalid_field_value", "strict"))
        parts = await deps.readiness.parts()
        return Response(parts, status_code=200 if ready(parts) or not _FLAGS[strict.lower()] else 503)

"""The Litestar app."""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

from litestar import Litestar
from litestar.di import Provide
from litestar.exceptions import HTTPException

from api.auth import API_KEYS, CALENDAR_VIEWS, TokenCache, find_flood
from api.calendar.calendar_views import CalendarFeed
from api.connect.hosted import HostedConnectEndpoints
from api.dependencies import Dependencies
from api.errors import on_framework_error, on_posts_error, on_unexpected_error
from api.http.body import MAX_BYTES
from api.http.headers import HttpRequest
from api.http.middleware import ApiApp, HostNames
from api.media.public import ConvertedFileEndpoints, PublicUploadEndpoints, ThumbnailEndpoints, UploadingEndpoints
from api.openapi.components import CONTROLLERS
from api.pages import AppDocuments, HealthEndpoints, PageEndpoints
from domain.errors import PostsError


def create_app(
    open_dependencies: Callable[[], AbstractAsyncContextManager[Dependencies]], host_names: Collection[str] = ()
) -> Litestar:
    """Return the app over dependencies that it opens when it starts, in its own event loop, and closes at the end.

    It takes requests for `host_names` only, if there are any.
    """

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_dependencies() as deps:
            app.state.deps = deps
            app.state.api_keys = TokenCache(deps.database, API_KEYS, deps.strangers)
            app.state.calendar_views = TokenCache(deps.database, CALENDAR_VIEWS, deps.strangers)
            yield
            # No client waits for these deliveries any more, but the next process should not have to repeat them.
            await deps.delivery.close()
            await deps.readiness.close()

    app = ApiApp(
        route_handlers=[
            *CONTROLLERS,
            HostedConnectEndpoints,
            AppDocuments,
            CalendarFeed,
            ConvertedFileEndpoints,
            PublicUploadEndpoints,
            ThumbnailEndpoints,
            UploadingEndpoints,
            HealthEndpoints,
            PageEndpoints,
        ],
        dependencies={"deps": Provide(_dependencies, sync_to_thread=False)},
        exception_handlers={
            PostsError: on_posts_error,
            HTTPException: on_framework_error,
            Exception: on_unexpected_error,
        },
        lifespan=[lifespan],
        request_max_body_size=MAX_BYTES,
        # The document is our own (api.openapi): bodies are read by us, so Litestar does not know them.
        openapi_config=None,
        logging_config=None,
    )
    app.host_names = HostNames(host_names)
    app.find_flood = partial(find_flood, app)
    return app


def _dependencies(request: HttpRequest) -> Dependencies:
    deps: Dependencies = request.app.state.deps
    return deps

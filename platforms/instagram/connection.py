"""An account's connection to Instagram, and Instagram's names for containers."""

from datetime import date

from platforms.base import ApiVersion, Connection
from platforms.instagram import errors
from platforms.instagram.settings import InstagramCredentials
from platforms.meta.containers import ContainerDialect
from platforms.meta.graph import Graph

API = ApiVersion("v25.0", date(2028, 7, 29), "Graph API changelog, October 29, 2026")
GRAPH = Graph(API.name)
CONTAINERS = ContainerDialect(
    graph=GRAPH,
    edge="/{user}/media",
    publishing="/{user}/media_publish",
    state="status_code",
    message="status",
    is_gone=errors.is_gone,
    needs_new=errors.needs_new,
    failed=errors.processing_error,
)

InstagramConnection = Connection[InstagramCredentials]

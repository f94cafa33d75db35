"""The database's sessions of the api and the worker, as the settings size their pool."""

from collections.abc import Mapping

from runtime.settings import Settings
from store.database import Database, TimeLimits
from store.roles import Component

CONNECTIONS: Mapping[Component, int] = {Component.API: 12, Component.WORKER: 8}
"""Most connections of a process by default. With 300 publishNow at once, 2 APIs and 2 workers had at most 7 busy."""


def open_database(settings: Settings, limits: TimeLimits, part: Component) -> Database:
    """Return one process's database; a session is opened when it is first used."""
    connections = settings.database_connections or CONNECTIONS[part]
    permanent = connections * 2 // 3
    return Database(
        settings.database_url.get_secret_value(),
        direct_url=settings.direct_url,
        is_pooled=settings.database_pooler is not None,
        pool_size=permanent,
        max_overflow=connections - permanent,
        reserved=settings.database_reserved,
        limits=limits,
        purpose=part,
    )

"""The database's sessions of the api and the worker, as the settings size their pool."""

from collections.abc import Mapping

from runtime.settings import Settings
from store.database import Database, TimeLimits
from store.roles import Component

CONNECTIONS: Mapping[Component, int] = {Component.API: 12, Component.WORKER: 8}
"""Most connections of a process by default. With 300 publishNow at once, 2 APIs and 2 workers had at most 7 busy."""


def open_database(settings: Settings, limits: TimeLimits, part: Component) -> Database:
    """Return one process's database; a session is opened when it is first used, and then stays open.

    To open one costs some 30 ms of processor time, because it logs in and plans each function again; a statement of a
    post costs half a millisecond.
    """
    return Database(
        settings.database_url.get_secret_value(),
        direct_url=settings.direct_url,
        is_pooled=settings.database_pooler is not None,
        pool_size=settings.database_connections or CONNECTIONS[part],
        max_overflow=0,
        reserved=settings.database_reserved,
        limits=limits,
        purpose=part,
    )

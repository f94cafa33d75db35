"""The database's sessions of the api and the worker, as the settings size their pool."""

from runtime.settings import Settings
from store.database import Database, TimeLimits
from store.roles import Component


def open_database(settings: Settings, limits: TimeLimits, part: Component) -> Database:
    """Return one process's database; a session is opened when it is first used."""
    permanent = settings.database_connections * 2 // 3
    return Database(
        settings.database_url.get_secret_value(),
        pool_size=permanent,
        max_overflow=settings.database_connections - permanent,
        reserved=settings.database_reserved,
        limits=limits,
        purpose=part,
    )

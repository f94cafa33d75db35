"""The migration of the database's schema and roles."""

from collections.abc import Sequence
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from store.roles import Role, set_up_role

_LOCK = 7_203_514
"""Any number, always the same: an advisory lock, so that two starting replicas do not migrate concurrently."""


def alembic_config() -> Config:
    """Return Alembic's configuration; there is no ini file."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _upgrade(connection: Connection, roles: Sequence[Role]) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    for role in roles:
        set_up_role(connection, role)


async def upgrade(database_url: str, roles: Sequence[Role] = ()) -> None:
    """Apply every migration that the database lacks, and set up the roles; repeatable.

    Raises RoleError, and changes nothing in that case.
    """
    engine = create_async_engine(database_url, hide_parameters=True)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_upgrade, roles)
    finally:
        await engine.dispose()

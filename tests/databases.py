"""Make migrated databases with the roles of the API and the worker."""

import asyncio
import fcntl
import secrets
import subprocess
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from domain.ids import new_id
from store.database import Database
from store.maintenance.servers import trust_server
from store.migrate import upgrade
from store.roles import Component, Role
from store.workspaces.keys import create_workspace
from tests.postgres import PostgresServer, initialize

ROLES = (
    Role(Component.API, "socialsyncer_api", "password-of-the-api"),
    Role(Component.WORKER, "socialsyncer_worker", "password-of-the-worker"),
)
_MIGRATED = "migrated"
"""A database that new ones are copied from: a copy takes a tenth of the time of all migrations."""


async def empty_database(server_url: str) -> str:
    """Create a database without tables and return its URL."""
    name = f"test_{secrets.token_hex(4)}"
    engine = create_async_engine(f"{server_url}/postgres", isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {name}"))
    await engine.dispose()
    return f"{server_url}/{name}"


async def new_database(server_url: str) -> str:
    """Create an empty, migrated database and return its URL."""
    name = f"test_{secrets.token_hex(4)}"
    engine = create_async_engine(f"{server_url}/postgres", isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        if not await connection.scalar(text(f"SELECT 1 FROM pg_database WHERE datname = '{_MIGRATED}'")):
            await _make_migrated(server_url)
        # Files are copied faster than pages through the log.
        await connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {_MIGRATED} STRATEGY file_copy"))
        # Rights to the database itself are not copied.
        await connection.execute(text(f"REVOKE CREATE, TEMPORARY ON DATABASE {name} FROM PUBLIC"))
        await connection.execute(text(f"GRANT CONNECT ON DATABASE {name} TO {', '.join(role.name for role in ROLES)}"))
    await engine.dispose()
    copy = Database(f"{server_url}/{name}")
    async with copy.transaction() as session:
        await trust_server(session)
    await copy.close()
    return f"{server_url}/{name}"


async def add_workspace(database: Database) -> str:
    """Create a workspace and return its id."""
    async with database.transaction() as session:
        return await create_workspace(session, new_id("w"))


async def _make_migrated(server_url: str) -> None:
    engine = create_async_engine(f"{server_url}/postgres", isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE DATABASE {_MIGRATED}"))
    await engine.dispose()
    await upgrade(f"{server_url}/{_MIGRATED}", ROLES)


def initialize_once(server: PostgresServer, shared: Path) -> None:
    """Make the files of a server that has the migrated database.

    The first process of a test session makes them, and copies them to the folder `shared`, from which the others copy
    them: all migrations take seconds.
    """
    with shared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.exists():
            initialize(server)
            server.start()
            asyncio.run(_make_migrated(server.url))
            server.stop(cleanly=True)
            unfinished = shared.with_suffix(".unfinished")
            subprocess.run(["cp", "-a", server.data, unfinished], check=True)
            unfinished.rename(shared)
            return
    subprocess.run(["cp", "-a", f"{shared}/.", server.data], check=True)


def url_as(database_url: str, component: Component) -> str:
    """Return the URL under which a part of the product logs in, as in production."""
    role = next(role for role in ROLES if role.component is component)
    return make_url(database_url).set(username=role.name, password=role.password).render_as_string(hide_password=False)

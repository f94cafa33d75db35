"""Make API keys."""

from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from cli.errors import UserError
from cli.place import place_of
from cli.terminal import say
from store.database import Database
from store.workspaces import create_key, create_workspace, find_workspace


async def create(workspace: str | None, name: str, data_dir: Path | None) -> str:
    """Return a new API key of the workspace, which is made where it does not exist. Raises UserError."""
    place = place_of(data_dir)
    database = Database(place.settings.database_url.get_secret_value())
    try:
        async with database.transaction() as session:
            workspace_id = await workspace_id_of(session, place.workspace_id if workspace is None else workspace)
            return await create_key(session, workspace_id, name)
    finally:
        await database.close()


async def workspace_id_of(session: AsyncSession, workspace: str | None, *, may_make: bool = True) -> str:
    """Return the id of a workspace given by name or id; a new name makes a new one where it may. Raises UserError."""
    # An empty name is a shell's unset variable: the default workspace's key would go to somebody it is not for.
    if workspace is None or not workspace.strip():
        raise UserError("Which workspace? Give its name with --workspace.")
    found = await find_workspace(session, workspace)
    if found is not None:
        return found
    if workspace.startswith("ws_") or not may_make:
        raise UserError(f"There is no workspace {workspace}.")
    say(f"Workspace {workspace!r} is new: it was created.", error=True)
    return await create_workspace(session, workspace)

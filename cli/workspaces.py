"""The workspace on which a command acts, given by its name or id."""

from sqlalchemy.ext.asyncio import AsyncSession

from cli.errors import UserError
from cli.terminal import say
from store.workspaces.queries import create_workspace, find_workspace


async def workspace_id_of(session: AsyncSession, workspace: str | None, *, may_make: bool = True) -> str:
    """Return the id of a workspace given by name or id; a new name creates a workspace if that is allowed.

    Raises UserError.
    """
    name, found = await known_workspace(session, workspace, may_make=may_make)
    if found is not None:
        return found
    say(f"Workspace {name!r} is new: it was created.", error=True)
    return await create_workspace(session, name)


async def known_workspace(
    session: AsyncSession, workspace: str | None, *, may_make: bool = True
) -> tuple[str, str | None]:
    """Return the name or id as given, and the workspace's id; None for one that may be created. Raises UserError."""
    # An empty name is a shell's unset variable. Without this check the default workspace's key would go to the wrong
    # person.
    if workspace is None or not workspace.strip():
        raise UserError("Which workspace? Give its name with --workspace.")
    found = await find_workspace(session, workspace)
    if found is None and (workspace.startswith("ws_") or not may_make):
        raise UserError(f"There is no workspace {workspace}.")
    return workspace, found


async def existing_workspace(session: AsyncSession, workspace: str) -> str:
    """Return the id of a workspace given by name or id. Raises UserError if there is none."""
    found = await find_workspace(session, workspace)
    if found is None:
        raise UserError(f"There is no workspace {workspace}.")
    return found

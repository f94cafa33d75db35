"""The workspace on which a command acts, given by its name or id."""

from sqlalchemy.ext.asyncio import AsyncSession

from cli.errors import UserError
from cli.terminal import say
from store.workspaces.keys import create_workspace, find_workspace


async def find_or_create_workspace(session: AsyncSession, workspace: str | None, *, may_make: bool = True) -> str:
    """Return the id of a workspace given by name or id; a new name creates a workspace if that is allowed.

    Raises UserError.
    """
    name, workspace_id = await known_workspace(session, workspace, may_make=may_make)
    if workspace_id is not None:
        return workspace_id
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
    workspace_id = await find_workspace(session, workspace)
    if workspace_id is None and (workspace.startswith("ws_") or not may_make):
        raise UserError(f"There is no workspace {workspace}.")
    return workspace, workspace_id


async def existing_workspace(session: AsyncSession, workspace: str) -> str:
    """Return the id of a workspace given by name or id. Raises UserError if there is none."""
    workspace_id = await find_workspace(session, workspace)
    if workspace_id is None:
        raise UserError(f"There is no workspace {workspace}.")
    return workspace_id

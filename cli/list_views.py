"""Links to the lists of posts in Temporal's Web UI that operators need."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cli.data_dir import Folder
from cli.environment import environment_of
from cli.errors import UserError
from runtime.settings import Settings
from store.database import OF_COMMANDS, Database
from store.workspaces.queries import find_workspace
from workflows.client.views import ListView, views

DEFAULT_NAMESPACE = "default"


async def links(data_dir: Path | None, ui_url: str | None, workspace: str | None, tag: str | None) -> list[str]:
    """Return a line for each list: its name and its link. Raises UserError."""
    if data_dir is not None:
        running = Folder(data_dir).running()
        ui_url, namespace = ui_url or running.temporal_ui_url, running.temporal_namespace
    else:
        namespace = os.environ.get("TEMPORAL_NAMESPACE", DEFAULT_NAMESPACE)
    if ui_url is None:
        raise UserError("Where is Temporal's Web UI? Give --ui, such as --ui https://temporal.example.com.")
    workspace_id = None if workspace is None else await _workspace_id(data_dir, workspace)
    try:
        found = list(views(datetime.now(UTC), workspace_id, tag))
    except ValueError as error:
        raise UserError(f"{error}.") from None
    return lines_of(found, ui_url, namespace)


def lines_of(found: Sequence[ListView], ui_url: str, namespace: str) -> list[str]:
    """Return a line for each view: its name and its link."""
    width = max(len(view.name) for view in found)
    return [f"{view.name:<{width}}  {view.link(ui_url, namespace)}" for view in found]


async def _workspace_id(data_dir: Path | None, workspace: str) -> str:
    database = Database(environment_of(data_dir, Settings).settings.database_url.get_secret_value(), limits=OF_COMMANDS)
    try:
        async with database.reading() as session:
            found = await find_workspace(session, workspace)
    finally:
        await database.close()
    if found is None:
        raise UserError(f"There is no workspace {workspace}.")
    return found

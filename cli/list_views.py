"""Links to the lists of posts in Temporal's Web UI that operators need."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cli.data_dir import Folder
from cli.environment import find_environment, open_database
from cli.errors import UserError
from cli.workspaces import existing_workspace
from runtime.settings import Settings
from workflows.client.views import ListView, views

DEFAULT_NAMESPACE = "default"


async def links(
    data_dir: Path | None, ui_url: str | None, workspace: str | None, tag: str | None, campaign: str | None = None
) -> list[str]:
    """Return a line for each list: its name and its link. Raises UserError."""
    if data_dir is not None:
        running = Folder(data_dir).running()
        ui_url, namespace = ui_url or running.temporal_ui_url, running.temporal_namespace
    else:
        namespace = os.environ.get("TEMPORAL_NAMESPACE", DEFAULT_NAMESPACE)
    if ui_url is None:
        raise UserError("Where is Temporal's Web UI? Give --ui, such as --ui https://temporal.example.com.")
    workspace_id = None
    if workspace is not None:
        async with open_database(find_environment(data_dir, Settings)) as database, database.reading() as session:
            workspace_id = await existing_workspace(session, workspace)
    try:
        list_views = list(views(datetime.now(UTC), workspace_id, tag, campaign))
    except ValueError as error:
        raise UserError(f"{error}.") from None
    return format_links(list_views, ui_url, namespace)


def format_links(list_views: Sequence[ListView], ui_url: str, namespace: str) -> list[str]:
    """Return a line for each view: its name and its link."""
    width = max(len(view.name) for view in list_views)
    return [f"{view.name:<{width}}  {view.link(ui_url, namespace)}" for view in list_views]

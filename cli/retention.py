"""`socialsyncer workspaces keep`."""

from pathlib import Path

from cli.environment import find_environment, open_database
from cli.errors import UserError
from cli.workspaces import existing_workspace
from domain.workspaces import checked_days
from runtime.settings import Settings
from store.maintenance.deletions import set_days


async def keep_posts(workspace: str, days: int | None, data_dir: Path | None, *, as_others: bool) -> str:
    """Set for how many days a workspace keeps settled posts, and return a sentence about it. Raises UserError."""
    if as_others == (days is not None):
        raise UserError("Give either --days or --as-others.")
    try:
        number = None if days is None else checked_days(days)
    except ValueError as error:
        raise UserError(f"--days {error}.") from error
    async with open_database(find_environment(data_dir, Settings)) as database, database.transaction() as session:
        workspace_id = await existing_workspace(session, workspace)
        await set_days(session, workspace_id, number)
    if number is None:
        return f"{workspace_id} keeps settled posts as SOCIALSYNCER_POSTS_KEPT_DAYS says."
    return f"{workspace_id} keeps settled posts {f'for {number} days' if number else 'for ever'}."

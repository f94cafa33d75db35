"""`socialsyncer workspaces keep`: for how long one workspace keeps its posts."""

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from runtime.settings import Settings
from store.models import Workspace
from tests.cli.commands import bare, production, run
from tests.stack import Stack
from tests.workspaces import new_workspace

__all__ = ["bare", "production"]


async def test_a_workspace_keeps_its_posts_as_long_as_an_operator_says(production: Stack) -> None:
    async with new_workspace(production) as own:
        for words, days in (("--days 365", 365), ("--days 0", 0), ("--as-others", None)):
            done = await run("workspaces", "keep", own.workspace_id, *words.split())
            assert done.exit_code == 0, done.output
            async with own.database.reading() as session:
                query = select(Workspace.posts_kept_days).where(Workspace.id == own.workspace_id)
                assert await session.scalar(query) == days
        for words, error in (
            ("--days 29", "--days must be 0, which keeps posts for ever, or 30 to 36500."),
            ("", "Give either --days or --as-others."),
            ("--days 90 --as-others", "Give either --days or --as-others."),
        ):
            refused = await run("workspaces", "keep", own.workspace_id, *words.split())
            assert (refused.exit_code, error in refused.output) == (1, True), refused.output


@pytest.mark.parametrize("days", [-1, 1, 29, 36_501])
def test_a_setting_that_deletes_too_soon_is_refused(days: int) -> None:
    with pytest.raises(ValidationError, match="must be 0, which keeps posts for ever"):
        Settings(posts_kept_days=days)

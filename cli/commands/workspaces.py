"""Commands about whole workspaces: their deletion and their export."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import click

from cli.commands.options import FOLDER, as_json_option, data_dir_option, print_rows
from cli.terminal import say


@click.group()
def workspaces() -> None:
    """Export a workspace, delete it with all that it has, or say how long it keeps its posts."""


async def _say_all(sentences: AsyncIterator[str]) -> None:
    async for sentence in sentences:
        say(sentence)


@workspaces.command("delete")
@click.argument("workspace")
@click.option("--confirm", required=True, metavar="NAME", help="The workspace's name, so that no other one is deleted.")
@click.option(
    "--without-revoking",
    is_flag=True,
    help="Leave the authorizations of its accounts at their platforms as they are, and wait for none.",
)
@data_dir_option
def workspaces_delete(workspace: str, confirm: str, data_dir: Path | None, *, without_revoking: bool) -> None:
    """Delete a workspace, by its name or id, and all that it has: posts, accounts, files, keys, histories.

    Its keys are refused at once, and nothing more is sent. Posts that are public stay at their platforms. The command
    needs Temporal and a worker. It may be interrupted and run again: it continues.
    """
    from cli.erasing.command import delete_workspace

    asyncio.run(_say_all(delete_workspace(workspace, confirm, data_dir, revokes=not without_revoking)))


@workspaces.command("keep")
@click.argument("workspace")
@click.option("--days", type=int, help="30 or more; 0 keeps them for ever.")
@click.option("--as-others", is_flag=True, help="Keep them as SOCIALSYNCER_POSTS_KEPT_DAYS says.")
@data_dir_option
def workspaces_keep(workspace: str, days: int | None, data_dir: Path | None, *, as_others: bool) -> None:
    """Say for how many days a workspace, by its name or id, keeps posts that are settled.

    Then a worker deletes them. Nothing is deleted at platforms, nor in the audit trail.
    """
    from cli.retention import keep_posts

    say(asyncio.run(keep_posts(workspace, days, data_dir, as_others=as_others)))


@workspaces.command("deletions")
@as_json_option
@data_dir_option
def workspaces_deletions(data_dir: Path | None, *, as_json: bool) -> None:
    """List the deletions of workspaces: their step, what is deleted, and which posts may be public."""
    from cli.erasing.command import describe_deletions

    print_rows(asyncio.run(describe_deletions(data_dir)), as_json=as_json)


@workspaces.command("export")
@click.argument("workspace")
@click.option("--to", type=FOLDER, required=True, help="A new folder, or that of an export that was interrupted.")
@data_dir_option
def workspaces_export(workspace: str, to: Path, data_dir: Path | None) -> None:
    """Write all rows and files of a workspace, by its name or id, into a folder; no credentials and no keys.

    The command may be interrupted and run again: it continues.
    """
    from cli.exporting.command import export_workspace

    asyncio.run(_say_all(export_workspace(workspace, to, data_dir)))

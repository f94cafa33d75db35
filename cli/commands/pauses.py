"""Commands that stop posts from being sent, and let them continue."""

import asyncio
from datetime import timedelta
from pathlib import Path

import click

from cli.commands.options import as_json_option, data_dir_option, print_rows
from cli.terminal import say

_workspace = click.option("--workspace", required=True, help="Name or id of the workspace.")
_account = click.option("--account", default=None, metavar="PLATFORM/ID", help="Only the posts to this account.")
_campaign = click.option("--campaign", default=None, metavar="CMP_ID", help="Only the posts of this campaign.")


@click.command()
@_workspace
@_account
@_campaign
@click.option("--reason", default=None, help="Why; people see it wherever the pause is shown.")
@data_dir_option
def pause(workspace: str, account: str | None, campaign: str | None, reason: str | None, data_dir: Path | None) -> None:
    """Stop the posts of a workspace, those to one account or those of a campaign.

    Nothing fails or is late because of a pause. The answer names the posts that were being sent when the pause began:
    they may still go out.
    """
    from cli.pausing import Scope
    from cli.pausing import pause as begin

    for line in asyncio.run(begin(Scope(workspace, account, campaign), reason, data_dir)):
        say(line)


@click.command()
@_workspace
@_account
@_campaign
@click.option(
    "--missed", type=click.Choice(["publish", "shift", "skip"]), default=None, help="What becomes of missed posts."
)
@click.option(
    "--spacing",
    type=click.IntRange(0, 7 * 24 * 60 * 60),
    default=0,
    show_default=True,
    metavar="SECONDS",
    help="Seconds between two missed posts to the same account.",
)
@click.option("--dry-run", is_flag=True, help="Say what would become of the missed posts, and change nothing.")
@data_dir_option
def resume(
    workspace: str,
    account: str | None,
    campaign: str | None,
    missed: str | None,
    spacing: int,
    data_dir: Path | None,
    *,
    dry_run: bool,
) -> None:
    """End a pause. If posts fell due meanwhile, --missed says what becomes of them.

    They are published, they become drafts (skip), or all posts that were not sent move by whole days (shift).
    """
    from cli.pausing import Scope
    from cli.pausing import resume as end
    from domain.pauses import MissedPolicy

    policy = MissedPolicy(missed) if missed else None
    scope, between = Scope(workspace, account, campaign), timedelta(seconds=spacing)
    say(asyncio.run(end(scope, policy, between, data_dir, dry_run=dry_run)))


@click.command()
@click.option("--workspace", default=None, help="List only one workspace's pauses, by its name or id.")
@as_json_option
@data_dir_option
def pauses(workspace: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """List the pauses that are under way, and how many posts they have missed."""
    from cli.pausing import list_pauses

    print_rows(asyncio.run(list_pauses(workspace, data_dir)), as_json=as_json)

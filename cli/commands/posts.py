"""Commands about posts: what is wrong with them, what they wait for, what was done to them."""

import asyncio
import sys
from pathlib import Path

import click

from cli.commands.options import (
    WAITS_FOR,
    as_json_option,
    ask,
    data_dir_option,
    explaining_missing_packages,
    print_rows,
    workspace_option,
)
from cli.errors import UserError
from cli.terminal import say


@click.command()
@click.argument("post_id", metavar="[POST]", required=False)
@data_dir_option
@click.option("--workspace", default=None, help="Check only one workspace's posts, by its name or id.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of sentences.")
@click.option("--all", "everything", is_flag=True, help="Print every finding, not only the first five of each kind.")
def doctor(
    post_id: str | None, data_dir: Path | None, workspace: str | None, *, as_json: bool, everything: bool
) -> None:
    """Compare rows, workflows and the sandbox; report each disagreement and how it is resolved. Changes nothing.

    With POST, the id of a post or its id or address on a platform, report its row, its workflow, its last attempts,
    what it waits for and what to do now.

    Exit code 0: all agree; 1: every disagreement resolves itself; 2: some need a person; 3: a part could not be
    checked.
    """
    from cli.doctor import doctor as diagnose
    from cli.doctor_post import doctor_post
    from reconcile.doctor.findings import Exit
    from reconcile.doctor.waiting import explain_database_error

    of_one_post = doctor_post(data_dir, post_id, as_json=as_json) if post_id else None
    try:
        text, code = asyncio.run(of_one_post or diagnose(data_dir, workspace, as_json=as_json, everything=everything))
    except Exception as error:
        sentence = error.message if isinstance(error, UserError) else explain_database_error(error)
        if sentence is None:
            raise
        say(f"Error: {sentence}", error=True)
        # The other codes say something about posts.
        sys.exit(Exit.COULD_NOT_CHECK)
    say(text)
    sys.exit(code)


@click.command()
@click.option(
    "--for", "reason", type=click.Choice(WAITS_FOR), default=None, help="List only targets that wait for this."
)
@click.option("--platform", default=None, help="List only targets on this platform.")
@click.option("--workspace", default=None, help="List only one workspace's targets, by its name or id.")
@click.option(
    "--limit", "most", type=click.IntRange(1, 100_000), default=100, show_default=True, help="List at most this many."
)
@as_json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, with empty columns that `resolve --from` reads.")
@data_dir_option
def waiting(
    reason: str | None,
    platform: str | None,
    workspace: str | None,
    most: int,
    data_dir: Path | None,
    *,
    as_json: bool,
    as_csv: bool,
) -> None:
    """List the targets that are due and wait, for a platform or a person for example (--for names all reasons).

    On stderr, it says if there are more than --limit, and if posts are due that no worker has begun.
    """
    from cli.reports import as_decisions
    from cli.reports import waiting as find
    from domain.plan import WaitsFor
    from platforms.registry import platforms

    if platform is not None and platform not in platforms():
        raise UserError(f"There is no platform {platform!r}; there are {', '.join(sorted(platforms()))}.")
    listed = asyncio.run(find(data_dir, workspace, platform, WaitsFor(reason) if reason else None, most))
    if as_csv:
        say(as_decisions(listed.rows))
    else:
        print_rows(listed.rows, as_json=as_json)
    for note in listed.notes:
        say(note, error=True)


@click.command()
@click.argument("post_id", required=False)
@click.argument("platform", required=False)
@click.argument("outcome", type=click.Choice(["published", "not-published"]), required=False)
@click.argument("platform_post_id", required=False)
@click.option("--account", "account_id", default=None, help="Id of the account, if the post has several on PLATFORM.")
@click.option(
    "--from",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="Settle the targets in this CSV file: postId, platform, outcome, accountId, platformPostId.",
)
@click.option("--retry", is_flag=True, help="Publish the targets that are not published again, immediately.")
@click.option("--dry-run", is_flag=True, help="Show what would be changed, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@data_dir_option
def resolve(
    post_id: str | None,
    platform: str | None,
    outcome: str | None,
    platform_post_id: str | None,
    account_id: str | None,
    file: Path | None,
    data_dir: Path | None,
    *,
    retry: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Settle a target whose answer was lost, as a person saw it: published (as PLATFORM_POST_ID) or not-published.

    `waiting --for person` lists these targets. With --csv it prints a file for --from, in which you fill in the column
    outcome. A file may be given again: targets that have this outcome already do not change. Exit code 0: all are
    settled; 1: a decision could not be carried out.
    """
    from cli.decisions import Decision, Decisions, read_decisions
    from cli.resolving import Effect, preview, resolver

    if file is not None:
        if post_id is not None:
            raise UserError("Give either a post or --from, not both.")
        to_settle = read_decisions(file)
    elif post_id and platform and outcome:
        decision = Decision(0, post_id, platform, outcome == "published", account_id, platform_post_id)
        to_settle = Decisions([decision], 0)
    else:
        raise UserError("Name the post, its platform and published or not-published; or give --from FILE.")

    async def run() -> bool:
        async with resolver(data_dir) as acting:
            planned = await acting.plan(to_settle.decisions)
            for sentence in preview(planned, to_settle.open):
                say(sentence)
            if file is None and any(plan.effect is Effect.TOO_LATE for plan in planned):
                raise UserError("Nothing was changed.")
            if dry_run:
                return True
            if file is not None:
                ask("Settle them?", yes=yes, otherwise="Nothing was changed.", what="settle them")
            async for sentence in acting.settle(planned, retry=retry):
                say(sentence)
            return not acting.refused

    sys.exit(0 if asyncio.run(run()) else 1)


@click.command()
@click.option(
    "--since", default="7d", show_default=True, help="Count targets that were due since then: 30m, 12h, 7d or 2w ago."
)
@click.option("--workspace", default=None, help="Count only one workspace's targets, by its name or id.")
@as_json_option
@data_dir_option
def report(since: str, workspace: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Count the outcomes of targets that were due, by platform, status and error code."""
    from cli.reports import report as count

    print_rows(asyncio.run(count(data_dir, workspace, since)), as_json=as_json)


@click.command()
@click.argument("post_id", metavar="POST")
@as_json_option
@data_dir_option
def history(post_id: str, data_dir: Path | None, *, as_json: bool) -> None:
    """Show who did what to a post, and every step towards platforms, oldest first; also of a deleted post.

    POST is the id of the post here, or its id or address on a platform.
    """
    from cli.history import history as read
    from cli.history import to_json, to_text

    post_history = asyncio.run(read(data_dir, post_id))
    for line in to_json(post_history) if as_json else to_text(post_history):
        say(line)
    if post_history.missing:
        say(post_history.missing, error=True)


@click.command("views")
@click.option(
    "--ui", "ui_url", default=None, envvar="TEMPORAL_UI_URL", show_envvar=True, help="Address of Temporal's Web UI."
)
@click.option("--workspace", default=None, help="Only one workspace's posts, by its name or id.")
@click.option("--campaign", default=None, metavar="CMP_ID", help="Only the posts of this campaign.")
@click.option("--tag", default=None, metavar="TAG", help="Only posts with this tag.")
@data_dir_option
def list_views(
    ui_url: str | None, workspace: str | None, campaign: str | None, tag: str | None, data_dir: Path | None
) -> None:
    """Print links to lists of posts in Temporal's Web UI: late, waiting (and for whom), failed, due soon."""
    from cli.list_views import links

    for line in asyncio.run(links(data_dir, ui_url, workspace, tag, campaign)):
        say(line)


@click.command("live-check")
@click.argument("platform")
@click.option("--account", "account_id", required=True, help="Id of the account, from `accounts list`.")
@click.option(
    "--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting, such as boardId for Pinterest."
)
@click.option("--only", multiple=True, metavar="SAMPLE", help="Publish this sample only; may be repeated.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    default=None,
    help="Write a report as JSON; - prints it.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@workspace_option
@data_dir_option
def live_check(
    platform: str,
    account_id: str,
    settings: tuple[str, ...],
    only: tuple[str, ...],
    out: Path | None,
    workspace: str | None,
    data_dir: Path | None,
    *,
    yes: bool,
) -> None:
    """Publish marked posts of each kind on a real account of PLATFORM, find them there, and delete them again.

    Reports which assumptions of this software about the platform were wrong. Exit code 0: none; 1: some.
    """
    with explaining_missing_packages():
        from cli.live_check.command import parse_settings, run_check, write_report

    values = parse_settings(settings)
    checking = run_check(platform, account_id, workspace, data_dir, settings=values, only=only, asks=not yes)
    report = asyncio.run(checking)
    write_report(report, out)
    sys.exit(1 if report.otherwise else 0)

"""The `socialsyncer` command: options and help. What a command does is imported when it is run, so help is instant."""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from cli.errors import UserError
from cli.terminal import say

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_PORT = click.IntRange(1, 65535)
_WAITS_FOR = ("account", "platform", "rate_limit", "media", "answer", "person", "operator")
_FOLDER = click.Path(path_type=Path, file_okay=False)


def _port(option: str, default: int, what: str) -> Callable[[Decorated], Decorated]:
    return click.option(option, type=_PORT, default=default, show_default=True, help=f"Port of {what}.")


def _data_dir(command: Decorated) -> Decorated:
    text = "Act on the running development stack in this directory instead of what the environment names."
    return click.option("--data-dir", type=_FOLDER, default=None, help=text)(command)


def _workspace(command: Decorated) -> Decorated:
    text = "Name or id of the workspace; with --data-dir the stack's own is the default."
    return click.option("--workspace", default=None, help=text)(command)


def _as_json(command: Decorated) -> Decorated:
    return click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each line.")(command)


@contextmanager
def _explaining_missing_packages() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        raise UserError(f"{error.name} is not installed: run `uv sync`.") from error


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="socialsyncer")
def main() -> None:
    """Publish social posts to every network, now or at a set time, never twice."""


@main.command()
@click.option("--data-dir", type=_FOLDER, default=Path(".socialsyncer"), show_default=True, help="Keep all data here.")
@_port("--api-port", 8000, "the API")
@_port("--temporal-port", 7233, "Temporal")
@_port("--ui-port", 8233, "Temporal's Web UI")
@_port("--sandbox-port", 8025, "the sandbox of networks")
@click.option("--sandbox-url", default=None, help="Use a sandbox that runs elsewhere.")
@click.option(
    "--realistic",
    is_flag=True,
    help="With the networks' own limits and processing times, and the rate limits to match.",
)
@click.option("--no-example", is_flag=True, help="Publish no example post at the first start.")
def dev(**chosen: Any) -> None:
    """Run everything here: PostgreSQL, Temporal, the sandbox of networks, the worker and the API."""
    with _explaining_missing_packages():
        from cli.dev import Options, run_dev

    run_dev(Options(example=not chosen.pop("no_example"), **chosen))


@main.command()
@click.option("--host", default=None, help="Address to listen on; default SOCIALSYNCER_API_HOST.")
@click.option("--port", type=_PORT, default=None, help="Port to listen on; default SOCIALSYNCER_API_PORT.")
def api(host: str | None, port: int | None) -> None:
    """Serve the API."""
    from cli.serve_api import serve_api

    serve_api(host, port)


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, envvar="SOCIALSYNCER_SANDBOX_HOST", show_envvar=True)
@click.option(
    "--port", type=_PORT, default=8025, show_default=True, envvar="SOCIALSYNCER_SANDBOX_PORT", show_envvar=True
)
@click.option("--data-dir", type=_FOLDER, default=Path(".socialsyncer/sandbox"), show_default=True)
@click.option("--realistic", is_flag=True, help="With the networks' own rate limits and processing times.")
@click.option("--strict", is_flag=True, help="Refuse parameters that the networks do not know and would ignore.")
@click.option(
    "--names",
    default="",
    envvar="SOCIALSYNCER_SANDBOX_NAMES",
    show_envvar=True,
    help="Other host names, comma-separated, by which it is reached beside 127.0.0.1, localhost and --host.",
)
def sandbox(host: str, port: int, data_dir: Path, *, realistic: bool, strict: bool, names: str) -> None:
    """Serve the sandbox of networks, where nothing becomes really public."""
    with _explaining_missing_packages():
        from cli.serve_sandbox import serve_sandbox

    serve_sandbox(host, port, data_dir, realistic=realistic, strict=strict, names=names)


@main.command()
@_data_dir
def migrate(data_dir: Path | None) -> None:
    """Bring the database's schema and roles and Temporal's search attributes up to date."""
    from cli.migrating import migrate as run

    for sentence in asyncio.run(run(data_dir)):
        say(sentence)


@main.command()
@_data_dir
@click.option("--from", "since", required=True, help="The moment of which the copy is, such as 2026-02-01T14:00:00Z.")
@click.option("--database", is_flag=True, help="The service's own database was put back.")
@click.option("--temporal", is_flag=True, help="Temporal's database was put back.")
def restored(data_dir: Path | None, since: str, *, database: bool, temporal: bool) -> None:
    """Say that databases were restored from a backup: what may be public already is confirmed before it is sent.

    Run it before workers start on the restored database. The API refuses writes meanwhile.
    """
    from cli.restored import handle_restore, parse_moment

    if not (database or temporal):
        raise UserError("Which was restored? Give --database, --temporal or both.")

    async def run() -> None:
        async for sentence in handle_restore(parse_moment(since), data_dir, database=database, temporal=temporal):
            say(sentence)

    asyncio.run(run())


@main.command()
@click.argument("post_id", metavar="[POST]", required=False)
@_data_dir
@click.option("--workspace", default=None, help="Look at one workspace's posts only, by its name or id.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of sentences.")
@click.option("--all", "everything", is_flag=True, help="Print every finding, not only the first five of each kind.")
def doctor(
    post_id: str | None, data_dir: Path | None, workspace: str | None, *, as_json: bool, everything: bool
) -> None:
    """Hold rows, workflows and the sandbox against each other; say what disagrees and how it heals.

    With a POST, say everything that can be told about it: its row, its workflow, its last attempts, what it waits for
    and what to do now. Changes nothing. Exit code 0: all agree; 1: what disagrees heals by itself; 2: some of it needs
    a person; 3: a part could not be looked at.
    """
    from cli.doctor import doctor as look
    from cli.doctor_post import doctor_post

    looking = doctor_post(data_dir, post_id, as_json=as_json) if post_id else None
    text, code = asyncio.run(looking or look(data_dir, workspace, as_json=as_json, everything=everything))
    say(text)
    sys.exit(code)


@main.command()
@click.option("--for", "reason", type=click.Choice(_WAITS_FOR), default=None, help="Only what waits for this.")
@click.option("--platform", default=None, help="Only targets on this network.")
@click.option("--workspace", default=None, help="Only one workspace's, by its name or id.")
@click.option(
    "--most", type=click.IntRange(1, 100_000), default=100, show_default=True, help="List no more than these."
)
@_as_json
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, with empty columns that `resolve --from` reads.")
@_data_dir
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
    """List the targets that are due and wait for an account, a network, a lost answer, a person or the operator."""
    from cli.reports import as_decisions
    from cli.reports import waiting as find
    from domain.waits import WaitsFor

    rows = asyncio.run(find(data_dir, workspace, platform, WaitsFor(reason) if reason else None, most))
    if as_csv:
        say(as_decisions(rows))
    else:
        _print_rows(rows, as_json=as_json)


@main.command()
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
@click.option("--retry", is_flag=True, help="Publish again at once what is not published.")
@click.option("--dry-run", is_flag=True, help="Say what would be changed, and change nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_data_dir
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
    """Say what a person saw of a target whose answer was lost: published (as PLATFORM_POST_ID), or not-published.

    `waiting --for person` lists these targets; with --csv it prints a file for --from: fill in the column outcome.
    A file may be given again: what is settled so already is left alone.
    """
    from cli.decisions import Decision, Decisions, read_decisions
    from cli.resolving import preview, resolver

    if file is not None:
        if post_id is not None:
            raise UserError("Give either a post or --from, not both.")
        wanted = read_decisions(file)
    elif post_id and platform and outcome:
        decision = Decision(0, post_id, platform, outcome == "published", account_id, platform_post_id)
        wanted = Decisions([decision], 0)
    else:
        raise UserError("Name the post, its network and published or not-published; or give --from FILE.")

    async def run() -> None:
        async with resolver(data_dir) as acting:
            judged = await acting.judge(wanted.made)
            for sentence in preview(judged, wanted.open):
                say(sentence)
            if dry_run:
                return
            if file is not None:
                _ask("Settle them?", yes=yes, otherwise="Nothing was changed.", what="settle them")
            async for sentence in acting.settle(judged, retry=retry):
                say(sentence)

    asyncio.run(run())


def _ask(question: str, *, yes: bool, otherwise: str, what: str) -> None:
    """Return if a person agrees, or has with --yes. Raises UserError."""
    if not yes and not sys.stdin.isatty():
        raise UserError(f"{otherwise} Add --yes to {what}.")
    if not yes and not click.confirm(question, err=True):
        raise UserError(otherwise)


@main.command()
@click.option("--since", default="7d", show_default=True, help="What was due since then: 30m, 12h, 7d, 2w.")
@click.option("--workspace", default=None, help="Only one workspace's, by its name or id.")
@_as_json
@_data_dir
def report(since: str, workspace: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Count what became of the targets that were due, by network, status and error code."""
    from cli.reports import report as count

    _print_rows(asyncio.run(count(data_dir, workspace, since)), as_json=as_json)


@main.command()
@click.argument("post_id", metavar="POST")
@_as_json
@_data_dir
def history(post_id: str, data_dir: Path | None, *, as_json: bool) -> None:
    """Tell who did what to a post and what became of it, oldest first; also of a post that is deleted."""
    from cli.history import history as read
    from cli.history import to_json, to_text

    found = asyncio.run(read(data_dir, post_id))
    for line in to_json(found) if as_json else to_text(found):
        say(line)
    if found.missing:
        say(found.missing, error=True)


@main.command("views")
@click.option(
    "--ui", "ui_url", default=None, envvar="TEMPORAL_UI_URL", show_envvar=True, help="Address of Temporal's Web UI."
)
@click.option("--workspace", default=None, help="Only one workspace's posts, by its name or id.")
@click.option("--campaign", "tag", default=None, metavar="TAG", help="Only posts with this tag.")
@_data_dir
def list_views(ui_url: str | None, workspace: str | None, tag: str | None, data_dir: Path | None) -> None:
    """Print links to lists in Temporal's Web UI: what is late, what waits and for whom, what failed, what is due."""
    from cli.list_views import links

    for line in asyncio.run(links(data_dir, ui_url, workspace, tag)):
        say(line)


def _print_rows(rows: list[dict[str, Any]], *, as_json: bool) -> None:
    from cli.reports import as_table

    for line in [json.dumps(row, ensure_ascii=False) for row in rows] if as_json else as_table(rows):
        say(line)


@main.command("live-check")
@click.argument("platform")
@click.option("--account", "account_id", required=True, help="Its id, as `accounts list` shows it.")
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
@_workspace
@_data_dir
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
    """Publish marked posts of each kind on a real account of PLATFORM, look at them, and delete them again.

    Says what was not as this software believes. Exit code 0: all was as believed; 1: some was not.
    """
    with _explaining_missing_packages():
        from cli.live_check import parse_settings, run_check, write_report

    given = parse_settings(settings)
    checking = run_check(platform, account_id, workspace, data_dir, given=given, only=only, asks=not yes)
    report = asyncio.run(checking)
    write_report(report, out)
    sys.exit(1 if report.otherwise else 0)


@main.group()
def keys() -> None:
    """Make, list and revoke API keys; make encryption keys and bring credentials under a new one."""


@keys.command("create")
@_workspace
@click.option("--name", default="", help="What the key is for.")
@click.option(
    "--expires-in-days", type=click.IntRange(1, 3650), default=None, help="Until then; default: until revoked."
)
@_data_dir
def keys_create(workspace: str | None, name: str, expires_in_days: int | None, data_dir: Path | None) -> None:
    """Create an API key and print it, once; a workspace that does not exist is made."""
    from cli.keys import create

    made = asyncio.run(create(workspace, name, expires_in_days, data_dir))
    say(made.key)
    say(f"This is the only time that the key is shown. Its id is {made.id}.", error=True)


@keys.command("list")
@click.option("--workspace", default=None, help="Name or id of the workspace; default: all.")
@_data_dir
def keys_list(workspace: str | None, data_dir: Path | None) -> None:
    """Print the API keys, a JSON object each: id, first characters, name, workspace and times; never the key."""
    from cli.keys import describe_keys

    for key in asyncio.run(describe_keys(workspace, data_dir)):
        say(json.dumps(key, ensure_ascii=False))


@keys.command("revoke")
@click.argument("key_id")
@_data_dir
def keys_revoke(key_id: str, data_dir: Path | None) -> None:
    """Make an API key worthless, by its id from `keys list`. Every API process refuses it within 2 seconds."""
    from cli.keys import revoke

    asyncio.run(revoke(key_id, data_dir))
    say(f"{key_id} is revoked.")


@keys.command("secret")
def keys_secret() -> None:
    """Print a new encryption key for SOCIALSYNCER_ENCRYPTION_KEYS."""
    from store.vault import new_key

    say(new_key())


@keys.command("env")
def keys_env() -> None:
    """Print new secrets for docker-compose.yml, as lines for the file .env: all passwords and an encryption key."""
    from cli.keys import new_secrets

    for name, value in new_secrets().items():
        say(f"{name}={value}")


@keys.command("reseal")
@_data_dir
def keys_reseal(data_dir: Path | None) -> None:
    """Seal all accounts' credentials under the first of SOCIALSYNCER_ENCRYPTION_KEYS; may be repeated and cut short.

    Every worker must have that key before. Exit code 0: no credentials need an older key; 1: some still do.
    """
    from cli.keys import reseal

    said, done = asyncio.run(reseal(data_dir))
    for sentence in said:
        say(sentence)
    sys.exit(0 if done else 1)


@main.group()
def accounts() -> None:
    """Connect, list and remove the accounts that posts are published to."""


@accounts.command("add")
@click.argument("platform")
@click.option("--allow", multiple=True, metavar="NAME=VALUE", help="As the command `accounts allow` does.")
@_workspace
@_data_dir
def accounts_add(platform: str, allow: tuple[str, ...], workspace: str | None, data_dir: Path | None) -> None:
    """Connect an account of PLATFORM, its credentials being one JSON object on stdin, e.g. {"accessToken": "…"}.

    With --data-dir the stack's sandbox is told of the account first, so any token does; "username" and "premium" may
    describe it.
    """
    from cli.accounts import add

    if sys.stdin.isatty():
        say("Type the credentials as one JSON object, then Ctrl-D:", error=True)
    adding = add(platform, workspace, sys.stdin.read(), data_dir, allow)
    say(json.dumps(asyncio.run(adding), ensure_ascii=False))


@accounts.command("allow")
@click.argument("account_id")
@click.argument("places", nargs=-1, required=True, metavar="NAME=VALUE...")
@_workspace
@_data_dir
def accounts_allow(account_id: str, places: tuple[str, ...], workspace: str | None, data_dir: Path | None) -> None:
    """Let an account publish to places beside its own that posts name in their settings.

    NAME is channelId or threadId for Discord, locationId for Google Business Profile, organizationUrn for LinkedIn. The
    VALUE * allows all that the account's credentials reach.
    """
    from cli.accounts import allow

    say(json.dumps(asyncio.run(allow(account_id, places, workspace, data_dir)), ensure_ascii=False))


@accounts.command("forbid")
@click.argument("account_id")
@click.argument("places", nargs=-1, required=True, metavar="NAME=VALUE...")
@_workspace
@_data_dir
def accounts_forbid(account_id: str, places: tuple[str, ...], workspace: str | None, data_dir: Path | None) -> None:
    """Take back what `accounts allow` has allowed. Posts that name such a place fail when they are due."""
    from cli.accounts import forbid

    say(json.dumps(asyncio.run(forbid(account_id, places, workspace, data_dir)), ensure_ascii=False))


@accounts.command("list")
@_workspace
@click.option("--all", "everywhere", is_flag=True, help="The accounts of every workspace, and whether they work.")
@click.option("--refused", is_flag=True, help="Only accounts that must be reconnected.")
@_data_dir
def accounts_list(workspace: str | None, data_dir: Path | None, *, everywhere: bool, refused: bool) -> None:
    """Print the workspace's accounts, a JSON object each.

    With --all: of every workspace, each with its state and since when, why its network refuses it if it does, and how
    many targets are held for it.
    """
    from cli.accounts import describe_accounts, describe_all_accounts

    if everywhere and workspace is not None:
        raise UserError("Give either --workspace or --all, not both.")

    async def run() -> None:
        if everywhere:
            async for account in describe_all_accounts(data_dir, refused=refused):
                say(json.dumps(account, ensure_ascii=False))
            return
        for account in await describe_accounts(workspace, data_dir):
            if not refused or "refusedSince" in account:
                say(json.dumps(account, ensure_ascii=False))

    asyncio.run(run())


@accounts.command("remove")
@click.argument("account_id")
@click.option("--yes", is_flag=True, help="Do not ask, even if posts still wait for the account.")
@_workspace
@_data_dir
def accounts_remove(account_id: str, yes: bool, workspace: str | None, data_dir: Path | None) -> None:
    """Forget an account and its credentials. Names the posts that wait for it, and asks."""
    from cli.accounts import describe_waiting_posts, remove

    if posts := asyncio.run(describe_waiting_posts(account_id, workspace, data_dir)):
        say(posts, error=True)
        _ask(
            "Remove the account all the same?",
            yes=yes,
            otherwise="The account is still connected.",
            what="remove it all the same",
        )
    asyncio.run(remove(account_id, workspace, data_dir))
    say(f"{account_id} is no longer connected.")


if __name__ == "__main__":
    main()

"""Commands about campaigns, which call the HTTP API."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.commands.api_options import api_options, idempotency_option
from cli.commands.options import as_json_option, ask, print_rows
from cli.errors import UserError
from cli.terminal import say

if TYPE_CHECKING:
    from cli.client.api import Api

_campaign = click.argument("campaign_id", metavar="CAMPAIGN")
_dry_run = click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
_yes = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group()
def campaign() -> None:
    """Fill, list, pause and move campaigns over the API, with a workspace's key.

    Exit codes: 0 done; 1 refused; 2 wrong options; 3 the API did not answer or is too busy; 4 rows of a file failed.
    """


@campaign.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--campaign", "campaign_id", default=None, metavar="CMP_ID", help="Add the posts to this campaign.")
@click.option("--new", "name", default=None, metavar="NAME", help="Create a campaign of this name for the posts.")
@click.option("--timezone", default=None, metavar="ZONE", help="Zone of the times. Default: that of the campaign.")
@click.option(
    "--on-existing",
    type=click.Choice(["refuse", "keep", "update"]),
    default="refuse",
    show_default=True,
    help="What becomes of a post whose externalId exists with other content.",
)
@click.option("--skip-wrong-rows", is_flag=True, help="Import the other rows. By default a wrong row refuses all.")
@_dry_run
@_yes
@idempotency_option
@as_json_option
@api_options
def campaign_import(
    api: "Api",
    file: Path,
    campaign_id: str | None,
    name: str | None,
    timezone: str | None,
    on_existing: str,
    idempotency_key: str | None,
    *,
    skip_wrong_rows: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Create the posts in FILE (.csv, .json or .ndjson) in a campaign: all, or nothing.

    It first shows what would be done, and asks. The same file can be sent again: nothing is created twice within 24
    hours, and rows with an externalId never.
    """
    from cli.client.api import ApiClient
    from cli.client.campaigns import create_campaign, read_posts_file, require_new_name
    from cli.client.refusals import ExitCode

    if (campaign_id is None) == (name is None):
        raise UserError("Name the campaign by --campaign CMP_ID, or create one by --new NAME.")
    posts = read_posts_file(
        file,
        timezone=timezone,
        onExisting=None if on_existing == "refuse" else on_existing,
        onError="skip" if skip_wrong_rows else None,
    )
    with ApiClient(api) as client:
        if name is not None:
            require_new_name(client, name)
        # A file that is refused must leave no empty campaign behind.
        if dry_run or not yes or campaign_id is None:
            preview = posts.preview(client, campaign_id)
            if dry_run or not yes:
                _show_import(preview, as_json=dry_run and as_json, is_preview=True, error=not dry_run)
            if dry_run:
                sys.exit(ExitCode.NOT_PUBLISHED if preview["failed"] else ExitCode.DONE)
            ask("Import them?", yes=yes, otherwise="Nothing was imported.", what="import them")
        if campaign_id is None:
            campaign_id = create_campaign(client, str(name), timezone)
            say(f"Created the campaign {campaign_id}. If the import fails, repeat it with --campaign.", error=True)
        answer = posts.send(client, campaign_id, idempotency_key)
    if answer.replayed:
        say(
            "This file was imported before, and nothing was done now. To import it all the same, give another",
            error=True,
        )
        say("--idempotency-key. The answer of then:", error=True)
    _show_import(answer.body, as_json=as_json)
    sys.exit(ExitCode.NOT_PUBLISHED if answer.body["failed"] else ExitCode.DONE)


@campaign.command("list")
@click.option("--status", multiple=True, help="Only campaigns of this status; repeatable.")
@click.option("--tag", multiple=True, help="Only campaigns with this label; repeatable.")
@click.option(
    "--limit", "most", type=click.IntRange(1, 100_000), default=100, show_default=True, help="List at most this many."
)
@as_json_option
@api_options
def campaign_list(api: "Api", status: tuple[str, ...], tag: tuple[str, ...], most: int, *, as_json: bool) -> None:
    """List campaigns, with the number of their posts of each status and the time of the next one."""
    from cli.client.api import ApiClient
    from cli.client.views import campaign_row

    query = {name: list(values) for name, values in {"status": status, "tag": tag}.items() if values}
    with ApiClient(api) as client:
        campaigns = list(client.pages("/v1/campaigns", query, "campaigns", most))
    print_rows(campaigns if as_json else [campaign_row(listed) for listed in campaigns], as_json=as_json)


@campaign.command("pause")
@_campaign
@click.option("--reason", default=None, help="Why; people see it wherever the pause is shown.")
@idempotency_option
@as_json_option
@api_options
def campaign_pause(
    api: "Api", campaign_id: str, reason: str | None, idempotency_key: str | None, *, as_json: bool
) -> None:
    """Stop the posts of a campaign. Nothing fails because of it."""
    from cli.client.api import ApiClient
    from cli.client.campaigns import campaign_path

    with ApiClient(api) as client:
        body = {"reason": reason} if reason else {}
        paused = client.change("POST", campaign_path(campaign_id, "/pause"), idempotency_key, json=body).body
    if as_json:
        say(json.dumps(paused, ensure_ascii=False))
        return
    pause = paused["pause"]
    if pause["status"] == "paused":
        say(f"Paused since {pause['since']}. No request that publishes a post of it leaves any process.")
    else:
        say(f"Pausing since {pause['since']}: no send begins any more. These were being sent, and may still go out:")
        for sent in pause["inFlight"]:
            say(f"  {sent['postId']} to {sent['platform']}/{sent['accountId']}")


@campaign.command("resume")
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
@_dry_run
@_yes
@idempotency_option
@as_json_option
@api_options
def campaign_resume(
    api: "Api",
    campaign_id: str,
    missed: str | None,
    spacing: int,
    idempotency_key: str | None,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """End the pause of a campaign, after showing what becomes of its missed posts and asking.

    If posts fell due meanwhile, --missed says what becomes of them: they are published, they become drafts (skip), or
    all posts that were not sent move by whole days (shift).
    """
    body = {name: value for name, value in (("missed", missed), ("spacing", spacing)) if value}
    steer = _Steering(api, campaign_id, "/resume", body, idempotency_key, _describe_resumed)
    steer.run(dry_run=dry_run, yes=yes, as_json=as_json)


@campaign.command("shift")
@_campaign
@click.option("--by", required=True, metavar="DURATION", help="How far: P2D, PT90M, or -P1W for earlier.")
@click.option("--from", "first", default=None, metavar="TIME", help="Only posts that are scheduled from then on.")
@click.option("--to", "last", default=None, metavar="TIME", help="Only posts that are scheduled until then.")
@_dry_run
@_yes
@idempotency_option
@as_json_option
@api_options
def campaign_shift(
    api: "Api",
    campaign_id: str,
    by: str,
    first: str | None,
    last: str | None,
    idempotency_key: str | None,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Move the posts of a campaign that are not sent yet. Days and weeks move wall time.

    All move, or none. It first shows how many, and asks.
    """
    body = {name: value for name, value in (("by", by), ("from", first), ("to", last)) if value}
    steer = _Steering(api, campaign_id, "/shift", body, idempotency_key, _describe_shifted)
    steer.run(dry_run=dry_run, yes=yes, as_json=as_json)


def _show_import(answer: Mapping[str, Any], *, as_json: bool, is_preview: bool = False, error: bool = False) -> None:
    from cli.client.campaigns import import_lines

    for line in [json.dumps(answer, ensure_ascii=False)] if as_json else import_lines(answer, is_preview=is_preview):
        say(line, error=error)


@dataclass(frozen=True, slots=True)
class _Steering:
    """A change of a campaign's posts that is shown before it is carried out."""

    api: "Api"
    campaign_id: str
    operation: str
    body: Mapping[str, Any]
    key: str | None
    describe: Callable[[Mapping[str, Any]], str]

    def run(self, *, dry_run: bool, yes: bool, as_json: bool) -> None:
        """Show what the change does, ask, and carry it out. With `dry_run`, only show it."""
        from cli.client.api import ApiClient
        from cli.client.campaigns import campaign_path

        path = campaign_path(self.campaign_id, self.operation)
        with ApiClient(self.api) as client:
            if dry_run or not yes:
                preview = client.change("POST", path, json={**self.body, "dryRun": True}).body
                self._show(preview, "Would be done", as_json=dry_run and as_json, error=not dry_run)
                if dry_run:
                    return
                ask("Do it?", yes=yes, otherwise="Nothing was changed.", what="do it")
            self._show(client.change("POST", path, self.key, json=self.body).body, "Done", as_json=as_json)

    def _show(self, campaign: Mapping[str, Any], state: str, *, as_json: bool, error: bool = False) -> None:
        sentence = f"{state}: {self.describe(campaign['result'])}"
        say(json.dumps(campaign, ensure_ascii=False) if as_json else sentence, error=error)


def _describe_resumed(result: Mapping[str, Any]) -> str:
    return (
        f"of the missed posts, {result['published']:,} continue, {result['skipped']:,} are skipped, and "
        f"{result['stillPaused']:,} wait for another pause. Moved by whole days: {result['shifted']:,}."
    )


def _describe_shifted(result: Mapping[str, Any]) -> str:
    late = f" Too late to move, because they are being sent or partly public: {result['tooLateCount']:,}."
    series = f" Not moved, because the rule of a series gives them their times: {result['seriesKept']:,}."
    return (
        f"{result['moved']:,} posts move."
        + (late if result["tooLateCount"] else "")
        + (series if result["seriesKept"] else "")
    )

"""Commands about single posts, which call the HTTP API."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.commands.api_options import api_options, idempotency_option
from cli.commands.options import as_json_option, ask, print_rows
from cli.errors import UserError
from cli.terminal import say

if TYPE_CHECKING:
    from cli.client.api import Api

_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)
_yes = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group()
def post() -> None:
    """Write, watch and change posts over the API, with a workspace's key.

    Exit codes: 0 done; 1 refused; 2 wrong options; 3 the API did not answer or is too busy; 4 the post is not public
    everywhere; 5 its outcome is still open.
    """


@post.command("create")
@click.argument("text", required=False)
@click.option(
    "--account", "accounts", multiple=True, metavar="PLATFORM/ID", help="Publish to this account; repeatable."
)
@click.option("--now", "is_now", is_flag=True, help="Publish it immediately, after asking.")
@click.option("--at", default=None, metavar="TIME", help="Publish it then: 2030-12-09T09:00, in --timezone.")
@click.option("--draft", "is_draft", is_flag=True, help="Save it, and publish nothing.")
@click.option("--timezone", default=None, metavar="ZONE", help="Zone of --at, such as Europe/Berlin. Default: UTC.")
@click.option("--media", multiple=True, metavar="URL", help="A file at a public address; video:URL names its type.")
@click.option("--tag", "tags", multiple=True, help="A label of yours; repeatable.")
@click.option("--campaign", default=None, metavar="CMP_ID", help="Add it to this campaign.")
@click.option("--external-id", default=None, metavar="ID", help="Your own id: no other post can have it.")
@click.option("--body", "file", type=_FILE, default=None, help="Take the body of POST /v1/posts from this JSON file.")
@click.option("--dry-run", is_flag=True, help="Check the post, and create nothing.")
@_yes
@idempotency_option
@as_json_option
@api_options
def post_create(
    api: "Api",
    text: str | None,
    file: Path | None,
    idempotency_key: str | None,
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    **fields: Any,
) -> None:
    """Create a post from TEXT (`-`: from stdin), or from a file by --body.

    With --now, it waits up to 25 seconds for the outcome.
    """
    from cli.client.api import ApiClient
    from cli.client.posts import Draft, exit_code, read_body

    if file is not None and (text is not None or any(fields.values())):
        raise UserError("Give either --body or the fields of a post, not both.")
    body = Draft(text, **fields).body() if file is None else read_body(file)
    with ApiClient(api) as client:
        if dry_run:
            sys.exit(_check(client.change("POST", "/v1/posts/validate", json=body).body, as_json=as_json))
        if body.get("publishNow"):
            names = ", ".join(f"{target['platform']}/{target['accountId']}" for target in body.get("platforms", []))
            ask(f"Publish it now to {names}?", yes=yes, otherwise="Nothing was published.", what="publish it")
        created = client.change("POST", "/v1/posts", idempotency_key, json=body).body
    _show(created, as_json=as_json)
    if body.get("publishNow"):
        sys.exit(exit_code(created))


@post.command("list")
@click.option("--status", multiple=True, help="Only posts of this status; repeatable.")
@click.option("--tag", multiple=True, help="Only posts with this label; repeatable.")
@click.option("--campaign", default=None, metavar="CMP_ID", help="Only posts of this campaign.")
@click.option("--account", default=None, metavar="PLATFORM/ID", help="Only posts to this account.")
@click.option("--from", "scheduled_from", default=None, metavar="TIME", help="Only posts scheduled from then on.")
@click.option("--to", "scheduled_to", default=None, metavar="TIME", help="Only posts scheduled until then.")
@click.option("--timezone", default=None, metavar="ZONE", help="Zone of the dates. Default: UTC.")
@click.option(
    "--limit", "most", type=click.IntRange(1, 100_000), default=100, show_default=True, help="List at most this many."
)
@as_json_option
@api_options
def post_list(api: "Api", account: str | None, most: int, *, as_json: bool, **filters: Any) -> None:
    """List posts, the newest first. TIME is a date, or a date and time."""
    from cli.client.api import ApiClient
    from cli.client.posts import split_account
    from cli.client.views import post_row

    query = {
        "status": list(filters["status"]),
        "tag": list(filters["tag"]),
        "campaignId": filters["campaign"],
        "scheduledFrom": filters["scheduled_from"],
        "scheduledTo": filters["scheduled_to"],
        "timezone": filters["timezone"],
    }
    if account is not None:
        query["platform"], query["accountId"] = split_account(account)
    with ApiClient(api) as client:
        posts = list(client.pages("/v1/posts", {name: value for name, value in query.items() if value}, "posts", most))
    print_rows(posts if as_json else [post_row(listed) for listed in posts], as_json=as_json)


@post.command("get")
@click.argument("post_id", metavar="POST")
@as_json_option
@api_options
def post_get(api: "Api", post_id: str, *, as_json: bool) -> None:
    """Show a post, and the outcome on each account."""
    from cli.client.api import ApiClient
    from cli.client.posts import post_path

    with ApiClient(api) as client:
        _show(client.get(post_path(post_id)), as_json=as_json)


@post.command("wait")
@click.argument("post_ids", metavar="POST...", nargs=-1, required=True)
@click.option(
    "--timeout",
    type=click.IntRange(0, 30 * 24 * 60 * 60),
    default=300,
    show_default=True,
    metavar="SECONDS",
    help="Wait at most this long in all.",
)
@as_json_option
@api_options
def post_wait(api: "Api", post_ids: tuple[str, ...], timeout: int, *, as_json: bool) -> None:
    """Wait until the publishing of posts is over, and show them.

    Exit code 0: all are public everywhere; 4: one is not, and its publishing is over; 5: one is still open.
    """
    from cli.client.api import ApiClient
    from cli.client.posts import exit_code, wait_for_all
    from cli.client.progress import progress_bar

    with ApiClient(api) as client, progress_bar(len(post_ids), "Posts that are over") as bar:
        posts = wait_for_all(client, post_ids, timeout, lambda: bar.update(1))
    for waited_for in posts:
        _show(waited_for, as_json=as_json)
    sys.exit(max(exit_code(waited_for) for waited_for in posts))


@post.command("retry")
@click.argument("post_id", metavar="POST")
@click.option("--account", "accounts", multiple=True, metavar="PLATFORM/ID", help="Only this account; repeatable.")
@idempotency_option
@as_json_option
@api_options
def post_retry(
    api: "Api", post_id: str, accounts: tuple[str, ...], idempotency_key: str | None, *, as_json: bool
) -> None:
    """Publish to the accounts on which a post has failed. Those on which it is public stay as they are.

    It waits up to 25 seconds for the outcome.
    """
    from cli.client.api import ApiClient
    from cli.client.posts import exit_code, post_path, target

    body = {"platforms": [target(account) for account in accounts]} if accounts else {}
    with ApiClient(api) as client:
        retried = client.change("POST", post_path(post_id, "/retry"), idempotency_key, json=body).body
    _show(retried, as_json=as_json)
    sys.exit(exit_code(retried))


@post.command("delete")
@click.argument("post_id", metavar="POST")
@_yes
@idempotency_option
@as_json_option
@api_options
def post_delete(api: "Api", post_id: str, idempotency_key: str | None, *, yes: bool, as_json: bool) -> None:
    """Delete a draft or a post that is not sent yet, after asking. A public post stays public."""
    from cli.client.api import ApiClient
    from cli.client.posts import post_path

    with ApiClient(api) as client:
        if not yes:
            _show(client.get(post_path(post_id)), as_json=False, error=True)
        ask("Delete it?", yes=yes, otherwise="Nothing was deleted.", what="delete it")
        deleted = client.change("DELETE", post_path(post_id), idempotency_key).body
    here = " here. It was published before, and its platforms keep it" if "status" in deleted else ""
    say(json.dumps(deleted) if as_json else f"{deleted['id']} is deleted{here}.")


def _show(shown: Mapping[str, Any], *, as_json: bool, error: bool = False) -> None:
    from cli.client.views import post_lines

    for line in [json.dumps(shown, ensure_ascii=False)] if as_json else post_lines(shown):
        say(line, error=error)


def _check(validation: Mapping[str, Any], *, as_json: bool) -> int:
    """Print what a post's validation says, and return the exit code."""
    from cli.client.refusals import ExitCode, describe_problem

    if as_json:
        say(json.dumps(validation, ensure_ascii=False))
    else:
        say("The post can be created." if validation["valid"] else "The post would be refused:")
        for kind, word in (("errors", ""), ("warnings", "Warning: ")):
            for problem in validation[kind]:
                say(f"  {word}{describe_problem(problem)}")
    return ExitCode.DONE if validation["valid"] else ExitCode.REFUSED

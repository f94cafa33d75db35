"""Commands about accounts."""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.commands.api_options import api_options
from cli.commands.options import (
    ask,
    data_dir_option,
    workspace_option,
)
from cli.errors import UserError
from cli.terminal import say

if TYPE_CHECKING:
    from cli.client.api import Api


@click.group()
def accounts() -> None:
    """Connect, list and remove the accounts that posts are published to."""


@accounts.command("add")
@click.argument("platform")
@click.option(
    "--allow", multiple=True, metavar="NAME=VALUE", help="Let it publish to this place, too: see `accounts allow`."
)
@workspace_option
@data_dir_option
def accounts_add(platform: str, allow: tuple[str, ...], workspace: str | None, data_dir: Path | None) -> None:
    """Connect an account of PLATFORM by credentials: one JSON object on stdin, e.g. {"accessToken": "…"}.

    With --data-dir the account is registered with the stack's sandbox first, so any token is accepted; the object may
    also have "username" and "premium".
    """
    from cli.accounts import add

    if sys.stdin.isatty():
        say("Type the credentials as one JSON object, then Ctrl-D:", error=True)
    adding = add(platform, workspace, sys.stdin.read(), data_dir, allow)
    say(json.dumps(asyncio.run(adding), ensure_ascii=False))


@accounts.command("connect")
@click.argument("platform")
@click.option("--set", "options", multiple=True, metavar="NAME=VALUE", help="An option, such as instance for Mastodon.")
@click.option("--account", "account_id", default=None, help="Reconnect this account, and no other.")
@click.option(
    "--choose",
    multiple=True,
    metavar="ID",
    help="Connect this one of several accounts, by its id or name; may be repeated.",
)
@click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
@api_options
def accounts_connect(
    api: "Api",
    platform: str,
    options: tuple[str, ...],
    account_id: str | None,
    choose: tuple[str, ...],
    *,
    no_browser: bool,
) -> None:
    """Connect an account of PLATFORM as its owner: by consent in a browser, by a code, or by credentials.

    It calls the API of --api with the key in SOCIALSYNCER_API_KEY, or with --data-dir that of a stack. Prints the
    connected accounts, a JSON object each.
    """
    from cli.connect import ConnectRequest, connect, parse_options

    request = ConnectRequest(platform, parse_options(options), account_id, choose, opens_browser=not no_browser)
    for account in connect(api, request):
        say(json.dumps(account, ensure_ascii=False))


@accounts.command("page")
@click.option("--name", default=None, help="The name that people see; by default the workspace's.")
@click.option(
    "--logo", type=click.Path(exists=True, dir_okay=False, path_type=Path), default=None, help="A small PNG file."
)
@api_options
def accounts_page(api: "Api", name: str | None, logo: Path | None) -> None:
    """Set the name and the picture that people see who connect an account; what is left out is removed."""
    from cli.connect import set_page

    set_page(api, name, logo)
    say("The page is changed.", error=True)


@accounts.command("unreadable")
@click.argument("choice", type=click.Choice(["askMe", "resendOnce"]))
@click.option("--account", default=None, metavar="PLATFORM/ID", help="Set it for this account; by default for all.")
@api_options
def accounts_unreadable(api: "Api", choice: str, account: str | None) -> None:
    """Choose what follows a refusal on platforms that show no posts: ask a person, or send the post once more."""
    from cli.connect import set_when_unreadable

    set_when_unreadable(api, choice, account)
    say("The setting is changed.", error=True)


@accounts.command("allow")
@click.argument("account_id")
@click.argument("places", nargs=-1, required=True, metavar="NAME=VALUE...")
@workspace_option
@data_dir_option
def accounts_allow(account_id: str, places: tuple[str, ...], workspace: str | None, data_dir: Path | None) -> None:
    """Allow posts of an account to name other places in their settings, such as another channel or organization.

    NAME is channelId or threadId for Discord, locationId for Google Business Profile, organizationUrn for LinkedIn. The
    VALUE * allows every place that the account's credentials can reach.
    """
    from cli.accounts import allow

    say(json.dumps(asyncio.run(allow(account_id, places, workspace, data_dir)), ensure_ascii=False))


@accounts.command("forbid")
@click.argument("account_id")
@click.argument("places", nargs=-1, required=True, metavar="NAME=VALUE...")
@workspace_option
@data_dir_option
def accounts_forbid(account_id: str, places: tuple[str, ...], workspace: str | None, data_dir: Path | None) -> None:
    """Withdraw what `accounts allow` has allowed. Posts that name such a place fail when they are due."""
    from cli.accounts import forbid

    say(json.dumps(asyncio.run(forbid(account_id, places, workspace, data_dir)), ensure_ascii=False))


@accounts.command("list")
@workspace_option
@click.option("--all", "everywhere", is_flag=True, help="List the accounts of every workspace.")
@click.option("--refused", is_flag=True, help="List only accounts that must be reconnected.")
@data_dir_option
def accounts_list(workspace: str | None, data_dir: Path | None, *, everywhere: bool, refused: bool) -> None:
    """Print the workspace's accounts, a JSON object each, with their health and what to do.

    With --all, print those of every workspace, each also with its state, since when, the platform's reason if it is
    refused, and the number of targets that are held for it.
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
            if not refused or account["health"] == "needs_reconnect":
                say(json.dumps(account, ensure_ascii=False))

    asyncio.run(run())


@accounts.command("history")
@click.argument("account_id")
@workspace_option
@data_dir_option
def accounts_history(account_id: str, workspace: str | None, data_dir: Path | None) -> None:
    """Show who connected, reconnected and removed an account, newest first."""
    from cli.accounts import history

    for line in asyncio.run(history(account_id, workspace, data_dir)):
        say(line)


@accounts.command("remove")
@click.argument("account_id")
@click.option("--yes", is_flag=True, help="Do not ask, even if posts are still to be published to the account.")
@workspace_option
@data_dir_option
def accounts_remove(account_id: str, yes: bool, workspace: str | None, data_dir: Path | None) -> None:
    """Remove an account and its credentials. Asks first if posts are still to be published to it."""
    from cli.accounts import describe_waiting_posts, remove

    if posts := asyncio.run(describe_waiting_posts(account_id, workspace, data_dir)):
        say(posts, error=True)
        ask(
            "Remove the account all the same?",
            yes=yes,
            otherwise="The account is still connected.",
            what="remove it all the same",
        )
    asyncio.run(remove(account_id, workspace, data_dir))
    say(f"{account_id} is no longer connected.")

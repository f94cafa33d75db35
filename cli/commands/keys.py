"""Commands about API keys and secrets."""

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.commands.options import (
    data_dir_option,
    workspace_option,
)
from cli.terminal import say
from domain.api_keys import Scope

if TYPE_CHECKING:
    from store.workspaces.keys import NewKey


@click.group()
def keys() -> None:
    """Create, list, replace and revoke API keys; create encryption keys and reseal credentials with a new one."""


@keys.command("create")
@workspace_option
@click.option("--name", default="", help="What the key is for.")
@click.option(
    "--expires-in-days",
    type=click.IntRange(1, 3650),
    default=None,
    help="Days until the key expires. By default it is valid until it is revoked.",
)
@click.option("--expires-at", default=None, metavar="TIME", help="When the key expires, such as 2030-12-09T09:00:00Z.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    help="What the key may do; may be given several times. Default: all but `keys`, which creates further keys.",
)
@click.option(
    "--rate",
    type=click.IntRange(0, 6_000_000),
    default=None,
    help="Requests a minute that it may make; 0 for any number. Default: SOCIALSYNCER_REQUESTS_PER_MINUTE of the API.",
)
@data_dir_option
def keys_create(
    workspace: str | None,
    name: str,
    expires_in_days: int | None,
    expires_at: str | None,
    scopes: tuple[str, ...],
    rate: int | None,
    data_dir: Path | None,
) -> None:
    """Create an API key and print it, once. A workspace that does not exist is created."""
    from cli.keys import create

    _show(asyncio.run(create(workspace, name, expires_in_days, expires_at, scopes, rate, data_dir)))


@keys.command("rotate")
@click.argument("key_id")
@click.option(
    "--overlap-hours",
    type=click.IntRange(0, 168),
    default=24,
    show_default=True,
    help="Hours for which the old key stays valid beside the new one.",
)
@data_dir_option
def keys_rotate(key_id: str, overlap_hours: int, data_dir: Path | None) -> None:
    """Create a key like another one, by its id from `keys list`, and print it, once; the other one ends."""
    from cli.keys import rotate

    _show(asyncio.run(rotate(key_id, overlap_hours, data_dir)))
    say(f"{key_id} ends in {overlap_hours} hours." if overlap_hours else f"{key_id} has ended.", error=True)


def _show(key: "NewKey") -> None:
    say(key.key)
    say(f"This is the only time that the key is shown. Its id is {key.id}.", error=True)


@keys.command("list")
@click.option("--workspace", default=None, help="Name or id of the workspace; default: all.")
@data_dir_option
def keys_list(workspace: str | None, data_dir: Path | None) -> None:
    """Print the API keys, a JSON object each: id, first characters, name, workspace, scopes and times, not the key."""
    from cli.keys import describe_keys

    for key in asyncio.run(describe_keys(workspace, data_dir)):
        say(json.dumps(key, ensure_ascii=False))


@keys.command("revoke")
@click.argument("key_id")
@data_dir_option
def keys_revoke(key_id: str, data_dir: Path | None) -> None:
    """Revoke an API key, by its id from `keys list`. Every API process refuses it within 2 seconds."""
    from cli.keys import revoke

    asyncio.run(revoke(key_id, data_dir))
    say(f"{key_id} is revoked.")


@keys.command("secret")
def keys_secret() -> None:
    """Print a new encryption key for SOCIALSYNCER_ENCRYPTION_KEYS."""
    from store.secrets.vault import new_key

    say(new_key())


@keys.command("env")
def keys_env() -> None:
    """Print new secrets for docker-compose.yml, as lines for the file .env: all passwords and an encryption key."""
    from cli.keys import new_secrets

    for name, value in new_secrets().items():
        say(f"{name}={value}")


@keys.command("reseal")
@data_dir_option
def keys_reseal(data_dir: Path | None) -> None:
    """Encrypt all accounts' credentials with the first of SOCIALSYNCER_ENCRYPTION_KEYS.

    Give every worker that key first. The command may be interrupted and run again. Exit code 0: no credentials need an
    older key; 1: some still do.
    """
    from cli.keys import reseal

    sentences, done = asyncio.run(reseal(data_dir))
    for sentence in sentences:
        say(sentence)
    sys.exit(0 if done else 1)

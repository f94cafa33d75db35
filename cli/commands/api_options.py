"""Options of commands that call the HTTP API."""

import functools
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cli.commands.options import data_dir_option
from cli.terminal import say

_Command = Callable[..., None]


def api_options(command: _Command) -> _Command:
    """Add the options for the API and its key, and pass the command an `Api` first.

    If the command has the option --json, a refusal of the API is printed as its JSON object on stderr.
    """

    @click.option(
        "--api", "url", default=None, envvar="SOCIALSYNCER_API_URL", show_envvar=True, help="Address of the API."
    )
    @click.option(
        "--key-file",
        type=click.Path(path_type=Path, dir_okay=False),
        default=None,
        envvar="SOCIALSYNCER_API_KEY_FILE",
        show_envvar=True,
        help="File with the API key. Default: the key in SOCIALSYNCER_API_KEY.",
    )
    @data_dir_option
    @functools.wraps(command)
    def with_api(
        *arguments: Any, url: str | None, key_file: Path | None, data_dir: Path | None, **options: Any
    ) -> None:
        from cli.client.api import find_api
        from cli.client.refusals import RefusedError

        api = find_api(data_dir, url, os.environ.get("SOCIALSYNCER_API_KEY"), key_file)
        try:
            command(api, *arguments, **options)
        except RefusedError as refused:
            if not options.get("as_json"):
                raise
            say(json.dumps(refused.body, ensure_ascii=False), error=True)
            sys.exit(refused.exit_code)

    return with_api


def idempotency_option(command: _Command) -> _Command:
    """Add the option for a request that is repeated by hand."""
    text = "Send the request as the one with this key: what was done already is not done again."
    return click.option("--idempotency-key", default=None, metavar="KEY", help=text)(command)

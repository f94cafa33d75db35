"""The command that uploads a file over the HTTP API."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.commands.api_options import api_options
from cli.commands.options import as_json_option
from cli.terminal import say

if TYPE_CHECKING:
    from cli.client.api import Api


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--type", "content_type", default=None, metavar="TYPE", help="Type of the file. Default: by its name.")
@as_json_option
@api_options
def upload(api: "Api", file: Path, content_type: str | None, *, as_json: bool) -> None:
    """Upload FILE, and print the address by which posts name it.

    A large file is sent in parts. If the command is interrupted, the same command continues with the part that is
    missing. Exit codes: 0 done; 1 refused; 2 wrong options; 3 the API did not answer or is too busy.
    """
    from cli.client.api import ApiClient
    from cli.client.progress import progress_bar
    from cli.client.uploads import Uploader, read_file

    facts = read_file(file, content_type)
    with ApiClient(api) as client, progress_bar(facts.size, file.name) as bar:
        uploaded = Uploader(client, facts, bar.update).upload()
    say(json.dumps(uploaded, ensure_ascii=False) if as_json else uploaded["publicUrl"])

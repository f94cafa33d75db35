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
@click.argument("source", metavar="FILE_OR_URL")
@click.option(
    "--type", "content_type", default=None, metavar="TYPE", help="Type of FILE. Default: by its name or bytes."
)
@as_json_option
@api_options
def upload(api: "Api", source: str, content_type: str | None, *, as_json: bool) -> None:
    """Upload a file, and print the address by which posts name it. The service itself fetches the file of a URL.

    A large file is sent in parts. If the command is interrupted, the same command continues with the part that is
    missing. Exit codes: 0 done; 1 refused; 2 wrong options; 3 the API did not answer or is too busy.
    """
    from cli.client.api import ApiClient
    from cli.client.fetches import fetch_upload, is_web_address
    from cli.client.progress import progress_bar
    from cli.client.uploads import Uploader, read_file

    if is_web_address(source):
        with ApiClient(api) as client:
            uploaded = fetch_upload(client, source)
    else:
        facts = read_file(Path(source), content_type)
        with ApiClient(api) as client, progress_bar(facts.size, facts.path.name) as bar:
            uploaded = Uploader(client, facts, bar.update).upload()
    say(json.dumps(uploaded, ensure_ascii=False) if as_json else uploaded["publicUrl"])

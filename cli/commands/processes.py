"""Commands that run the service or a part of it, and prepare what it runs on."""

import asyncio
from pathlib import Path
from typing import Any

import click

from cli.commands.options import (
    FOLDER,
    PORT,
    data_dir_option,
    explaining_missing_packages,
    port_option,
)
from cli.data_dir import DEFAULT_DATA_DIR
from cli.errors import UserError
from cli.terminal import say


@click.command()
@click.option("--data-dir", type=FOLDER, default=DEFAULT_DATA_DIR, show_default=True, help="Keep all data here.")
@port_option("--api-port", 8000, "the API")
@port_option("--temporal-port", 7233, "Temporal")
@port_option("--ui-port", 8233, "Temporal's Web UI")
@port_option("--sandbox-port", 8025, "the sandbox of platforms")
@click.option("--sandbox-url", default=None, help="Use a sandbox that runs elsewhere.")
@click.option(
    "--realistic",
    is_flag=True,
    help="Let the sandbox have the platforms' limits and processing times, and keep to their rate limits.",
)
@click.option("--no-example", is_flag=True, help="Publish no example post at the first start.")
@click.option(
    "--verbose", is_flag=True, help="Print what operators want as well: addresses, folders, queries of posts."
)
def dev(**chosen: Any) -> None:
    """Run everything here: PostgreSQL, Temporal, the sandbox of platforms, the worker and the API."""
    with explaining_missing_packages():
        from cli.dev import Options, run_dev

    run_dev(Options(example=not chosen.pop("no_example"), **chosen))


@click.command()
@click.option("--host", default=None, help="Address to listen on; default SOCIALSYNCER_API_HOST.")
@click.option("--port", type=PORT, default=None, help="Port to listen on; default SOCIALSYNCER_API_PORT.")
def api(host: str | None, port: int | None) -> None:
    """Serve the API."""
    from cli.serve_api import serve_api

    serve_api(host, port)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, envvar="SOCIALSYNCER_SANDBOX_HOST", show_envvar=True)
@click.option(
    "--port", type=PORT, default=8025, show_default=True, envvar="SOCIALSYNCER_SANDBOX_PORT", show_envvar=True
)
@click.option("--data-dir", type=FOLDER, default=DEFAULT_DATA_DIR / "sandbox", show_default=True)
@click.option("--realistic", is_flag=True, help="Have the platforms' own rate limits and processing times.")
@click.option("--strict", is_flag=True, help="Refuse parameters that the platforms do not know and would ignore.")
@click.option(
    "--host-names",
    default="",
    envvar="SOCIALSYNCER_SANDBOX_HOST_NAMES",
    show_envvar=True,
    help="Other host names, comma-separated, by which it is reached beside 127.0.0.1, localhost and --host.",
)
def sandbox(host: str, port: int, data_dir: Path, *, realistic: bool, strict: bool, host_names: str) -> None:
    """Serve the sandbox of platforms, on which nothing becomes really public."""
    with explaining_missing_packages():
        from cli.stack.ports import PortRequest, require_free
        from runtime.logging import configure, log_uncaught
        from runtime.process import tune_gc
        from runtime.settings import comma_separated
        from sandbox.server import run

    configure("info", "json")
    require_free([PortRequest("--port", port)])
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    log_uncaught()
    tune_gc()
    run(host, port, data_dir, realistic=realistic, strict=strict, names=comma_separated(host_names))


@click.command()
@data_dir_option
@click.option(
    "--contract",
    is_flag=True,
    help="Also remove what only older versions use. No process of an older version may run any more.",
)
@click.option(
    "--take-over-namespace",
    is_flag=True,
    help="Reserve Temporal's namespace for this database although another one had it. No process of that one may run.",
)
def migrate(data_dir: Path | None, *, contract: bool, take_over_namespace: bool) -> None:
    """Bring the database's tables and roles and Temporal's search attributes up to date."""
    from cli.migrating import migrate as run

    for sentence in asyncio.run(run(data_dir, contract=contract, takes_over=take_over_namespace)):
        say(sentence)


@click.command()
@data_dir_option
@click.option("--from", "since", help="Time of the backup, such as 2026-02-01T14:00:00Z.")
@click.option("--database", is_flag=True, help="The service's own database was restored.")
@click.option("--temporal", is_flag=True, help="Temporal's database was restored.")
@click.option("--pause-campaigns", is_flag=True, help="Pause all campaigns that were active at the time of the backup.")
@click.option(
    "--nothing-lost",
    is_flag=True,
    help="The database was promoted, moved or upgraded, and has all that the former server had. Needs no other option.",
)
def restored(
    data_dir: Path | None,
    since: str | None,
    *,
    database: bool,
    temporal: bool,
    pause_campaigns: bool,
    nothing_lost: bool,
) -> None:
    """Report that databases were restored from a backup: posts that may be public are confirmed first.

    Run it before workers start on the restored database. The API refuses writes meanwhile.
    """
    from cli.restored import Loss, handle_restore, parse_moment

    if nothing_lost and (since or database or temporal or pause_campaigns):
        raise UserError("--nothing-lost stands alone: with it, there is nothing to confirm.")
    if not nothing_lost and since is None:
        raise UserError("Say to which time the databases were restored (--from), or that --nothing-lost.")
    if not (nothing_lost or database or temporal):
        raise UserError("Say which database was restored: --database, --temporal or both.")
    if pause_campaigns and not database:
        raise UserError("--pause-campaigns belongs to --database: an older Temporal knows no pauses.")
    loss = None if nothing_lost else Loss(parse_moment(since or ""), database, temporal, pause_campaigns)

    async def run() -> None:
        async for sentence in handle_restore(loss, data_dir):
            say(sentence)

    asyncio.run(run())

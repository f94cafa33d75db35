"""A check of a platform on a real account: it publishes marked posts, reads them, deletes them and reports."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from cli.environment import Environment, find_environment, open_database
from cli.errors import UserError
from cli.live_check.check import Check
from cli.live_check.files import CheckFile, CheckFiles, Host, in_the_sandbox
from cli.live_check.report import LiveReport
from cli.own_credentials import platform_named
from cli.terminal import say
from cli.workspaces import find_or_create_workspace
from media.public_files import PublicFiles
from platforms.live import load_live_check
from runtime.parts import open_parts
from runtime.settings import VaultSettings
from sandbox import media as samples
from sandbox.painting import IMAGE_SIZE, SIZES, VIDEO_SECONDS, VIDEO_SIZE
from store.accounts.connected import find_account
from store.database import Database
from store.models import Account


async def file_named(name: str) -> CheckFile:
    """Paint one of the check's files."""
    sample = samples.from_path(name)
    content = await asyncio.to_thread(samples.sample, sample.name, sample.extension)
    is_video = sample.extension == "mp4"
    usual = VIDEO_SIZE if is_video else IMAGE_SIZE
    width, height = SIZES.get((sample.extension, sample.name), usual)
    return CheckFile(
        name, sample.content_type, content, width=width, height=height, seconds=VIDEO_SECONDS if is_video else None
    )


def parse_settings(pairs: Sequence[str]) -> dict[str, str]:
    """Return the settings of the command line. Raises UserError."""
    values = dict(pair.partition("=")[::2] for pair in pairs)
    if not all(values.values()):
        raise UserError("Give settings as NAME=VALUE.")
    return values


def chosen(platform: str, only: Sequence[str]) -> list[str]:
    """Return the names of the samples that will be published. Raises UserError for an unknown one."""
    names = [sample.name for sample in load_live_check(platform_named(platform)).samples]
    if unknown := sorted(set(only) - set(names)):
        raise UserError(f"There is no sample {unknown[0]!r}: choose among {', '.join(names)}.")
    return [name for name in names if not only or name in only]


async def run_check(
    name: str,
    account_id: str,
    workspace: str | None,
    data_dir: Path | None,
    *,
    settings: Mapping[str, str],
    only: Sequence[str],
    asks: bool,
) -> LiveReport:
    """Check an account. Raises UserError; click.Abort if the person says no."""
    platform, environment = platform_named(name), find_environment(data_dir, VaultSettings)
    names = chosen(name, only)
    async with open_database(environment) as database:
        account = await _account(database, environment, workspace, name, account_id)
        how = "deletes them" if load_live_check(platform).remove else "cannot delete them: you must do that by hand"
        say(
            f"This publishes up to {len(names)} posts as {account.username} on {platform.label}, and {how}.", error=True
        )
        say(f"They are: {', '.join(names)}.", error=True)
        if asks:
            await asyncio.to_thread(click.confirm, "Publish them?", abort=True, err=True)
        async with open_parts(environment.settings, database) as parts:
            files = CheckFiles(file_named, find_host(environment, database, account.workspace_id))
            check = Check(
                platform,
                parts.accounts.connection(account),
                files,
                settings=settings,
                only=names,
                say=lambda text: say(text, error=True),
            )
            try:
                return await check.run()
            except asyncio.CancelledError:
                for post in (post for trial in check.trials for post in trial.still_public):
                    say(f"DELETE BY HAND: {post.url or post.platform_post_id}", error=True)
                raise


def find_host(environment: Environment[VaultSettings], database: Database, workspace_id: str) -> Host | None:
    """Return the host at which platforms find the files that they fetch themselves."""
    if environment.settings.sandbox_url:
        return in_the_sandbox
    if not environment.settings.public_url:
        return None
    public_files = PublicFiles(database, environment.settings.public_url)

    async def host(file: CheckFile) -> str:
        return await public_files.put(workspace_id, file.as_media())

    return host


async def _account(
    database: Database, environment: Environment[VaultSettings], workspace: str | None, platform: str, account_id: str
) -> Account:
    named = environment.workspace_id if workspace is None else workspace
    async with database.transaction() as session:
        workspace_id = await find_or_create_workspace(session, named, may_make=False)
        account = await find_account(session, workspace_id, account_id)
        if account is None or account.platform != platform:
            raise UserError(f"The workspace has no account {account_id} of {platform}.")
        return account


def write_report(report: LiveReport, out: Path | None) -> None:
    """Print the results, and write the report for the maintainers of the adapters. Raises UserError."""
    text = json.dumps(report.as_json(), indent=2, ensure_ascii=False)
    to_stdout = out == Path("-")
    for line in report.lines():
        say(line, error=to_stdout)
    if to_stdout:
        say(text)
    elif out:
        try:
            out.write_text(f"{text}\n")
        except OSError as error:
            raise UserError(f"The report could not be written to {out}: {error.strerror}.") from error
        say(f"The report is in {out}. Read it before you send it: docs/live-check.md says where.", error=True)

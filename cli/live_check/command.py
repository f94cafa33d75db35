"""A check of a platform on a real account: it publishes marked posts, reads them, deletes them and reports."""

import asyncio
import json
import secrets
import zlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import click
import httpx
from pydantic import ValidationError

from cli.environment import Environment, find_environment, open_database
from cli.errors import UserError
from cli.live_check.files import CheckFile, CheckFiles, Host, in_the_sandbox
from cli.live_check.report import LiveReport
from cli.live_check.trial import Runner, Trial
from cli.own_credentials import platform_named
from cli.terminal import say
from cli.workspaces import find_or_create_workspace
from domain.printable import error_words
from media.public_files import PublicFiles
from platforms.base import AnyPlatform, Connection, Draft
from platforms.http import answers
from platforms.live import FILE, LiveCheck, RecordedExchange, SamplePost, load_live_check
from runtime.parts import open_parts
from runtime.settings import VaultSettings
from sandbox import media as samples
from sandbox.painting import IMAGE_SIZE, SIZES, VIDEO_SECONDS, VIDEO_SIZE
from store.database import Database
from store.models import Account
from store.rows import find_row

_MOST_BYTES = 256 * 1024
"""Bytes that are kept of one answer; the shape of a longer one is not known."""


class Recording(httpx.AsyncBaseTransport):
    """A transport that calls `note` after each exchange."""

    def __init__(
        self, inner: httpx.AsyncBaseTransport, step: Callable[[], str], note: Callable[[RecordedExchange], None]
    ) -> None:
        self._inner = inner
        self._step = step
        self._note = note

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on. Raises what the transport raises, after noting it as unanswered."""
        about = (self._step(), request.method, request.url.host, request.url.path)
        sent = _json_sent(request)
        try:
            response = await self._inner.handle_async_request(request)
        except BaseException:
            self._note(RecordedExchange(*about, status=None, sent=sent))
            raise

        def over(body: bytes) -> None:
            parsed = answers.parse(httpx.Response(response.status_code, content=_unpacked(response, body)))
            self._note(RecordedExchange(*about, response.status_code, sent, parsed, dict(response.headers)))

        stream = _Copied(cast("httpx.AsyncByteStream", response.stream), over)
        return httpx.Response(response.status_code, headers=response.headers.raw, stream=stream, request=request)


class _Copied(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, over: Callable[[bytes], None]) -> None:
        self._inner = inner
        self._over = over
        self._copy = bytearray()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._inner:
            if len(self._copy) <= _MOST_BYTES:
                self._copy += piece
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()
        self._over(bytes(self._copy))


def _unpacked(response: httpx.Response, body: bytes) -> bytes:
    if response.headers.get("content-encoding", "").lower() not in {"gzip", "x-gzip"}:
        return body
    try:
        return zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(body, _MOST_BYTES)
    except zlib.error:
        return b""


def _json_sent(request: httpx.Request) -> Any:
    if "json" not in request.headers.get("content-type", ""):
        return None
    try:
        return answers.parse(httpx.Response(200, content=request.content))
    except httpx.RequestNotRead:
        return None


class Check:
    """The live check of one account's platform. `settings` are those that the operator chose."""

    def __init__(
        self,
        platform: AnyPlatform,
        connection: Connection[Any],
        files: CheckFiles,
        *,
        settings: Mapping[str, Any],
        only: Iterable[str] = (),
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._platform = platform
        self._connection = connection
        self._files = files
        self._settings = settings
        self._say = say
        self.plan: LiveCheck = load_live_check(platform)
        self.samples = [sample for sample in self.plan.samples if not only or sample.name in only]
        self.trials: list[Trial] = []

    async def run(self) -> LiveReport:
        """Run all samples. After an interruption, `trials` has the posts that are still to be deleted."""
        began, current = datetime.now(UTC), list[Trial]()
        runner = Runner(self._platform, self._connection, self.plan, self._files, self._say)
        wire = self._connection.wire
        wire.transport = Recording(
            wire.transport,
            lambda: runner.step,
            lambda exchange: current[-1].exchanges.append(exchange) if current else None,
        )
        for sample in self.samples:
            trial = Trial(sample)
            current.append(trial)
            self.trials.append(trial)
            self._say(sample.name)
            mark = secrets.token_hex(4)
            try:
                draft = await self._draft(sample, mark)
            except _Impossible as reason:
                trial.skipped = error_words(reason)
                self._say(f"  skipped: {reason}")
                continue
            await runner.run(trial, draft, f"live_check_{mark}")
        return LiveReport(self._platform, self.plan, self._connection.account, began, self.trials)

    async def _draft(self, sample: SamplePost, mark: str) -> Draft[Any]:
        """Return a sample as it is published. Raises _Impossible."""
        platform, account = self._platform, self._connection.account
        if missing := [name for name in sample.needs if name not in self._settings]:
            raise _Impossible(f"needs --set {missing[0]}=…")
        values = {**{name: await self._value(value) for name, value in sample.settings.items()}, **self._settings}
        try:
            settings = platform.settings.model_validate(self._of_this_sample(sample, values))
        except ValidationError as error:
            fault = error.errors(include_input=False, include_url=False)[0]
            raise _Impossible(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}") from error
        alt_text = "A planet on its way around a name." if platform.rules.alt_text else None
        try:
            media = [await self._files.media(name, platform.pulls.kinds, alt_text) for name in sample.files]
        except LookupError:
            raise _Impossible("set SOCIALSYNCER_PUBLIC_URL: the platform must fetch the file") from None
        text = f"A test of SocialSyncer, deleted in a moment ({sample.name}, {mark}){sample.more_text}"
        draft = Draft(text, tuple(media), settings)
        if broken := platform.violations(draft, account):
            raise _Impossible(broken[0].error)
        return draft

    def _of_this_sample(self, sample: SamplePost, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings without those that the operator gave for other samples."""
        theirs = {name for other in self.plan.samples for name in other.needs} - set(sample.needs)
        return {name: value for name, value in values.items() if name not in theirs}

    async def _value(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value.startswith(FILE):
            return (await self._files.media(value.removeprefix(FILE), frozenset())).url
        return value.replace("{username}", self._connection.account.username)


class _Impossible(Exception):
    """An error: a sample cannot be tried. Its text is the reason."""


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
        account = await find_row(session, Account, workspace_id, account_id)
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

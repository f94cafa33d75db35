"""The check of one account: the choice of samples, their runs one after another, and the report."""

import secrets
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from cli.live_check.files import CheckFiles
from cli.live_check.recording import Recording
from cli.live_check.report import LiveReport
from cli.live_check.trial import Runner, Trial
from platforms.base import AnyPlatform, Connection, Draft
from platforms.live import FILE, LiveCheck, SamplePost, load_live_check


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
                trial.skipped = str(reason)
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

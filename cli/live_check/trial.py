"""The trial of one sample through the worker's adapter: prepare, publish, confirm, repeat, edit and delete."""

import asyncio
import copy
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from typing import Any, TypeVar

from cli.live_check.files import CheckFiles
from platforms.base import Absent, AnyPlatform, Connection, Draft, Finding, Handles, PublishContext, Published, Unknown
from platforms.capabilities import ChoosesKey, Editable
from platforms.errors import PASSING, ErrorKind, PlatformError
from platforms.live import LiveCheck, SampleResult

T = TypeVar("T")

RETRY_FOR = timedelta(minutes=10)
"""How long one step is tried again while the platform says that it is not ready."""
CONFIRM_FOR, GONE_WITHIN = timedelta(minutes=2), timedelta(seconds=10)
"""How long confirming is tried at least, and how long a deleted post may still be found."""
CHECK_PAUSES = (1, 2, 3, 5, 8, 13, 20, 30, 40)
"""Seconds before each try to confirm a post; then a minute each."""
_NO_SUCH_CALL = frozenset({404, 405, 501})
"""Statuses by which a server may say that it has no such call. Its body does not matter, and waiting does not help."""
_LONGEST_WAIT_S = 30.0


@dataclass(slots=True)
class Step:
    """The result of one step. `code` is the platform's own for the last refusal."""

    name: str
    outcome: str
    seconds: float
    tries: int = 1
    code: str | None = None
    status: int | None = None
    sentence: str | None = None
    """For the person at the terminal: it may hold the platform's own words, so it is in no report."""


@dataclass(slots=True)
class Trial(SampleResult):
    """The results of one sample's check."""

    steps: list[Step] = field(default_factory=list)
    skipped: str | None = None
    """Why it was not tried."""
    found_after: float | None = None
    """Seconds from the answer to the publication until confirming found the post."""
    called_absent: bool = False
    """Whether confirming said that the post is absent, at a time when the worker would have sent it again."""
    repeat: Published | None = None
    """The answer to a repeat of the same request."""
    edited: Published | None = None
    removed: bool = False
    absent_once_removed: bool | None = None

    @property
    def still_public(self) -> list[Published]:
        """Return the posts that are still public, as far as the check knows."""
        posts = [self.published, self.repeat if self.has_doubled else None]
        return [] if self.removed else [post for post in posts if post]

    @property
    def has_doubled(self) -> bool:
        """Return whether the repeat has made a second post."""
        ours = self.published and self.published.platform_post_id
        return bool(self.repeat and self.repeat.platform_post_id != ours)


class Runner:
    """The runner of the samples of one account; `say` is called with texts for the terminal."""

    def __init__(
        self,
        platform: AnyPlatform,
        connection: Connection[Any],
        check: LiveCheck,
        files: CheckFiles,
        say: Callable[[str], None],
    ) -> None:
        self._platform = platform
        self._connection = connection
        self._check = check
        self._files = files
        self._say = say
        self._created: set[str] = set()
        self._reads = check.can_read(connection)
        self._snapshot: Handles | None = None
        self._left_at = datetime.now(UTC)
        self.step = ""
        """The step that is under way."""

    async def run(self, trial: Trial, draft: Draft[Any], mark: str) -> None:
        """Run all steps of a sample. The trial has the results, also those of an interrupted run."""
        context = self._context(draft, mark, {})
        if not await self._publish(trial, context):
            return
        lost, began = self._lost(context)
        if self._reads:
            await self._confirm_lost(trial, lost, began)
        if trial.published is None:
            return
        if trial.sample.repeats and self._check.knows_repeats(self._connection):
            await self._repeat(trial, lost)
        await self._edit(trial, context)
        await self._remove(trial, context, lost)
        self._created.add(trial.published.platform_post_id)

    # -- steps -------------------------------------------------------------------------------------------------------

    async def _publish(self, trial: Trial, context: PublishContext[Any]) -> bool:
        """Return whether the post may be public."""
        platform, line = self._platform, self._connection
        if platform.prepares(context.draft) and not await self._try(
            trial, "prepare", lambda: _done(platform.prepare(line, context))
        ):
            return False
        if isinstance(platform, ChoosesKey):
            await platform.assign_key(context)
        self._snapshot = None
        line.wire.fence = lambda: self._note_handles(context)
        done = await self._try(trial, "publish", lambda: platform.publish(line, context))
        line.wire.fence = None
        if done is None:
            return trial.error is not None and trial.error.kind is ErrorKind.UNCONFIRMED
        trial.published = done
        self._say(f"  public: {done.url or done.platform_post_id}")
        completed = await self._try(trial, "complete", lambda: platform.complete(line, context, done))
        trial.published = completed or done
        return True

    async def _note_handles(self, context: PublishContext[Any]) -> None:
        """Keep the handles that a worker would have if the answer to the request that leaves now were lost."""
        if self._snapshot is None:
            self._snapshot, self._left_at = copy.deepcopy(context.handles), datetime.now(UTC)

    def _lost(self, context: PublishContext[Any]) -> tuple[PublishContext[Any], float]:
        handles = copy.deepcopy(context.handles) if self._snapshot is None else self._snapshot
        lost = self._context(context.draft, context.target_id, handles)
        lost.started_at = datetime.now(UTC) if self._snapshot is None else self._left_at
        return lost, time.monotonic()

    async def _confirm_lost(self, trial: Trial, lost: PublishContext[Any], began: float) -> None:
        """Confirm the post as the worker does if an answer is lost."""
        platform = self._platform
        for wait in self._waits(max(2 * platform.read_lag, CONFIRM_FOR)):
            finding = await self._find(trial, "confirm", lost)
            passed = time.monotonic() - began
            if finding is not None:
                trial.finding = finding
            if isinstance(finding, Published):
                trial.found_after = passed
                trial.published = trial.published or finding
                return
            if isinstance(finding, Unknown) and finding.final:
                return
            if isinstance(finding, Absent) and passed > platform.read_lag.total_seconds():
                trial.called_absent = True
            await asyncio.sleep(wait)

    async def _repeat(self, trial: Trial, lost: PublishContext[Any]) -> None:
        again = self._context(lost.draft, lost.target_id, copy.deepcopy(lost.handles))
        again.started_at = lost.started_at
        trial.repeat = await self._try(
            trial, "repeat", lambda: self._platform.publish(self._connection, again), refusable=True
        )

    async def _edit(self, trial: Trial, context: PublishContext[Any]) -> None:
        platform, known = self._platform, trial.published
        if not isinstance(platform, Editable) or known is None:
            return
        editable: Editable[Any, Any] = platform
        text = f"{context.draft.text} (edited)"
        trial.edited = await self._try(
            trial, "edit", lambda: editable.edit(self._connection, known, text, context.handles), refusable=True
        )

    async def _remove(self, trial: Trial, context: PublishContext[Any], lost: PublishContext[Any]) -> None:
        newest = trial.edited or trial.published
        if self._check.remove is None or newest is None:
            return
        doomed = [newest, *([trial.repeat] if trial.repeat and trial.has_doubled else [])]
        gone = [await self._try(trial, "remove", self._removing(context, post), refusable=True) for post in doomed]
        trial.removed = all(gone)
        if not trial.removed or trial.found_after is None:
            return
        again = self._context(lost.draft, lost.target_id, copy.deepcopy(lost.handles))
        again.started_at = lost.started_at
        for wait in self._waits(GONE_WITHIN):
            finding = await self._find(trial, "confirm once removed", again)
            if isinstance(finding, Absent | Published):
                trial.absent_once_removed = isinstance(finding, Absent)
            if not isinstance(finding, Published):
                return
            await asyncio.sleep(wait)

    # -- what they share ---------------------------------------------------------------------------------------------

    def _context(self, draft: Draft[Any], mark: str, handles: Handles) -> PublishContext[Any]:
        async def save(_: Handles) -> None:
            """Keep nothing: an interrupted check is not continued."""

        return PublishContext(draft, handles, save, self._files, target_id=mark, taken=frozenset(self._created))

    def _removing(self, context: PublishContext[Any], post: Published) -> Callable[[], Awaitable[bool]]:
        async def run() -> bool:
            if self._check.remove is None:
                return False
            await self._check.remove(self._connection, context, post)
            return True

        return run

    async def _find(self, trial: Trial, name: str, lost: PublishContext[Any]) -> Finding | None:
        return await self._try(
            trial, name, lambda: self._platform.confirm(self._connection, lost), refusable=True, patient=False
        )

    async def _try(
        self,
        trial: Trial,
        name: str,
        call: Callable[[], Awaitable[T]],
        *,
        refusable: bool = False,
        patient: bool = True,
    ) -> T | None:
        """Return a step's result; None if it fails, which is noted. `refusable`: its failure does not fail the post."""
        self.step, began, tries = name, time.monotonic(), 0
        pauses = iter(CHECK_PAUSES)
        while True:
            tries += 1
            try:
                result = await call()
            except PlatformError as error:
                wait = error.retry_after.total_seconds() if error.retry_after else next(pauses, _LONGEST_WAIT_S)
                passed = time.monotonic() - began
                may_pass = error.kind in PASSING and error.status not in _NO_SUCH_CALL
                if patient and may_pass and passed + wait < RETRY_FOR.total_seconds():
                    await asyncio.sleep(wait)
                    continue
                self._add_step(trial, Step(name, error.kind, passed, tries, error.code, error.status, error.message))
                if not refusable:
                    trial.error = error
                return None
            self._add_step(trial, Step(name, _outcome(result), time.monotonic() - began, tries))
            return result

    def _add_step(self, trial: Trial, step: Step) -> None:
        last = trial.steps[-1] if trial.steps else None
        if last and last.name == step.name and last.outcome == step.outcome:
            # Confirmations in a row with the same result are one step.
            last.tries, last.seconds = last.tries + step.tries, last.seconds + step.seconds
            return
        trial.steps.append(step)

    @staticmethod
    def _waits(longest: timedelta) -> Iterator[float]:
        passed = 0.0
        for wait in chain(CHECK_PAUSES, repeat(60.0)):
            if passed >= longest.total_seconds():
                return
            yield wait
            passed += wait


async def _done(call: Awaitable[object]) -> bool:
    await call
    return True


def _outcome(result: object) -> str:
    match result:
        case Published():
            return "published"
        case Absent():
            return "absent"
        case Unknown(final=final):
            return "cannot be known" if final else "not known yet"
        case _:
            return "done"

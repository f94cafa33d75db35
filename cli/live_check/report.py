"""The report of a live check, for the person at the terminal and as JSON for the maintainers of the adapters."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.metadata import version
from typing import Any

from cli.live_check.shapes import headers_shape, path_shape, value_shape
from cli.live_check.trial import Trial
from cli.live_check.verdicts import Verdict, verdicts_on
from domain.schedule import rfc3339
from platforms.base import AccountFacts, AnyPlatform
from platforms.errors import ErrorKind
from platforms.live import LiveCheck, RecordedExchange

FORMAT = 1
_WORDS = {True: "as assumed", False: "NOT as assumed", None: "not shown"}


class LiveReport:
    """The outcome of one check."""

    def __init__(
        self,
        platform: AnyPlatform,
        check: LiveCheck,
        account: AccountFacts,
        began: datetime,
        trials: Sequence[Trial],
    ) -> None:
        self._platform = platform
        self._check = check
        self._began = began
        self._trials = trials
        self._private = frozenset(
            word.lower() for word in (account.username, account.user_id, account.account_id) if word
        )
        self.verdicts = [verdict for trial in trials for verdict in verdicts_on(platform, check, trial)]

    @property
    def otherwise(self) -> list[Verdict]:
        """Return the verdicts that an assumption is wrong."""
        return [verdict for verdict in self.verdicts if verdict.holds is False]

    def lines(self) -> Iterator[str]:
        """Yield the lines of the report for the person who ran the check."""
        for trial in self._trials:
            yield trial.sample.name
            if trial.skipped:
                yield f"  skipped: {trial.skipped}"
            for step in trial.steps:
                if step.sentence:
                    yield f"  {step.name}: {step.sentence} ({step.code})"
            for verdict in self.verdicts:
                if verdict.sample == trial.sample.name:
                    yield f"  {_WORDS[verdict.holds]}: {verdict.statement}"
            if trial.error and trial.error.kind is ErrorKind.UNCONFIRMED and trial.published is None:
                yield "  CHECK BY HAND: it may be public. The answer was lost, and it was not found."
            for post in trial.still_public:
                yield f"  DELETE BY HAND: {post.url or post.platform_post_id}"
        for question in self._check.by_hand:
            yield f"Only a person can tell: {question}"

    def as_json(self) -> dict[str, Any]:
        """Return the report. It holds no secret, no text of the platform's and no id but those of the check's posts."""
        return {
            "format": FORMAT,
            "product": version("socialsyncer"),
            "platform": self._platform.name,
            "api": self._platform.api.name,
            "startedAt": rfc3339(self._began),
            "samples": [self._sample(trial) for trial in self._trials],
            "questions": list(self._check.by_hand),
        }

    def _sample(self, trial: Trial) -> dict[str, Any]:
        post = trial.published
        steps = [
            {
                "step": step.name,
                "outcome": step.outcome,
                "tries": step.tries,
                "seconds": round(step.seconds, 1),
                **({"code": step.code} if step.code else {}),
                **({"status": step.status} if step.status else {}),
            }
            for step in trial.steps
        ]
        assumptions = [
            {"name": verdict.assumption, "statement": verdict.statement, "verdict": _WORDS[verdict.holds].lower()}
            for verdict in self.verdicts
            if verdict.sample == trial.sample.name
        ]
        return {
            "sample": trial.sample.name,
            **({"skipped": trial.skipped} if trial.skipped else {}),
            **({"post": {"id": post.platform_post_id, "url": post.url}} if post else {}),
            "foundAfterSeconds": None if trial.found_after is None else round(trial.found_after, 1),
            "steps": steps,
            "assumptions": assumptions,
            "exchanges": [self._exchange(exchange) for exchange in trial.exchanges],
        }

    def _exchange(self, exchange: RecordedExchange) -> dict[str, Any]:
        return {
            "step": exchange.step,
            "request": f"{exchange.method} {self._host(exchange.host)}{path_shape(exchange.path, self._private)}",
            "sent": value_shape(exchange.sent),
            "status": exchange.status,
            "headers": headers_shape(exchange.headers),
            "answer": value_shape(exchange.body),
        }

    def _host(self, host: str) -> str:
        own = any(host == domain or host.endswith(f".{domain}") for domain in self._platform.own_domains)
        return host if own else "…"

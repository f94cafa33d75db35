"""The report of a live check, for the person at the terminal and as JSON for the maintainers of the adapters."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any
from urllib.parse import unquote

from cli.live_check.trial import Trial
from domain.schedule import rfc3339
from platforms.base import AccountFacts, AnyPlatform, Unknown
from platforms.errors import ErrorKind
from platforms.live import LiveCheck, RecordedExchange


@dataclass(frozen=True, slots=True)
class Verdict:
    """An assumption and whether it holds; `holds` is None if the check has not shown it."""

    sample: str
    assumption: str
    statement: str
    holds: bool | None


def verdicts_on(platform: AnyPlatform, check: LiveCheck, trial: Trial) -> Iterator[Verdict]:
    """Yield a verdict on each assumption."""
    if trial.skipped:
        for own in trial.sample.assumptions:
            yield Verdict(trial.sample.name, own.name, own.statement, None)
        return
    for name, statement, holds in _shared(platform, check, trial):
        yield Verdict(trial.sample.name, name, statement, holds)
    for own in trial.sample.assumptions:
        yield Verdict(trial.sample.name, own.name, own.statement, own.holds(trial))


def _shared(platform: AnyPlatform, check: LiveCheck, trial: Trial) -> Iterator[tuple[str, str, bool | None]]:
    published = trial.published
    expected_refusal = trial.sample.assumptions and trial.sample.needs and not published
    if not expected_refusal:
        yield "published", f"{platform.label} takes it as it is sent.", published is not None
    if published is None:
        return
    matches = platform.rules.post_id.matches(published.platform_post_id)
    yield "post_id", f"The post's id is {platform.rules.post_id.words.removeprefix('must be ')}.", matches
    seconds = platform.read_lag.total_seconds()
    can_be_read = trial.finding is not None and not (isinstance(trial.finding, Unknown) and trial.finding.final)
    if can_be_read:
        is_found = True if trial.found_after is not None else None if isinstance(trial.finding, Unknown) else False
        yield "found", "Confirming finds it again if the answer is lost.", is_found
        yield "absence", f"Confirming {seconds:.0f} s later never calls it absent.", not trial.called_absent
    if trial.repeat or (trial.sample.repeats and any(step.name == "repeat" for step in trial.steps)):
        yield (
            "repeat",
            "A repeat of the same request makes no second post.",
            not trial.has_doubled if trial.repeat else None,
        )
    if any(step.name == "edit" for step in trial.steps):
        codes = {step.code for step in trial.steps if step.name == "edit"}
        yield "edit", "It can be edited.", True if trial.edited else None if "edit_not_supported" in codes else False
    if check.remove is not None:
        yield "removed", "The platform's call for it deletes it.", trial.removed
        if trial.removed and can_be_read:
            # No adapter needs this, so it is shown or it is not.
            yield "gone", "Confirming calls it absent once it is deleted.", trial.absent_once_removed or None


MOST_KEYS = 60
"""Of one JSON object; objects with more are maps from ids, mostly."""
_DEEPEST = 8
_WORD = re.compile(r"[A-Za-z][A-Za-z_.$-]{0,39}")
_VERSION = re.compile(r"v\d{1,3}(\.\d{1,3})?|\d")
_FIELD = re.compile(r"[A-Za-z$@][A-Za-z0-9_.$@:-]{0,59}")
_CODE = re.compile(r"[A-Za-z][A-Za-z_.-]{0,59}|-?\d{1,9}")
_CODES = frozenset({"code", "subcode", "error_subcode", "error", "reason", "status", "state", "type", "is_transient"})
"""Fields whose values are shown if they are words or numbers of the protocol: they say what an answer means."""
_NUMBERS = re.compile(r"[0-9.,;:= /a-zA-Z_-]{1,80}")
_REPORTED_HEADERS = re.compile(
    r"content-type|retry-after|(x-)?rate-?limit.*|x-user-limit-.*|x-app-limit-.*|x-ratelimit.*|deprecation|sunset"
)


def value_shape(value: Any, depth: int = 0) -> Any:
    """Return a JSON value with its keys, and the types of its values in their place."""
    if isinstance(value, dict):
        if depth >= _DEEPEST or len(value) > MOST_KEYS:
            return f"object of {len(value)}"
        return {_key(key): _shaped(key, item, depth) for key, item in value.items()}
    if isinstance(value, list):
        if not value:
            return []
        shapes = [value_shape(item, depth + 1) for item in value[:MOST_KEYS]]
        different = [item for at, item in enumerate(shapes) if item not in shapes[:at]]
        return [*different[:5], f"{len(value)} in all"]
    return _type(value)


def _shaped(key: object, value: Any, depth: int) -> Any:
    scalar = isinstance(value, str | int) and not isinstance(value, dict)
    if scalar and str(key).lower() in _CODES and _CODE.fullmatch(str(value)):
        return f"{_type(value)} {value}"
    return value_shape(value, depth + 1)


def _key(key: object) -> str:
    name = str(key)
    return name if _FIELD.fullmatch(name) and sum(map(str.isdigit, name)) < 6 else "…"


def _type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    text = str(value)
    if not text:
        return "string, empty"
    if text.isdecimal():
        return "string of digits"
    if re.match(r"https?://", text):
        return "string, address"
    return "string, time" if re.match(r"\d{4}-\d\d-\d\dT\d\d:", text) else "string"


def path_shape(path: str, private: frozenset[str]) -> str:
    """Return a path with its words; ids, names and tokens in it become "…". `private` are words to hide as well."""
    parts = [unquote(part) for part in path.partition("?")[0].split("/")]
    return "/".join(part if not part or _may_be_reported(part, private) else "…" for part in parts)


def _may_be_reported(part: str, private: frozenset[str]) -> bool:
    return part.lower() not in private and bool(_WORD.fullmatch(part) or _VERSION.fullmatch(part))


def headers_shape(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers about limits, versions and kinds of content, if their values have nothing else in them."""
    reported = {name.lower(): value for name, value in headers.items() if _REPORTED_HEADERS.fullmatch(name.lower())}
    return {name: value if _NUMBERS.fullmatch(value) else "…" for name, value in sorted(reported.items())}


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

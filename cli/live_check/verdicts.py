"""Verdicts on the assumptions that every adapter shares, and on those of one platform."""

from collections.abc import Iterator
from dataclasses import dataclass

from cli.live_check.trial import Trial
from platforms.base import AnyPlatform, Unknown
from platforms.live import LiveCheck


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

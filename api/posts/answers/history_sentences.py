"""The lines of a post's history as sentences."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from api.posts.answers.actors import actor_words
from domain.audit import Action, ActorType
from domain.pauses import MissedPolicy
from domain.post import TargetStatus
from domain.preflight import PreflightReason, warning_sentence
from platforms.codes import known_codes
from platforms.registry import platforms
from store.models import AuditEvent
from store.posts.history import HistoryEntry


def history_sentence(entry: HistoryEntry, *, identities: bool) -> str:
    """Return an entry as a sentence or two. `identities`: with the names of operators, which customers do not see."""
    event = entry.event
    who = actor_words(event.actor_type, event.actor_id, entry.actor_name, identities=identities)
    return _SENTENCES[Action(event.action)](event, who, identities)


def _place(event: AuditEvent) -> str:
    """Return the target as people name it."""
    if event.platform is None:
        return "all its targets"
    platform = platforms().get(event.platform)
    return f"{platform.label if platform else event.platform} account {event.account_id}"


def _places(event: AuditEvent) -> str:
    if targets := event.details.get("targets"):
        return f"{len(targets)} targets"
    return _place(event)


def _why(event: AuditEvent) -> str:
    """Return the code and the HTTP status in brackets, as far as they are known."""
    codes = known_codes(event.details.get("code"))
    status = event.details.get("httpStatus")
    named = [f"HTTP {status}" if status else None, codes.code, codes.platform_code]
    reasons = ", ".join(name for name in named if name)
    return f" ({reasons})" if reasons else ""


def _decided(event: AuditEvent) -> str:
    decision = event.details.get("decision")
    return f": {decision}" if decision else ""


def _changes(event: AuditEvent) -> str:
    changes = [_change(change) for change in event.details.get("changes", ())]
    if more := event.details.get("moreChanges"):
        changes.append(f"{more} more fields")
    if not changes:
        return "nothing"
    return changes[0] if len(changes) == 1 else f"{', '.join(changes[:-1])} and {changes[-1]}"


def _change(change: dict[str, Any]) -> str:
    name = change["field"]
    if "platform" in change:
        name += f" of {change['platform']}/{change['accountId']}"
    before, after = change.get("from"), change.get("to")
    if before and after:
        return f"{name} from {before} to {after}"
    if after:
        return f"{name} (added {after})" if name == "platforms" else f"{name} to {after}"
    return f"{name} (removed {before})" if before else name


def _changed(event: AuditEvent, who: str, _: bool) -> str:
    if event.details.get("pause"):
        missed = event.details.get("missed")
        if missed == MissedPolicy.SHIFT and event.details.get("changes"):
            return f"{who} ended a pause. The post moved: {_changes(event)}."
        return f"{who} ended a pause. The post {'was skipped' if missed == MissedPolicy.SKIP else 'continues'}."
    if first := event.details.get("after"):
        is_scheduled = any(change["field"] == "scheduledFor" for change in event.details.get("changes", ()))
        outcome = (
            "was published, so this one is scheduled" if is_scheduled else "will not be published, so it waits no more"
        )
        return f"The post {first} {outcome}: {_changes(event)}."
    if event.actor_type == ActorType.WORKER:
        return f"A new release of the time zone data changed {_changes(event)}."
    return f"{who} changed {_changes(event)}."


def _resolved(event: AuditEvent, who: str, _: bool) -> str:
    (change,) = event.details["changes"]
    known_as = event.details.get("platformPostId")
    public = "it is public" if change.get("to") == TargetStatus.PUBLISHED else "it is not public"
    return f"{who} said of {_place(event)} that {public}{f' as {known_as}' if known_as else ''}."


def _ended(event: AuditEvent, identities: bool) -> str:
    run = event.details.get("run")
    if run is None:
        return "Temporal did not know its workflow"
    if run == "stuck":
        return "its workflow did not fit the code of the workers"
    by = event.details.get("endedBy")
    reason = event.details.get("reason")
    named = f" by {by}" if identities and by else ""
    return f"its workflow was {run.replace('_', ' ')}{named}{f' ({reason})' if identities and reason else ''}"


def _late(event: AuditEvent, _who: str, _: bool) -> str:
    due, over = event.details.get("dueAt"), event.details.get("endedAt")
    where = f" on {_place(event)}" if event.platform else ""
    if due and over:
        waited = (datetime.fromisoformat(over) - datetime.fromisoformat(due)).total_seconds()
        return f"It was due at {due}{where}, and waited {waited:.0f} s until a worker had begun."
    return f"It was due at {due}{where}, and no worker has begun it."


def _terminated(event: AuditEvent, who: str, identities: bool) -> str:
    reason = event.details.get("reason")
    why = f" ({reason})" if identities and reason else ""
    return f"{who} terminated the workflow{why}. A worker starts it again, because the row still has the post."


def _cancelled(event: AuditEvent, who: str, identities: bool) -> str:
    reason = event.details.get("reason")
    why = f" ({reason})" if identities and reason else ""
    stopped = event.platform or event.details.get("targets")
    return f"{who} cancelled the workflow{why}{f'. Not sent any more: {_places(event)}' if stopped else ''}."


def _published(event: AuditEvent, _who: str, _: bool) -> str:
    known_as, url = event.details.get("platformPostId"), event.details.get("platformPostUrl")
    address = f": {url}" if url else "."
    return f"Published on {_place(event)}{f' as {known_as}' if known_as else ''}{address}"


def _refused(event: AuditEvent, _who: str, _: bool) -> str:
    if known_codes(event.details.get("code")).code == "internal":
        return f"This service could not send it to {_place(event)} yet{_why(event)}{_decided(event)}."
    return f"{_place(event)} refused it for now{_why(event)}{_decided(event)}."


def _signalled(event: AuditEvent, who: str, _: bool) -> str:
    return f"{who} sent the workflow the signal {event.details.get('signal')}."


def _warned(event: AuditEvent, _who: str, _: bool) -> str:
    platform = platforms().get(event.platform or "")
    label = platform.label if platform else event.platform or "The platform"
    return f"Checked ahead of its time. {warning_sentence(PreflightReason(event.details['reason']), label)}"


_Sentence = Callable[[AuditEvent, str, bool], str]
_SENTENCES: dict[Action, _Sentence] = {
    Action.CREATED: lambda event, who, _: f"{who} created the post." if event.actor_id else "The post was created.",
    Action.CHANGED: _changed,
    Action.CORRECTED: lambda event, who, _: f"{who} corrected what had failed: {_changes(event)}.",
    Action.EDITED: lambda event, who, _: f"{who} asked for an edit of what is public on {_places(event)}.",
    Action.DELETED: lambda _event, who, _: f"{who} deleted the post.",
    Action.RETRIED: lambda event, who, _: f"{who} retried {_places(event)}.",
    Action.RESOLVED: _resolved,
    Action.CANCELLED: _cancelled,
    Action.TERMINATED: _terminated,
    Action.SIGNALLED: _signalled,
    Action.RESET: lambda _event, who, _: (
        f"{who} reset the workflow to an earlier point. Targets that were sent are not sent again."
    ),
    Action.RELEASED: lambda _event, _who, _: "The reason for holding it is gone, so it continues.",
    Action.RESTARTED: lambda event, _who, named: f"Started again from its row: {_ended(event, named)}.",
    Action.RESTORED: lambda _event, _who, _: (
        "Rows were lost: it is confirmed on its platforms before anything is sent."
    ),
    Action.WARNED: _warned,
    Action.WARNING_CLEARED: lambda event, _who, _: (
        f"Checked ahead of its time. The cause of the last warning about {_place(event)} is gone."
    ),
    Action.LATE: _late,
    Action.PREPARED: lambda event, _who, _: f"Prepared for {_place(event)}{_decided(event)}.",
    Action.SENDING: lambda event, _who, _: f"Sent to {_place(event)}; the answer is awaited.",
    Action.PUBLISHED: _published,
    Action.REFUSED: _refused,
    Action.FAILED: lambda event, _who, _: f"It failed on {_place(event)}{_why(event)}.",
    Action.HELD: lambda event, _who, _: f"Held for {_place(event)}{_why(event)}{_decided(event)}.",
    Action.UNCONFIRMED: lambda event, _who, _: (
        f"Sent to {_place(event)}, whose answer was lost{_why(event)}{_decided(event)}."
    ),
    Action.CONFIRMED: lambda event, _who, _: f"Looked for it on {_place(event)}{_why(event)}{_decided(event)}.",
    Action.EDIT_PUBLISHED: lambda event, _who, _: f"The edit is public on {_place(event)}.",
    Action.EDIT_REFUSED: lambda event, _who, _: f"{_place(event)} refused the edit{_why(event)}{_decided(event)}.",
    Action.EDIT_UNCONFIRMED: lambda event, _who, _: (
        f"The answer to the edit on {_place(event)} was lost{_why(event)}{_decided(event)}."
    ),
}

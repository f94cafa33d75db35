"""Read a PATCH body over the post it changes: the merged post must be as sound as a new one."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from api.http.body import JsonObject
from api.http.body_validation import in_contract_order, name_targets
from api.http.moments import now_ms
from api.posts.answers.rendering import render_post
from api.posts.answers.views import PostView, TargetView
from api.posts.bodies.parse_post import (
    ParsedPost,
    decide_status,
    find_contradictions,
    missing_fields,
    read_body,
    read_time,
    time_problems,
    to_body,
    to_content,
)
from api.posts.bodies.schemas import PatchBody, PostBody, TargetBody
from domain.campaigns import CampaignRules
from domain.content import PostContent
from domain.errors import Conflict, InvalidRequest, Problem
from domain.post import PostStatus
from domain.schedule import ScheduledTime, Shift, UnknownZone, parse_shift, rfc3339, shifted
from domain.workspaces import MAX_ITEMS
from store.models import Post
from store.posts.contents import post_content

_POST, _TARGET = (
    frozenset(field.alias or name for name, field in body.model_fields.items()) for body in (PatchBody, TargetBody)
)
_NAMES_IT = "externalId"
"""Set when the post is created, and never again."""
_POST_SHOWN, _TARGET_SHOWN = (view.__required_keys__ | view.__optional_keys__ for view in (PostView, TargetView))
_EMPTY = {
    "content": 'send "" for no text',
    "mediaItems": "send [] for none",
    "platforms": "send [] for none",
    "timezone": 'send "UTC" for the default',
    "tags": "send [] for none",
    "tiktokSettings": "send {} for none",
    "facebookSettings": "send {} for none",
    "platformSpecificData": "send {} for none",
}
"""The value that empties a field, for fields whose `null` could also mean that the client leaves them as they are."""
NULLABLE = frozenset({"after", "scheduledFor", "customContent", "customMedia", "campaignId"})
"""Fields that clients set to null. For other fields null is the default in a create, and a problem in a change."""
_ABSENT = object()


def writable_fields(post: Post, payload: JsonObject) -> tuple[JsonObject, list[Problem]]:
    """Return the fields of a PATCH body that may change the post, and a problem for each that may not be so.

    A read-only field is ignored if it has the value of the post's answer, and a problem if it has another value. If the
    answer leaves it out, its value is `null`: some generated clients send it back so. A field whose `null` has no
    meaning is a problem. Fields that are not known are left in.
    """
    shown: PostView | None = None

    def answer() -> PostView:
        nonlocal shown
        if shown is None:
            shown = render_post(post)
        return shown

    fields, problems = _fields(payload, _POST - {_NAMES_IT}, _POST_SHOWN, answer, "")
    if isinstance(targets := fields.get("platforms"), list):
        fields["platforms"] = list(targets)
        for position, target in enumerate(targets[:MAX_ITEMS]):
            if isinstance(target, dict):
                known = _shown_target(answer, target)
                own, target_problems = _fields(target, _TARGET, _TARGET_SHOWN, known, f"platforms.{position}.")
                fields["platforms"][position] = own
                problems += target_problems
    return fields, problems


def surely_writable_fields(payload: JsonObject) -> JsonObject:
    """Return the fields of a change whose meaning does not depend on the post: neither read-only ones nor nulls."""
    own = _writable(payload, _POST - {_NAMES_IT}, _POST_SHOWN)
    if isinstance(targets := own.get("platforms"), list):
        own["platforms"] = [
            _writable(target, _TARGET, _TARGET_SHOWN) if isinstance(target, dict) else target for target in targets
        ]
    return own


def _writable(fields: JsonObject, may_set: frozenset[str], are_shown: frozenset[str]) -> JsonObject:
    return {
        name: value
        for name, value in fields.items()
        if (name in may_set and (value is not None or name in NULLABLE)) or name not in may_set | are_shown
    }


def _shown_target(answer: Callable[[], Mapping[str, Any]], target: JsonObject) -> Callable[[], Mapping[str, Any]]:
    def known() -> Mapping[str, Any]:
        account = target.get("platform"), target.get("accountId")
        same = (
            platform for platform in answer()["platforms"] if (platform["platform"], platform["accountId"]) == account
        )
        return next(same, {})

    return known


def _fields(
    payload: JsonObject,
    may_set: Collection[str],
    are_shown: Collection[str],
    known: Callable[[], Mapping[str, Any]],
    path: str,
) -> tuple[JsonObject, list[Problem]]:
    fields: JsonObject = {}
    problems: list[Problem] = []
    for name, value in payload.items():
        if name in may_set:
            if value is not None or name in NULLABLE:
                fields[name] = value
            elif known().get(name, _ABSENT) is not None:
                problems.append(_null(path, name))
        elif name not in are_shown:
            fields[name] = value
        elif not _same(known().get(name, _ABSENT), value):
            problems.append(_read_only(path, name))
    return fields, problems


def _same(shown: Any, value: Any) -> bool:
    return (shown is _ABSENT and value is None) or (type(shown) is type(value) and bool(shown == value))


def _null(path: str, name: str) -> Problem:
    how = f", or {_EMPTY[name]}" if name in _EMPTY else ""
    return Problem(
        f"{path}{name} cannot be null: leave it out to keep it as it is{how}", "invalid_field_value", path + name
    )


def _read_only(path: str, name: str) -> Problem:
    how = "; a target's own text is its customContent" if path and name == "content" else ": leave it out"
    sentence = f"{path}{name} cannot be changed, and it differs from what the post has now{how}"
    return Problem(sentence, "invalid_field_value", path + name)


def read_patch(post: Post, payload: JsonObject, now: datetime, campaign: CampaignRules | None = None) -> ParsedPost:
    """Return the changed post. Raises InvalidRequest with everything that is wrong.

    `campaign` is that of the changed post. Its rules for times are not checked (`api.posts.times`).
    """
    patch, merged, problems, at_fault = _read(post, payload)
    timed = bool(patch.publish_now) or patch.scheduled_for is not None or patch.queue is not None
    if timed:
        merged.after = None
    waits = merged.after is not None
    draft = waits or bool(patch.is_draft)
    draft = draft or (post.status == PostStatus.DRAFT and not timed and patch.is_draft is not False)
    if campaign is not None and campaign.keeps_drafts and not (patch.publish_now or patch.queue):
        draft = True
    schedule = None
    if "scheduledFor" not in at_fault:
        schedule, schedule_problems = _schedule(post, patch, now, draft=draft)
        if "timezone" not in at_fault or schedule is None or schedule.wall is None:
            problems += schedule_problems
    problems += missing_fields(merged, at_fault, draft=draft and not waits)
    if problems:
        raise InvalidRequest(in_contract_order(PatchBody, name_targets(problems, payload)))
    content = to_content(merged, schedule)
    if patch.queue is not None:
        return ParsedPost(content, PostStatus.SCHEDULED, None, patch.queue)
    if patch.publish_now:
        content.planned_for = post.scheduled_for or post.planned_for
    timeless = post.scheduled_for is None and patch.scheduled_for is None
    if not draft and not patch.publish_now and post.due_at is not None and (timeless or _keeps_its_time(post, patch)):
        # The client does not change the time: the workflow decides whether the post has become due meanwhile.
        content.planned_for = post.planned_for
        waits = post.status == PostStatus.SCHEDULED
        return ParsedPost(content, PostStatus.SCHEDULED if waits else PostStatus.PUBLISHING, post.due_at)
    return decide_status(content, now, draft=draft, publish_now=bool(patch.publish_now))


def read_correction(post: Post, payload: JsonObject) -> PostContent:
    """Return the corrected content of a post whose publishing has begun.

    Targets that it names come first, as in the body; the others stay as they are. Raises InvalidRequest, and Conflict
    for another time.
    """
    patch, merged, problems, at_fault = _read(post, payload, keeps_targets=True)
    problems += missing_fields(merged, at_fault, draft=False)
    if problems:
        raise InvalidRequest(in_contract_order(PatchBody, name_targets(problems, payload)))
    retimed = patch.publish_now or patch.queue or patch.after or not _keeps_its_time(post, patch)
    if retimed or patch.is_draft:
        raise Conflict(_BEGUN_TIME)
    schedule = ScheduledTime(post.scheduled_for, post.scheduled_wall, post.timezone) if post.scheduled_for else None
    content = to_content(merged, schedule)
    content.planned_for = post.planned_for
    return content


_BEGUN_TIME = Problem(
    "Publishing has begun, so the post's time cannot be changed any more: correct what failed, then retry it",
    "conflict",
)


def find_change_problems(payload: JsonObject) -> list[Problem]:
    """Return what is wrong with a change whatever the post is that it is for."""
    patch, problems, at_fault = read_body(surely_writable_fields(payload), PatchBody)
    if patch.scheduled_for is not None and "timezone" not in at_fault:
        schedule, of_time = read_time(patch.scheduled_for, patch.timezone or "UTC", now_ms())
        # A post whose publishing has begun may have a time in the past, which a change may repeat.
        problems += of_time if schedule is None else []
    return in_contract_order(PatchBody, [*problems, *find_contradictions(patch), *_beside_shift(patch)])


def check_change(payload: JsonObject) -> None:
    """Raise InvalidRequest if something is wrong with a change whatever the post is that it is for."""
    if problems := find_change_problems(payload):
        raise InvalidRequest(name_targets(problems, payload))


def _read(
    post: Post, payload: JsonObject, *, keeps_targets: bool = False
) -> tuple[PatchBody, PostBody, list[Problem], set[str]]:
    """Return a change, the whole body that it leads to, its problems, and the names of the fields that these are in.

    `keeps_targets`: the post keeps targets that the change does not name; otherwise they are removed.
    """
    payload, of_fields = writable_fields(post, payload)
    patch, problems, at_fault = read_body(payload, PatchBody)
    problems += of_fields
    at_fault |= {(problem.param or "").split(".")[0] for problem in of_fields}
    current = to_body(post_content(post))
    names = patch.model_fields_set - {"shift_by"}
    merged = current.model_copy(update={name: getattr(patch, name) for name in names})
    merged.platforms = _merged(current.platforms or [], merged.platforms, keeps_others=keeps_targets)
    return patch, merged, problems + find_contradictions(patch) + _beside_shift(patch), at_fault


def _beside_shift(patch: PatchBody) -> list[Problem]:
    """Return a problem if a change has `shiftBy` and another field for the post's time."""
    others = (("scheduledFor", patch.scheduled_for), ("publishNow", patch.publish_now or None), ("queue", patch.queue))
    more = (("after", patch.after), ("timezone", patch.timezone))
    names = [name for name, value in (*others, *more) if value is not None]
    if patch.shift_by is None or not names:
        return []
    return [Problem(f"shiftBy cannot be given beside {names[0]}", "invalid_field_value", "shiftBy")]


def _keeps_its_time(post: Post, patch: PatchBody) -> bool:
    """Return whether a change has no field for the post's time, or repeats the time in the post's answer.

    The answer has the instant. A client that sends it back must not turn a wall time into an instant.
    """
    if patch.timezone not in {None, post.timezone} or patch.shift_by is not None:
        return False
    shown = rfc3339(post.scheduled_for) if post.scheduled_for else None
    return "scheduled_for" not in patch.model_fields_set or patch.scheduled_for == shown


def _merged(
    current: list[TargetBody], targets: list[TargetBody] | None, *, keeps_others: bool
) -> list[TargetBody] | None:
    """Return the targets of a change; fields that one leaves out come from the post's target of the same account."""
    known = {(target.platform, target.account_id): target for target in current}

    def merged(target: TargetBody) -> TargetBody:
        before = known.get((target.platform, target.account_id))
        changes = {name: getattr(target, name) for name in target.model_fields_set}
        return target if before is None else before.model_copy(update=changes)

    if not targets:
        return targets
    named = {(target.platform, target.account_id) for target in targets}
    others = [target for account, target in known.items() if account not in named] if keeps_others else []
    return [*map(merged, targets), *others]


def _schedule(
    post: Post, patch: PatchBody, now: datetime, *, draft: bool
) -> tuple[ScheduledTime | None, list[Problem]]:
    names = patch.model_fields_set
    zone = patch.timezone or post.timezone
    if patch.publish_now or patch.queue is not None or patch.after is not None:
        return None, []
    if patch.shift_by is not None:
        return _shifted(post, parse_shift(patch.shift_by), now, draft=draft)
    keeps = _keeps_its_time(post, patch)
    if patch.scheduled_for is not None and not keeps:
        return read_time(patch.scheduled_for, zone, now)
    begun = post.due_at is not None
    if "scheduled_for" in names and patch.scheduled_for is None and not (keeps and begun):
        return None, [] if patch.is_draft or (draft and names != {"scheduled_for"}) else [_NULL_ALONE]
    if post.scheduled_for is None:
        return None, [] if draft or begun else [_TIME_MISSING]
    current = ScheduledTime(post.scheduled_for, post.scheduled_wall, post.timezone)
    if zone != post.timezone:
        moved = current.in_zone(zone)
        return moved, [] if draft else time_problems(moved, now)
    if post.status == PostStatus.DRAFT and not draft:
        return current, time_problems(current, now)
    return current, []


def _shifted(post: Post, shift: Shift, now: datetime, *, draft: bool) -> tuple[ScheduledTime | None, list[Problem]]:
    if post.scheduled_for is None:
        return None, [_NO_TIME]
    try:
        moved = shifted(ScheduledTime(post.scheduled_for, post.scheduled_wall, post.timezone), shift)
    except (ValueError, UnknownZone):
        return None, [_OUT_OF_RANGE]
    return moved, [] if draft else [replace(problem, param="shiftBy") for problem in time_problems(moved, now)]


_NO_TIME = Problem(
    "The post has no time that shiftBy could move: give it a scheduledFor", "invalid_field_value", "shiftBy"
)
_OUT_OF_RANGE = Problem(
    "shiftBy cannot be applied to the post's time; give a scheduledFor instead", "invalid_field_value", "shiftBy"
)
_TIME_MISSING = Problem("scheduledFor is required to schedule a draft", "missing_required_field", "scheduledFor")
_NULL_ALONE = Problem(
    "scheduledFor cannot be null alone: send isDraft true to keep the post as a draft, or publishNow true",
    "invalid_field_value",
    "scheduledFor",
)

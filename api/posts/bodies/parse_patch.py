"""Read a PATCH body over the post it changes: the merged post must be as sound as a new one."""

from dataclasses import replace
from datetime import datetime

from api.http.body import JsonObject
from api.http.body_validation import in_contract_order, name_targets
from api.posts.bodies.body_content import to_body, to_content
from api.posts.bodies.parse_post import (
    ParsedPost,
    decide_status,
    find_contradictions,
    missing_fields,
    read_body,
    read_time,
    time_problems,
)
from api.posts.bodies.patch_fields import surely_writable_fields, writable_fields
from api.posts.bodies.schemas import PatchBody, PostBody, TargetBody
from api.posts.clock import now_ms
from domain.campaigns import CampaignRules
from domain.content import PostContent
from domain.errors import Conflict, InvalidRequest, Problem
from domain.post import PostStatus
from domain.schedule import ScheduledTime, Shift, UnknownZone, parse_shift, rfc3339, shifted
from store.models import Post
from store.posts.contents import post_content


def read_patch(post: Post, payload: JsonObject, now: datetime, campaign: CampaignRules | None = None) -> ParsedPost:
    """Return the changed post. Raises InvalidRequest with everything that is wrong.

    `campaign` is that of the changed post. Its rules for times are not checked (`api.posts.campaign_rules`).
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

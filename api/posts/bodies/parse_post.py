"""Reading of a body that creates a post: its content, and whether it is a draft, due later or due now."""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from api.http.body import JsonObject
from api.http.body_validation import in_contract_order, name_targets, read
from api.http.moments import read_moment
from api.posts.bodies.schemas import AfterBody, MediaBody, PostBody, TargetBody
from domain.campaigns import CampaignRules
from domain.content import PostContent, TargetContent, answer_bytes
from domain.errors import InvalidRequest, Problem
from domain.ownership import CLOCK_ERROR
from domain.post import PUBLISH_WITHIN_S, Media, MediaType, PostStatus
from domain.schedule import LATE_COUNTS_AS_NOW, ScheduledTime, horizon, local_time, zone_names
from domain.workspaces import LARGEST_POST, MAX_ITEMS, MAX_MEDIA


def to_content(body: PostBody, schedule: ScheduledTime | None, zone: str = "UTC") -> PostContent:
    """Return the content of a valid body, with its resolved time; `zone` is that of a body without one.

    Raises InvalidRequest if an answer with the post would be too large.
    """
    content = PostContent(
        content=body.content,
        media_items=_media(body.media_items or []),
        targets=[
            TargetContent(
                platform=target.platform,
                account_id=target.account_id,
                custom_content=target.custom_content,
                custom_media=None if target.custom_media is None else _media(target.custom_media),
                settings=target.platform_specific_data or {},
            )
            for target in body.platforms or []
        ],
        tags=body.tags or [],
        timezone=body.timezone or zone,
        scheduled_for=schedule.instant if schedule else None,
        scheduled_wall=schedule.wall if schedule else None,
        tiktok_settings=body.tiktok_settings or {},
        facebook_settings=body.facebook_settings or {},
        publish_within=body.publish_within or PUBLISH_WITHIN_S,
        external_id=body.external_id,
        after_post_id=body.after.post_id if body.after else None,
        after_delay=body.after.delay if body.after else None,
        after_on_failure=body.after.on_failure if body.after else None,
        campaign_id=body.campaign_id,
    )
    if answer_bytes(content) > LARGEST_POST:
        raise InvalidRequest(_TOO_LARGE)
    return content


_TOO_LARGE = Problem(
    f"The post would be larger than {LARGEST_POST // 2**20} MiB, counting its text once for each target without a text "
    "of its own: shorten it, or send it as several posts",
    "invalid_field_value",
    "content",
)


def to_body(content: PostContent) -> PostBody:
    """Return the body that would create a post with this content, apart from its time."""
    return PostBody.model_construct(
        content=content.content,
        media_items=_media_bodies(content.media_items),
        platforms=[
            TargetBody.model_construct(
                platform=target.platform,
                account_id=target.account_id,
                custom_content=target.custom_content,
                custom_media=None if target.custom_media is None else _media_bodies(target.custom_media),
                platform_specific_data=target.settings,
            )
            for target in content.targets
        ],
        timezone=content.timezone,
        tags=content.tags,
        tiktok_settings=content.tiktok_settings,
        facebook_settings=content.facebook_settings,
        publish_within=content.publish_within,
        external_id=content.external_id,
        after=_after_body(content),
        campaign_id=content.campaign_id,
    )


def _media(items: list[MediaBody]) -> list[Media]:
    return [Media(type=MediaType(item.type), url=item.url, alt_text=item.alt_text) for item in items]


def _media_bodies(items: list[Media]) -> list[MediaBody]:
    return [MediaBody.model_construct(type=item.type.value, url=item.url, alt_text=item.alt_text) for item in items]


def _after_body(content: PostContent) -> AfterBody | None:
    if content.after_post_id is None:
        return None
    body = AfterBody.model_construct(post_id=content.after_post_id, delay=content.after_delay)
    return body.model_copy(update={"on_failure": content.after_on_failure})


B = TypeVar("B", bound=PostBody)


@dataclass(frozen=True, slots=True)
class ParsedPost:
    """A post as its client wants it. `status` is draft, scheduled, or publishing if it is due now."""

    content: PostContent
    status: PostStatus
    due_at: datetime | None
    queue: str | None = None
    """The queue whose first free slot gives it its time: its id, or `next` for that of the accounts."""

    @property
    def time_warnings(self) -> list[Problem]:
        """Return a warning if a clock change skips the wall time that the post was given."""
        instant, wall, zone = self.content.scheduled_for, self.content.scheduled_wall, self.content.timezone
        # An older post may have a zone that the time zone data no longer have.
        if instant is None or self.queue is not None or zone not in zone_names():
            return []
        if not ScheduledTime(instant, wall, zone).is_moved:
            return []
        sentence = f"scheduledFor: clocks in {zone} skip {wall}, so the post is later: at {local_time(instant, zone)}"
        return [Problem(sentence, "moved_by_clock_change", "scheduledFor")]

    @property
    def is_draft(self) -> bool:
        """Return whether it is a draft that waits for nothing: its accounts and platform rules are checked later."""
        return self.status is PostStatus.DRAFT and self.content.after_post_id is None


def read_create(payload: JsonObject, now: datetime, campaign: CampaignRules | None = None) -> ParsedPost:
    """Read a create body of a campaign, or of none. Raises InvalidRequest with everything that is wrong with its shape.

    The rules of a campaign for times are not checked (`api.posts.times`).
    """
    zone = campaign.timezone if campaign else "UTC"
    body, problems, at_fault = read_body(payload, PostBody)
    problems += find_contradictions(body)
    schedule: ScheduledTime | None = None
    if body.scheduled_for is not None:
        schedule, schedule_problems = read_time(body.scheduled_for, body.timezone or zone, now)
        # Without a zone a wall time cannot be resolved; text that is no time is reported all the same.
        if "timezone" not in at_fault or schedule is None or schedule.wall is None:
            problems += schedule_problems
    draft = body.is_draft or not (body.publish_now or body.scheduled_for is not None or body.queue is not None)
    if campaign is not None and campaign.keeps_drafts and not (body.publish_now or body.queue):
        draft = True
    # If the field that decides it is invalid, the post may have been meant as a draft.
    undecided = bool(at_fault & {"publishNow", "scheduledFor", "queue", "after", "isDraft"})
    problems += missing_fields(body, at_fault, draft=(draft and body.after is None) or undecided)
    if problems:
        raise InvalidRequest(in_contract_order(PostBody, name_targets(problems, payload)))
    content = to_content(body, schedule, zone)
    if body.queue is not None:
        return ParsedPost(content, PostStatus.SCHEDULED, None, body.queue)
    return decide_status(content, now, draft=bool(draft), publish_now=bool(body.publish_now))


def read_body(payload: JsonObject, model: type[B]) -> tuple[B, list[Problem], set[str]]:
    """Return what can be read of a body, its problems, and the names of the fields that these are in."""
    body, problems = read(model, payload)
    at_fault = {(problem.param or "").split(".")[0] for problem in problems}
    body = body or model()
    if "platforms" in at_fault:
        body.platforms = _readable(payload["platforms"])
    return body, problems, at_fault


def _readable(targets: object) -> list[TargetBody] | None:
    """Return the readable targets and fields if some are invalid, so that rules across fields are still checked.

    Fields that cannot be read count as if they satisfied these rules.
    """
    if not isinstance(targets, list):
        return None
    # If there are more, they are refused because of their number.
    return [
        _readable_target(target if isinstance(target, dict) else {"customContent": target})
        for target in targets[:MAX_ITEMS]
    ]


_SOME_MEDIA = MediaBody.model_construct(type="image", url="")


def _readable_target(target: JsonObject) -> TargetBody:
    own, media = target.get("customContent"), target.get("customMedia")
    names = {name: value for name, value in target.items() if isinstance(value, str)}
    return TargetBody.model_construct(
        platform=names.get("platform", ""),
        account_id=names.get("accountId", ""),
        custom_content=own if own is None or isinstance(own, str) else "?",
        custom_media=media if media is None or isinstance(media, list) else [_SOME_MEDIA],
    )


def find_contradictions(body: PostBody) -> list[Problem]:
    """Return fields that contradict each other: a wrong guess here would publish in public."""
    problems: list[Problem] = []
    if body.publish_now and body.scheduled_for is not None:
        problems.append(
            Problem("scheduledFor cannot be given when publishNow is true", "invalid_field_value", "scheduledFor")
        )
    if body.publish_now and body.is_draft:
        problems.append(Problem("isDraft cannot be true when publishNow is true", "invalid_field_value", "isDraft"))
    return problems + _beside_queue(body) + _beside_after(body)


def _beside_queue(body: PostBody) -> list[Problem]:
    """Return a problem if a body has `queue` and another field for the post's time."""
    others = (
        ("scheduledFor", body.scheduled_for),
        ("publishNow", body.publish_now or None),
        ("isDraft", body.is_draft or None),
        ("timezone", body.timezone),
    )
    names = [name for name, value in others if value is not None]
    if body.queue is None or not names:
        return []
    why = ", because a slot is a time in the queue's own" if names[0] == "timezone" else ""
    return [Problem(f"queue cannot be given beside {names[0]}{why}", "invalid_field_value", "queue")]


_NAMES_A_ROW = Problem(
    "after.externalId is for requests with many rows: give after.postId", "invalid_field_value", "after.externalId"
)
_NAMES_TWO = Problem("after.externalId cannot be given beside after.postId", "invalid_field_value", "after.externalId")


def _beside_after(body: PostBody) -> list[Problem]:
    """Return a problem if a body has `after` and a field that gives it a time."""
    times = (("scheduledFor", body.scheduled_for), ("publishNow", body.publish_now or None), ("queue", body.queue))
    names = [name for name, value in times if value is not None]
    if body.after is None:
        return []
    if body.after.external_id is not None:
        # Of a row that names another one, only the rest is read.
        return [_NAMES_A_ROW if body.after.post_id is None else _NAMES_TWO]
    if body.after.post_id is None:
        return [Problem("after.postId is required", "missing_required_field", "after.postId")]
    if not names:
        return []
    return [Problem(f"after cannot be given beside {names[0]}", "invalid_field_value", "after")]


def read_time(text: str, zone: str, now: datetime) -> tuple[ScheduledTime | None, list[Problem]]:
    """Resolve a `scheduledFor`; it must lie between five minutes ago and five years ahead."""
    problems: list[Problem] = []
    schedule = read_moment("scheduledFor", text, zone, problems)
    if schedule is None:
        return None, problems
    return schedule, time_problems(schedule, now)


TIME_PASSED = Problem("scheduledFor is more than 5 minutes in the past", "invalid_field_value", "scheduledFor")


def time_problems(schedule: ScheduledTime, now: datetime) -> list[Problem]:
    """Return the problem of a time that is too long ago or too far ahead, if it has one."""
    if schedule.instant < now - LATE_COUNTS_AS_NOW:
        return [TIME_PASSED]
    if schedule.instant > horizon(now):
        return [Problem("scheduledFor is more than 5 years ahead", "invalid_field_value", "scheduledFor")]
    return []


def missing_fields(body: PostBody, at_fault: set[str], *, draft: bool) -> list[Problem]:
    """Check what the contract requires of several fields together, leaving out fields already found at fault."""
    problems: list[Problem] = []
    targets = body.platforms or []
    if not targets and not draft and "platforms" not in at_fault:
        problems.append(
            Problem("platforms is required for posts that are not drafts", "missing_required_field", "platforms")
        )
    if not at_fault & {"content", "mediaItems"} and (targets or "platforms" not in at_fault):
        problems += _missing_content(body, targets)
    if not at_fault & {"mediaItems", "platforms"} and (media := _media_in_all(body)) > MAX_MEDIA:
        sentence = (
            f"A post may hold at most {MAX_MEDIA:,} media items, its targets' and threads' included; this has {media:,}"
        )
        problems.append(Problem(sentence, "invalid_field_value", "mediaItems" if body.media_items else "platforms"))
    seen: set[tuple[str, str]] = set()
    for position, target in enumerate(targets):
        account = (target.platform, target.account_id)
        if account in seen and all(account):
            where = f"platforms.{position}.accountId"
            problems.append(Problem(f"{where} is in this post already", "duplicate_target", where))
        seen.add(account)
    return problems


def _media_in_all(body: PostBody) -> int:
    own = sum(len(target.custom_media or []) for target in body.platforms or [])
    return len(body.media_items or []) + own + sum(_thread_media(target) for target in body.platforms or [])


def _thread_media(target: TargetBody) -> int:
    """Count the media of a thread, whose settings may not have been read yet."""
    settings = target.platform_specific_data or {}
    items = settings.get("threadItems", settings.get("thread_items"))
    of_items = [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    media = [item.get("mediaItems", item.get("media_items")) for item in of_items]
    return sum(len(own) for own in media if isinstance(own, list))


def _missing_content(body: PostBody, targets: list[TargetBody]) -> list[Problem]:
    has_text = bool(body.content and body.content.strip())
    problems: list[Problem] = []
    for position, target in enumerate(targets):
        media = target.custom_media if target.custom_media is not None else body.media_items
        if media:
            continue
        if target.custom_content is None and not has_text:
            return [_CONTENT_MISSING]
        if target.custom_content is not None and not target.custom_content.strip():
            where = f"platforms.{position}.customContent"
            problems.append(
                Problem(f"{where} must not be empty when no media is attached", "missing_required_field", where)
            )
    if not targets and not has_text and not body.media_items:
        return [_CONTENT_MISSING]
    return problems


_CONTENT_MISSING = Problem("content is required when no media is attached", "missing_required_field", "content")


def decide_status(content: PostContent, now: datetime, *, draft: bool, publish_now: bool) -> ParsedPost:
    """Decide a sound post's status and due time; a time that has surely passed counts as now.

    If it has only just passed, this clock may be wrong: the worker's clock decides, so that no post is published early.
    """
    if draft:
        return ParsedPost(content, PostStatus.DRAFT, None)
    due_at = content.scheduled_for
    if publish_now or due_at is None or due_at <= now - CLOCK_ERROR:
        return ParsedPost(content, PostStatus.PUBLISHING, now)
    return ParsedPost(content, PostStatus.SCHEDULED, due_at)

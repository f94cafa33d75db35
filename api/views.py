"""What clients read: the answers of the contract, built from rows."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from domain.attempts import AttemptState, AttemptStep
from domain.codes import ProblemCode, TargetCode
from domain.post import (
    PUBLISH_WITHIN_S,
    ErrorCategory,
    HoldReason,
    MediaType,
    PostStatus,
    TargetStatus,
    text_in_effect,
)
from domain.schedule import local_time, rfc3339
from domain.waits import WaitsFor
from platforms.codes import known_codes, public_codes
from platforms.registry import networks
from store.models import Attempt, Post, Target
from store.waiting import waits_of

_EXAMPLE_TIME = "2026-01-15T10:00:00Z"
Moment = Annotated[
    str, WithJsonSchema({"type": "string", "format": "date-time", "examples": [_EXAMPLE_TIME]}, mode="serialization")
]
NetworkName = Annotated[
    str, WithJsonSchema({"type": "string", "enum": list(networks()), "examples": ["instagram"]}, mode="serialization")
]

Step = Annotated[str, WithJsonSchema({"type": "string", "enum": list(AttemptStep)}, mode="serialization")]
State = Annotated[str, WithJsonSchema({"type": "string", "enum": list(AttemptState)}, mode="serialization")]


def _leave_out(schema: dict[str, Any], model: type[Any]) -> None:
    schema["required"] = [name for name in schema.get("required", []) if name not in model.sometimes]


def _title(model: type[Any]) -> str:
    return model.__name__.removesuffix("View")


class View(BaseModel):
    """Write camelCase names; values come from our own rows and are not validated again."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        extra="forbid",
        json_schema_extra=_leave_out,
        model_title_generator=_title,
    )
    sometimes: ClassVar[frozenset[str]] = frozenset()
    """Fields that are left out where they do not apply."""


class MediaView(View):
    """One image, video, GIF or document."""

    model_config = ConfigDict(title="PostMedia")

    sometimes = frozenset({"altText"})

    type: MediaType = Field(description="What the file is.", examples=["image"])
    url: str = Field(description="Where the file is fetched.", examples=["https://example.com/photo.jpg"])
    alt_text: str = Field(description="Its description, if given.", examples=["A lighthouse at dawn"])


class VersionView(View):
    """An earlier version of an edited post."""

    model_config = ConfigDict(title="PostVersion")

    platform_post_id: str = Field(description="Its id on the network.", examples=["1234567890"])
    platform_post_url: str | None = Field(description="Its address.", examples=["https://x.com/i/status/1234567890"])
    content: str = Field(description="Its text.", examples=["Hello from SocialSyncerAPI!"])
    edited_at: Moment = Field(description="When the next version replaced it.")


class ChangeView(View):
    """What was changed about a media file before its network got it."""

    model_config = ConfigDict(title="MediaChange")

    url: str = Field(description="The media item's URL.", examples=["https://example.com/photo.png"])
    what: Literal["metadata_removed", "converted", "scaled", "compressed"] = Field(
        description="The kind of change.", examples=["converted"]
    )
    detail: str = Field(description="The change in words.", examples=["Converted from image/png to image/jpeg"])


class ProblemView(View):
    """One thing that is wrong."""

    sometimes = frozenset({"platform", "accountId", "networkCode"})

    error: str = Field(description="A sentence for a person.", examples=["Instagram requires media for all posts"])
    code: ProblemCode = Field(description="For a program.", examples=["invalid_field_value"])
    param: str | None = Field(description="The dotted path of the field at fault.", examples=["mediaItems"])
    platform: str = Field(
        description="The network of the target that it concerns, as the body names it, if it concerns one target.",
        examples=["instagram"],
    )
    account_id: str = Field(description="The account of that target.", examples=["ig_123"])
    network_code: str = Field(description="The network's own code, if it refused an edit.", examples=["187"])


class TargetView(View):
    """Where a post stands on one account."""

    model_config = ConfigDict(title="PostTarget")

    sometimes = frozenset(
        {
            "customContent",
            "customMedia",
            "platformSpecificData",
            "nextAttemptAt",
            "waitsFor",
            "holdReason",
            "mediaChanges",
            "warning",
            "editHistory",
            "error",
            "errorCode",
            "networkCode",
            "errorCategory",
            "retryable",
            "hint",
        }
    )

    platform: NetworkName = Field(description="The network.")
    account_id: str = Field(description="The connected account.", examples=["ig_123"])
    status: TargetStatus = Field(
        description=(
            "`unconfirmed`: the request was sent and its answer lost; it may be public and is not sent again. "
            "`held`: it waits for its account or for this service's operator (see `holdReason`), goes on by itself, "
            "and fails when `publishWithin` has passed."
        ),
        examples=["published"],
    )
    platform_post_id: str | None = Field(description="The post's id on the network.", examples=["17841400123456789"])
    platform_post_url: str | None = Field(
        description="The post's address on the network.", examples=["https://instagram.com/p/ABC123"]
    )
    content: str = Field(description="The text in effect.", examples=["Hello from SocialSyncerAPI!"])
    published_at: Moment | None = Field(description="When it became public.")
    custom_content: str = Field(description="The text given for this account, if any.", examples=["Hello, Instagram!"])
    custom_media: list[MediaView] = Field(description="The media given for this account, if any.")
    platform_specific_data: dict[str, Any] = Field(
        description="The settings given for this account, if any.", examples=[{"shareToFeed": True}]
    )
    next_attempt_at: Moment = Field(description="While it waits: when it is tried again, where that is known.")
    waits_for: WaitsFor = Field(
        description=(
            "What it waits for, if it is due and waits: its `network`, which refused it for now (see `errorCode`); "
            "its account's `rate_limit`; other `media` of the workspace; the lost `answer`, while it is looked up; "
            "a `person` who says whether it is public; its `account`, which must be reconnected; or the `operator` "
            "of this service."
        )
    )
    hold_reason: HoldReason = Field(
        description=(
            "While it is held: whether the account must be reconnected, has used up its network's allowance, "
            "or the operator of this service must mend its app at the network."
        )
    )
    media_changes: list[ChangeView] = Field(
        description="What was changed about media files before the network got them, if anything."
    )
    warning: str = Field(
        description=(
            "What belongs to the published post and could not be done; of a `pending` one, what was found wrong when "
            "it was prepared, minutes before its time."
        ),
        examples=["The first comment could not be added."],
    )
    edit_history: list[VersionView] = Field(description="Earlier versions, oldest first, once it was edited.")
    error: str = Field(
        description="What went wrong, if it is failed, unconfirmed, held or tried again.",
        examples=["X refused it as a duplicate."],
    )
    error_code: TargetCode | None = Field(
        description="The same for a program; docs/errors.md gives the cause and the remedy of each.",
        examples=["duplicate_content"],
    )
    network_code: str = Field(
        description="The network's own code, or `http_` and the status of its answer, if it gave one.",
        examples=["190"],
    )
    error_category: ErrorCategory | None = Field(description="Whose move it is.", examples=["rejected"])
    retryable: bool = Field(description="Whether a retry can help without any change.", examples=[False])
    hint: str = Field(
        description="How to go on, if it is failed, held or left unconfirmed.",
        examples=["Change what it sends by PATCH, then POST …/retry."],
    )


class PostView(View):
    """A post with everything about its targets."""

    sometimes = frozenset({"externalId", "plannedFor", "tiktokSettings", "facebookSettings", "warnings"})

    id: str = Field(description="Sorts by creation.", examples=["post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2"])
    status: PostStatus = Field(
        description="`publishing` is between due time and outcome; `partial` is published on some platforms only.",
        examples=["published"],
    )
    content: str | None = Field(description="The text as it was sent.", examples=["Hello from SocialSyncerAPI!"])
    media_items: list[MediaView] = Field(description="The post's media.")
    platforms: list[TargetView] = Field(description="One entry per account.")
    tags: list[str] = Field(description="Your labels.", examples=[["marketing"]])
    timezone: str = Field(description="The IANA time zone given, or UTC.", examples=["UTC"])
    scheduled_for: Moment | None = Field(description="The instant it is scheduled for.")
    scheduled_for_local: str | None = Field(
        description="The same as wall time in `timezone`, without an offset, as `scheduledFor` takes it.",
        examples=["2026-02-01T09:00:00"],
    )
    external_id: str = Field(description="Your own id, if given.", examples=["campaign-7/row-12"])
    planned_for: Moment = Field(description="The instant it was scheduled for, if `publishNow` went ahead of it.")
    published_at: Moment | None = Field(description="When it first became public anywhere.")
    created_at: Moment = Field(description="When it was created.")
    updated_at: Moment = Field(description="When it last changed.")
    is_draft: bool = Field(description="Whether `status` is draft.", examples=[False])
    publish_within: int = Field(
        description="Seconds after its time in which it may still go out.", examples=[PUBLISH_WITHIN_S]
    )
    tiktok_settings: dict[str, Any] = Field(description="The root-level TikTok settings, if given.", examples=[{}])
    facebook_settings: dict[str, Any] = Field(description="The root-level Facebook settings, if given.", examples=[{}])
    warnings: list[ProblemView] = Field(description="What its owner should know, if anything.")


class PageView(View):
    """One page of the list."""

    model_config = ConfigDict(title="PostList")

    posts: list[PostView] = Field(description="In the order that `sort` names; newest first by default.")
    cursor: str | None = Field(
        description="Send it back for the next page; null on the last.", examples=["eyJpZCI6InBvc3RfYWJjMTIzIn0"]
    )
    has_more: bool = Field(description="Whether there is a next page.", examples=[True])


class AttemptView(View):
    """One step towards a network."""

    platform: NetworkName = Field(description="The network.")
    account_id: str = Field(description="The account.", examples=["ig_123"])
    step: Step = Field(
        description="`publish` is the one request that makes a post public; `confirm` looks for a lost one.",
        examples=[AttemptStep.PUBLISH],
    )
    state: State = Field(description="What it came to.", examples=[AttemptState.DONE])
    started_at: Moment = Field(description="When it began.")
    finished_at: Moment | None = Field(description="When it ended; null while it is under way.")
    http_status: int | None = Field(description="The network's HTTP status.", examples=[200])
    error_code: TargetCode | None = Field(
        description="What went wrong, if it is more than the network's own code says.", examples=["timed_out"]
    )
    network_code: str | None = Field(
        description="The network's own code, or `http_` and the status of its answer.", examples=["36003/2207009"]
    )
    request_id: str | None = Field(description="The network's id of the request.", examples=["AbCdEf"])
    decision: str | None = Field(description="What was decided upon it.", examples=["trying again in 12 s"])
    next_attempt_at: Moment | None = Field(description="When the step is taken again, where that was decided.")


class AttemptsView(View):
    """One page of the steps of a post's targets."""

    model_config = ConfigDict(title="AttemptList")

    attempts: list[AttemptView] = Field(description="Oldest first.")
    cursor: str | None = Field(
        description="Send it back for the next page; null on the last.", examples=["eyJpZCI6MTAwfQ"]
    )
    has_more: bool = Field(description="Whether there is a next page.", examples=[False])


class DeletedView(View):
    """A post that is gone."""

    model_config = ConfigDict(title="DeletedPost")

    id: str = Field(description="Its id.", examples=["post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2"])
    deleted: Literal[True] = Field(description="Always true.")


class VerdictView(View):
    """What creating a post from this body would say."""

    model_config = ConfigDict(title="ValidationResult")

    valid: bool = Field(description="Whether it would be accepted.", examples=[False])
    errors: list[ProblemView] = Field(description="Why not.")
    warnings: list[ProblemView] = Field(description="What may stand in the way when it is published, and need not.")


class ErrorView(View):
    """Every error has this shape."""

    model_config = ConfigDict(title="ApiError")

    sometimes = frozenset({"param"})

    error: str = Field(description="The first problem, as a sentence for a person.", examples=["Invalid API key"])
    type: Literal[
        "invalid_request_error", "authentication_error", "idempotency_error", "rate_limit_error", "api_error"
    ] = Field(description="The kind of error.", examples=["authentication_error"])
    code: ProblemCode = Field(description="The first problem, for a program.", examples=["invalid_credentials"])
    param: str = Field(description="The dotted path of the field at fault, where there is one.", examples=["content"])
    errors: list[ProblemView] = Field(description="All problems, the first included.")


class ItemView(View):
    """What became of one post of a request that concerns many."""

    model_config = ConfigDict(title="BulkItem")

    sometimes = frozenset({"externalId", "status", "scheduledFor", "replayed", "retryAfter", "error"})

    position: int = Field(description="Its place in the request, or among the posts that match; from 0.", examples=[0])
    http_status: int = Field(description="The status that a request for this post alone answers.", examples=[201])
    id: str | None = Field(
        description="The post; null if none was created.", examples=["post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2"]
    )
    external_id: str = Field(description="Your own id, if given.", examples=["campaign-7/row-12"])
    status: PostStatus = Field(description="The post's status; left out if it was deleted or refused.")
    scheduled_for: Moment | None = Field(description="The instant it is scheduled for.")
    replayed: Literal[True] = Field(description="It was done by an earlier request, whose answer this is.")
    retry_after: int = Field(description="Seconds after which to try this post again, if it may help.", examples=[5])
    error: ErrorView = Field(description="What it was refused with; at most 10 of its problems are listed.")


class ManyView(View):
    """What became of each post of a request that concerns many."""

    model_config = ConfigDict(title="BulkResult")

    total: int = Field(description="Posts that the request concerned.", examples=[60])
    succeeded: int = Field(description="Of these, how many were answered 200 or 201.", examples=[59])
    failed: int = Field(description="How many were refused.", examples=[1])
    results: list[ItemView] = Field(description="One entry per post, in the order of the request.")
    cursor: str | None = Field(
        description="If more posts match than one request takes: send it for the next of them.",
        examples=["eyJpZCI6InBvc3RfYWJjMTIzIn0"],
    )
    has_more: bool = Field(description="Whether more posts match.", examples=[False])


_PASSED: ProblemCode = "scheduled_time_passed"
_SAID: dict[str, Any] = {
    "error": "The time of this draft has passed and it was not published: give it another scheduledFor, or publishNow",
    "code": _PASSED,
    "param": "scheduledFor",
}
_TIME_PASSED = ProblemView.model_construct(**_SAID)


def view_of(post: Post) -> PostView:
    """Return a post as clients read it; its targets must be loaded. What was not given is left out, not null."""
    given: dict[str, Any] = {}
    if post.tiktok_settings:
        given["tiktok_settings"] = post.tiktok_settings
    if post.facebook_settings:
        given["facebook_settings"] = post.facebook_settings
    if post.external_id is not None:
        given["external_id"] = post.external_id
    if post.planned_for:
        given["planned_for"] = rfc3339(post.planned_for)
    if post.status == PostStatus.DRAFT and post.scheduled_for and post.scheduled_for < datetime.now(UTC):
        given["warnings"] = [_TIME_PASSED]
    return PostView.model_construct(
        id=post.id,
        status=PostStatus(post.status),
        content=post.content,
        media_items=_media(post.media_items),
        platforms=[_target_view(post, target) for target in post.targets],
        tags=post.tags,
        timezone=post.timezone,
        scheduled_for=_moment(post.scheduled_for),
        scheduled_for_local=local_time(post.scheduled_for, post.timezone) if post.scheduled_for else None,
        published_at=_moment(post.published_at),
        created_at=rfc3339(post.created_at),
        updated_at=rfc3339(post.updated_at),
        is_draft=post.status == PostStatus.DRAFT,
        publish_within=post.publish_within,
        **given,
    )


def attempts_view(attempts: Iterable[tuple[Attempt, Target]], cursor: str | None) -> AttemptsView:
    """Return a page of the attempt log as clients read it; `cursor` leads to the next."""
    return AttemptsView.model_construct(
        cursor=cursor,
        has_more=cursor is not None,
        attempts=[
            AttemptView.model_construct(
                platform=target.platform,
                account_id=target.account_id,
                step=attempt.step,
                state=attempt.state,
                started_at=rfc3339(attempt.started_at),
                finished_at=_moment(attempt.finished_at),
                http_status=attempt.http_status,
                error_code=known_codes(attempt.code).code,
                network_code=known_codes(attempt.code).network_code,
                request_id=attempt.request_id,
                decision=attempt.decision,
                next_attempt_at=_moment(attempt.next_attempt_at),
            )
            for attempt, target in attempts
        ],
    )


def _target_view(post: Post, target: Target) -> TargetView:
    given: dict[str, Any] = {}
    if target.custom_content is not None:
        given["custom_content"] = target.custom_content
    if target.custom_media is not None:
        given["custom_media"] = _media(target.custom_media)
    if target.settings:
        given["platform_specific_data"] = target.settings
    if target.media_changes:
        given["media_changes"] = [ChangeView.model_construct(**change) for change in target.media_changes]
    if target.warning:
        given["warning"] = target.warning
    if target.edit_history:
        given["edit_history"] = [VersionView.model_validate(version) for version in target.edit_history]
    if hint := _hint(target):
        given["hint"] = hint
    text = target.content if target.content is not None else text_in_effect(post.content, target.custom_content)
    return TargetView.model_construct(
        platform=target.platform,
        account_id=target.account_id,
        status=TargetStatus(target.status),
        platform_post_id=target.platform_post_id,
        platform_post_url=target.platform_post_url,
        content=text,
        published_at=_moment(target.published_at),
        **given,
        **_difficulties(target),
    )


def _difficulties(target: Target) -> dict[str, Any]:
    """Return what a target waits for, and what went wrong with it."""
    given: dict[str, Any] = {}
    if target.next_attempt_at:
        given["next_attempt_at"] = rfc3339(target.next_attempt_at)
    if target.hold_reason:
        given["hold_reason"] = HoldReason(target.hold_reason)
    if waits := waits_of(target):
        given["waits_for"] = waits
    if TargetStatus(target.status).is_explained or target.error:
        given["error"] = target.error or "The platform's answer was lost."
        given |= _codes(target)
        given["error_category"] = target.error_category and ErrorCategory(target.error_category)
        given["retryable"] = bool(target.retryable)
    return given


def _codes(target: Target) -> dict[str, str | None]:
    category = ErrorCategory(target.error_category) if target.error_category else None
    hold = HoldReason(target.hold_reason) if target.hold_reason else None
    found = known_codes(target.error_code) if category is None else public_codes(target.error_code, category, hold)
    network = {"network_code": found.network_code} if found.network_code else {}
    return {"error_code": found.code, **network}


def _hint(target: Target) -> str | None:
    """Say how the post's owner can go on with a target that is not published; None if there is nothing to do."""
    if target.status == TargetStatus.PENDING and target.warning:
        return "Change the post by PATCH before its time; unless this is mended, it will be refused then."
    if target.status == TargetStatus.FAILED:
        if target.retryable:
            return "POST /v1/posts/{postId}/retry tries it again."
        return "Change what it sends by PATCH /v1/posts/{postId}, then POST /v1/posts/{postId}/retry."
    if target.status == TargetStatus.UNCONFIRMED and not target.looking:
        return "Look at the account, then say what you found by POST /v1/posts/{postId}/resolve."
    if target.status == TargetStatus.HELD:
        return "It goes on by itself. Until then the post can be changed by PATCH, or deleted."
    return None


def _media(items: list[dict[str, Any]]) -> list[MediaView]:
    return [
        MediaView.model_construct(
            type=MediaType(item["type"]),
            url=item["url"],
            **({"alt_text": item["alt_text"]} if "alt_text" in item else {}),
        )
        for item in items
    ]


def _moment(value: datetime | None) -> str | None:
    return rfc3339(value) if value else None


def write(view: View) -> bytes:
    """Serialise a view; what was never set is left out."""
    return view.model_dump_json(by_alias=True, exclude_unset=True).encode()

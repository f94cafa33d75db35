"""The answers of the contract, built from rows."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from pydantic.alias_generators import to_camel

from domain.attempts import AttemptState, AttemptStep
from domain.codes import ProblemCode, TargetCode
from domain.post import (
    PUBLISH_WITHIN_S,
    ErrorCategory,
    HoldReason,
    MediaChangeKind,
    MediaType,
    PostStatus,
    TargetStatus,
)
from domain.schedule import rfc3339
from domain.waits import WaitsFor
from platforms.codes import known_codes
from platforms.registry import platforms
from store.models import Attempt, Target

_EXAMPLE_TIME = "2026-01-15T10:00:00Z"
Moment = Annotated[
    str, WithJsonSchema({"type": "string", "format": "date-time", "examples": [_EXAMPLE_TIME]}, mode="serialization")
]
PlatformName = Annotated[
    str, WithJsonSchema({"type": "string", "enum": list(platforms()), "examples": ["instagram"]}, mode="serialization")
]

NextCursor = Annotated[str | None, Field(description="Send it back for the next page; null on the last.")]
HasMore = Annotated[bool, Field(description="Whether there is a next page.")]

Step = Annotated[str, WithJsonSchema({"type": "string", "enum": list(AttemptStep)}, mode="serialization")]
State = Annotated[str, WithJsonSchema({"type": "string", "enum": list(AttemptState)}, mode="serialization")]


def _mark_optional(schema: dict[str, Any], model: type[Any]) -> None:
    schema["required"] = [name for name in schema.get("required", []) if name not in model.optional_fields]


def _title(model: type[Any]) -> str:
    return model.__name__.removesuffix("View")


class View(BaseModel):
    """A model of a response: camelCase names. Values come from our own rows and are not validated again."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        extra="forbid",
        json_schema_extra=_mark_optional,
        model_title_generator=_title,
    )
    optional_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that are left out of an answer if they do not apply."""


class MediaView(View):
    """One image, video, GIF or document."""

    model_config = ConfigDict(title="PostMedia")

    optional_fields = frozenset({"altText"})

    type: MediaType = Field(description="What the file is.", examples=["image"])
    url: str = Field(description="The address of the file.", examples=["https://example.com/photo.jpg"])
    alt_text: str = Field(description="Its description, if given.", examples=["A lighthouse at dawn"])


class VersionView(View):
    """An earlier version of an edited post."""

    model_config = ConfigDict(title="PostVersion")

    platform_post_id: str = Field(description="Its id on the platform.", examples=["1234567890"])
    platform_post_url: str | None = Field(description="Its address.", examples=["https://x.com/i/status/1234567890"])
    content: str = Field(description="Its text.", examples=["Hello from SocialSyncerAPI!"])
    edited_at: Moment = Field(description="When the next version replaced it.")


class ChangeView(View):
    """A change of a media file before it was sent to its platform."""

    model_config = ConfigDict(title="MediaChange")

    url: str = Field(description="The media item's URL.", examples=["https://example.com/photo.png"])
    what: MediaChangeKind = Field(description="The kind of change.", examples=["converted"])
    detail: str = Field(description="The change in words.", examples=["Converted from image/png to image/jpeg"])


class ProblemView(View):
    """One thing that is wrong."""

    optional_fields = frozenset({"platform", "accountId", "platformCode", "postId"})

    error: str = Field(description="A sentence for a person.", examples=["Instagram requires media for all posts"])
    code: ProblemCode = Field(description="For a program.", examples=["invalid_field_value"])
    param: str | None = Field(description="The dotted path of the field at fault.", examples=["mediaItems"])
    platform: str = Field(
        description="The platform of the target that it concerns, as the body names it, if it concerns one target.",
        examples=["instagram"],
    )
    account_id: str = Field(description="The account of that target.", examples=["ig_123"])
    platform_code: str = Field(description="The platform's own code, if it refused an edit.", examples=["187"])
    post_id: str = Field(
        description="The existing post, if the `code` is `external_id_taken`.",
        examples=["post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2"],
    )


class TargetView(View):
    """The state of a post on one account."""

    model_config = ConfigDict(title="PostTarget")

    optional_fields = frozenset(
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
            "platformCode",
            "errorCategory",
            "retryable",
            "hint",
        }
    )

    platform: PlatformName = Field(description="The platform.")
    account_id: str = Field(description="The connected account.", examples=["ig_123"])
    status: TargetStatus = Field(
        description=(
            "`unconfirmed`: the request was sent and its answer lost; it may be public and is not sent again. "
            "`held`: it waits for its account or for this service's operator (see `holdReason`), continues by itself, "
            "and fails when `publishWithin` has passed."
        ),
        examples=["published"],
    )
    platform_post_id: str | None = Field(description="The post's id on the platform.", examples=["17841400123456789"])
    platform_post_url: str | None = Field(
        description="The post's address on the platform.", examples=["https://instagram.com/p/ABC123"]
    )
    content: str = Field(description="The text in effect.", examples=["Hello from SocialSyncerAPI!"])
    published_at: Moment | None = Field(description="When it became public.")
    custom_content: str = Field(description="The text given for this account, if any.", examples=["Hello, Instagram!"])
    custom_media: list[MediaView] = Field(description="The media given for this account, if any.")
    platform_specific_data: dict[str, Any] = Field(
        description="The settings given for this account, if any.", examples=[{"shareToFeed": True}]
    )
    next_attempt_at: Moment = Field(description="While it waits: when it is tried again, if that is known.")
    waits_for: WaitsFor = Field(
        description=(
            "What it waits for, if it is due and waits: its `platform`, which refused it for now (see `errorCode`); "
            "its account's `rate_limit`; other `media` of the workspace; the lost `answer`, until it is confirmed; "
            "a `person` who says whether it is public; its `account`, which must be reconnected; or the `operator` "
            "of this service."
        )
    )
    hold_reason: HoldReason = Field(
        description=(
            "While it is held: whether the account must be reconnected, has used up its quota at the platform, "
            "or the operator of this service must correct its app at the platform."
        )
    )
    media_changes: list[ChangeView] = Field(
        description="What was changed about media files before the platform got them, if anything."
    )
    warning: str = Field(
        description=(
            "On a published target, what could not be done after it was published, such as the first comment. On a "
            "`pending` one, what was found wrong when it was prepared, minutes before its time."
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
    platform_code: str = Field(
        description="The platform's own code, or `http_` and the status of its answer, if it gave one.",
        examples=["190"],
    )
    error_category: ErrorCategory | None = Field(description="The party that must act.", examples=["rejected"])
    retryable: bool = Field(description="Whether a retry can help without any change.", examples=[False])
    hint: str = Field(
        description="How to continue, if it is failed, held or left unconfirmed.",
        examples=["Change what it sends by PATCH, then POST …/retry."],
    )


class PostView(View):
    """A post with everything about its targets."""

    optional_fields = frozenset({"externalId", "plannedFor", "tiktokSettings", "facebookSettings", "warnings"})

    id: str = Field(
        description="The post's id. Ids sort in the order of creation.",
        examples=["post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2"],
    )
    status: PostStatus = Field(
        description=(
            "`draft`: it is not scheduled. `scheduled`: it is not due yet. `publishing`: it is due, and a target has "
            "no outcome yet. `published`: every target is public. `partial`: publishing is over, and some targets are "
            "public or may be. `failed`: publishing is over, and no target is public."
        ),
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
        examples=["2030-02-01T09:00:00"],
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
    warnings: list[ProblemView] = Field(
        description=(
            "What keeps the post from being published, if anything is known: the time of a draft has passed, or an "
            "account of a `scheduled` post cannot publish. Scheduled posts are checked several times from 24 hours "
            "before they are due. A warning disappears with its cause."
        )
    )


class PageView(View):
    """One page of the list."""

    model_config = ConfigDict(title="PostList")

    posts: list[PostView] = Field(description="In the order that `sort` names; newest first by default.")
    cursor: NextCursor = Field(examples=["eyJpZCI6InBvc3RfYWJjMTIzIn0"])
    has_more: HasMore = Field(examples=[True])


class AttemptView(View):
    """One step towards a platform."""

    platform: PlatformName = Field(description="The platform.")
    account_id: str = Field(description="The account.", examples=["ig_123"])
    step: Step = Field(
        description="`publish` is the one request that makes a post public; `confirm` follows if its answer was lost.",
        examples=[AttemptStep.PUBLISH],
    )
    state: State = Field(description="Its outcome; `sending` while it is under way.", examples=[AttemptState.DONE])
    started_at: Moment = Field(description="When it began.")
    finished_at: Moment | None = Field(description="When it ended; null while it is under way.")
    http_status: int | None = Field(description="The platform's HTTP status.", examples=[200])
    error_code: TargetCode | None = Field(
        description="What went wrong, if it is more than the platform's own code says.", examples=["timed_out"]
    )
    platform_code: str | None = Field(
        description="The platform's own code, or `http_` and the status of its answer.", examples=["36003/2207009"]
    )
    request_id: str | None = Field(description="The platform's id of the request.", examples=["AbCdEf"])
    decision: str | None = Field(
        description="What this service does after it, in words.", examples=["trying again in 12 s"]
    )
    next_attempt_at: Moment | None = Field(description="When the step is repeated, if that was decided.")


class AttemptsView(View):
    """One page of the steps of a post's targets."""

    model_config = ConfigDict(title="AttemptList")

    attempts: list[AttemptView] = Field(description="Oldest first.")
    cursor: NextCursor = Field(examples=["eyJpZCI6MTAwfQ"])
    has_more: HasMore = Field(examples=[False])


class DeletedView(View):
    """A post that is gone."""

    model_config = ConfigDict(title="DeletedPost")

    id: str = Field(description="Its id.", examples=["post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2"])
    deleted: Literal[True] = Field(description="Always true.")


class VerdictView(View):
    """The result of validating a body: what creating a post from it would report."""

    model_config = ConfigDict(title="ValidationResult")

    valid: bool = Field(description="Whether it would be accepted.", examples=[False])
    errors: list[ProblemView] = Field(description="Why not.")
    warnings: list[ProblemView] = Field(
        description="What may fail when it is published, or be shown otherwise than it was given."
    )


class ErrorView(View):
    """Every error has this shape."""

    model_config = ConfigDict(title="ApiError")

    optional_fields = frozenset({"param", "postId"})

    error: str = Field(description="The first problem, as a sentence for a person.", examples=["Invalid API key"])
    type: Literal[
        "invalid_request_error", "authentication_error", "idempotency_error", "rate_limit_error", "api_error"
    ] = Field(description="The kind of error.", examples=["authentication_error"])
    code: ProblemCode = Field(description="The first problem, for a program.", examples=["invalid_credentials"])
    param: str = Field(description="The dotted path of the field at fault, if there is one.", examples=["content"])
    post_id: str = Field(
        description="The existing post, if the `code` is `external_id_taken`.",
        examples=["post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2"],
    )
    errors: list[ProblemView] = Field(description="All problems, the first included.")


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
                platform_code=known_codes(attempt.code).platform_code,
                request_id=attempt.request_id,
                decision=attempt.decision,
                next_attempt_at=_moment(attempt.next_attempt_at),
            )
            for attempt, target in attempts
        ],
    )


def _moment(value: datetime | None) -> str | None:
    return rfc3339(value) if value else None


def write(view: View) -> bytes:
    """Serialise a view; what was never set is left out."""
    return view.model_dump_json(by_alias=True, exclude_unset=True).encode()

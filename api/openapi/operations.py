"""Every operation of this API as its document describes it; `api.openapi.document` writes it down."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from api.bulk.bodies import MOST_POSTS, CreateManyBody, SelectManyBody, UpdateManyBody
from api.http.headers import DEFAULT_WAIT_S, LONGEST_WAIT_S
from api.openapi import examples
from api.platforms import PlatformsView, view_of_platform
from api.posts.history import HistoryView
from api.posts.listing import DEFAULT_LIMIT, MAX_LIMIT, TARGET_STATUSES
from api.posts.schemas import EditBody, PatchBody, PostBody, ResolveBody, RetryBody, ValidateBody
from api.posts.views import AttemptsView, DeletedView, ManyView, PageView, PostView, VerdictView
from domain.post import PostStatus
from platforms.registry import platforms
from store.list_queries import Order

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """Describe one operation. `errors` names entries of `examples.ERRORS`."""

    method: str
    path: str
    id: str
    summary: str
    description: str
    answer: type[BaseModel]
    answers: dict[str, Json]
    errors: Sequence[str]
    status: int = 200
    body: type[BaseModel] | None = None
    bodies: dict[str, Json] = field(default_factory=dict)
    body_required: bool = True
    parameters: Sequence[Json] = ()
    answer_headers: Sequence[str] = ()
    tag: str = "Posts"
    other_status: int | None = None
    """A second status of success, and examples of its answers."""
    other_answers: dict[str, Json] = field(default_factory=dict)


_POST_ID = {
    "name": "postId",
    "in": "path",
    "required": True,
    "description": "The post's id. One that cannot exist is not found.",
    "schema": {"type": "string"},
    "example": examples.POST["id"],
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": (
        "Makes a repeat safe: the same key with the same method, path and body returns the original answer, byte for "
        "byte, for 24 hours."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
    "example": "7b0f6a9e-3f6a-4c6e-9d53-0a8f5a9f2d11",
}
_WHOLE_KEY = {
    **_KEY,
    "description": (
        "Makes a repeat of the whole request safe for 24 hours. If it has not done everything, because its process "
        "ended, there was no time or a limit was reached, a repeat does what is left and answers as before what was "
        "done."
    ),
}
_PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": (
        f"`wait=N`: how many seconds to wait for the outcome, 0 to {LONGEST_WAIT_S}, {DEFAULT_WAIT_S} by default (RFC "
        "7240). Past it the answer is the post as it stands, and publishing goes on."
    ),
    "schema": {"type": "string"},
    "example": "wait=10",
}


def _required(parameter: Json) -> Json:
    return {**parameter, "required": True}


def _query(name: str, description: str, schema: Json, example: Any) -> Json:
    return {"name": name, "in": "query", "description": description, "schema": schema, "example": example}


def _moment(name: str, description: str, example: str) -> Json:
    said = "An ISO 8601 date, for its whole day, or date and time; without an offset it is `timezone`'s."
    return _query(name, f"{description} {said}", {"type": "string"}, example)


_LIST = (
    {
        **_query(
            "status",
            "Only posts in one of these statuses, or with a target that is `held` or `unconfirmed` if these are named. "
            "Several are separated by commas.",
            {"type": "array", "items": {"type": "string", "enum": [*PostStatus, *TARGET_STATUSES]}},
            ["failed", "partial", "held"],
        ),
        "style": "form",
        "explode": False,
    },
    _query("platform", "Only posts with a target there.", {"type": "string", "enum": list(platforms())}, "instagram"),
    _query(
        "externalId", "Only the post with this id of yours.", {"type": "string", "minLength": 1}, "campaign-7/row-12"
    ),
    _query("accountId", "Only posts with this account.", {"type": "string", "minLength": 1}, "ig_123"),
    {
        **_query(
            "tag",
            "Only posts with this tag; given several times, only posts with all of them.",
            {"type": "array", "items": {"type": "string", "minLength": 1}},
            ["marketing"],
        ),
        "style": "form",
        "explode": True,
    },
    _moment("scheduledFrom", "Only posts scheduled for then or later.", "2026-12-03"),
    _moment("scheduledTo", "Only posts scheduled for then or earlier.", "2026-12-03"),
    _moment("fromDate", "Only posts created then or later: not when they go out.", "2026-01-01"),
    _moment("toDate", "Only posts created then or earlier.", "2026-01-31T23:59:59Z"),
    _moment(
        "updatedSince",
        "Only posts that changed then or later. Ask with the time of your last question, less a minute: a change is "
        "dated from before it can be read.",
        "2026-01-15T10:00:00Z",
    ),
    _query(
        "timezone",
        "The IANA time zone of dates and of times without an offset.",
        {"type": "string", "default": "UTC"},
        "Europe/Berlin",
    ),
    _query(
        "sort",
        "`createdAt` is newest first; `scheduledFor` soonest first, without posts that have no time; `updatedAt` the "
        "longest unchanged first. By default the list is sorted by what it is narrowed by: `scheduledFor` with "
        "`scheduledFrom` or `scheduledTo`, `updatedAt` with `updatedSince`, else `createdAt`.",
        {"type": "string", "enum": list(Order)},
        "scheduledFor",
    ),
    _query(
        "limit",
        "The most posts to return.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        20,
    ),
    _query("cursor", "From the previous answer to the same question.", {"type": "string"}, examples.PAGE["cursor"]),
)


def _page(what: str, cursor: str) -> tuple[Json, Json]:
    most = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": MAX_LIMIT}
    return (
        _query("limit", f"The most {what} to return.", most, 20),
        _query("cursor", "From the previous answer.", {"type": "string"}, cursor),
    )


ALWAYS = ("missingKey", "wrongKey", "rateLimited", "internal", "unavailable")
WITH_BODY = ("invalidJson", "unknownField", "tooLarge", "notJson")
_SHAPE = ("missingField", "wrongValue", "duplicateTarget", *WITH_BODY)
_KEYED = ("keyReused", "deletedSince")
_RULES = ("platformRule", "accountNotFound", "unknownSetting")
_POSTS = "/v1/posts"
_ONE = "/v1/posts/{postId}"
_BULK = "/v1/posts/bulk"
_MANY = (
    f"At most {MOST_POSTS} posts a request: if more match, `hasMore` is true and `cursor` leads to the next. What is "
    "wrong with one post is said in its own result, and the others are done. Each post counts as a request of the API "
    "key."
)


def _many_changed(
    verb: str, summary: str, each: str, answers: dict[str, Json], body: type[BaseModel], bodies: dict[str, Json]
) -> Operation:
    """Return an operation that does the same to each of many posts as `each` says."""
    return Operation(
        "post",
        f"{_BULK}/{verb}",
        f"{verb}Posts",
        summary,
        f"{each} {_MANY}",
        ManyView,
        answers,
        (*WITH_BODY, "keyMissing", "wrongValue", "keyReused", *ALWAYS),
        body=body,
        bodies=bodies,
        parameters=(_required(_WHOLE_KEY), _PREFER),
        answer_headers=("Idempotent-Replayed", "Preference-Applied"),
    )


OPERATIONS = (
    Operation(
        "post",
        _POSTS,
        "createPost",
        "Create and optionally publish a post",
        "`publishNow` publishes at once and waits for the outcome on every platform; `scheduledFor` publishes at that "
        "time, never early; otherwise the post is a draft. Shape errors (400) are listed together; only where there "
        "are none, everything the networks and accounts would refuse (422). A repeat of a body with an `externalId` is "
        "answered 200 with the existing post and `Idempotent-Replayed`.",
        PostView,
        {"published": examples.POST, "scheduled": examples.SCHEDULED, "partial": examples.PARTIAL},
        (*_SHAPE, *_RULES, *_KEYED, "externalIdTaken", *ALWAYS),
        status=201,
        body=PostBody,
        bodies=examples.CREATE,
        parameters=(_KEY, _PREFER),
        answer_headers=("Idempotent-Replayed", "Preference-Applied"),
    ),
    Operation(
        "get",
        _POSTS,
        "listPosts",
        "List posts",
        "Newest first, unless `sort` says otherwise. A page never skips or repeats a post while posts are being added. "
        "It holds fewer posts than `limit` if it would be larger than 4 MiB; `hasMore` then says that there are more.",
        PageView,
        {"page": examples.PAGE, "last": {"posts": [examples.POST], "cursor": None, "hasMore": False}},
        ("unknownQuery", "wrongQuery", *ALWAYS),
        parameters=_LIST,
    ),
    Operation(
        "post",
        f"{_POSTS}/validate",
        "validatePost",
        "Check a post without creating it",
        "Answers what creating it would say. For a draft, what the networks will refuse later is a warning. With "
        "`checkMedia` the files are looked at too, if nothing else is wrong: fetched, and held against the networks' "
        "rules.",
        VerdictView,
        {
            "valid": {"valid": True, "errors": [], "warnings": []},
            "invalid": {"valid": False, "errors": examples.ERRORS["platformRule"][1]["errors"], "warnings": []},
        },
        (*WITH_BODY, *ALWAYS),
        body=ValidateBody,
        bodies={**examples.CREATE, "withFiles": {**examples.CREATE["schedule"], "checkMedia": True}},
    ),
    Operation(
        "get",
        _ONE,
        "getPost",
        "Get one post",
        "With full details, per-platform status included.",
        PostView,
        {"published": examples.POST, "partial": examples.PARTIAL},
        ("unknownQuery", "notFound", *ALWAYS),
        parameters=(_POST_ID,),
    ),
    Operation(
        "patch",
        _ONE,
        "updatePost",
        "Change a post, or correct what failed of it",
        "Any field of the create body; a field that is left out stays as it is, in each entry of `platforms` too. A "
        "new `scheduledFor` schedules or reschedules, a draft as well unless `isDraft` true is in the same body; "
        "`shiftBy` moves the time it has; `publishNow` true publishes and keeps the planned time as `plannedFor`; "
        "`isDraft` true takes a post off the schedule. A new `timezone` alone moves a time that was given without an "
        "offset. `null` is refused except for `scheduledFor`, and for a target's `customContent` and `customMedia`, "
        "which it takes away. An answer can be sent back: read-only fields are ignored if they are as the post has "
        "them. Of a post that was published in part or nowhere, it changes what the failed targets will send when "
        "they are retried; a change of what is public, may be public or is just being published is 409. A post that "
        "is held, and was sent nowhere, starts again with the change.",
        PostView,
        {"scheduled": examples.SCHEDULED},
        (*_SHAPE, *_RULES, "notFound", "publishingHasBegun", *_KEYED, *ALWAYS),
        body=PatchBody,
        bodies=examples.PATCH,
        parameters=(_POST_ID, _KEY, _PREFER),
        answer_headers=("Idempotent-Replayed", "Preference-Applied"),
    ),
    Operation(
        "delete",
        _ONE,
        "deletePost",
        "Delete a post",
        "Removes the post from this service. A scheduled post will surely not be published afterwards; one that goes "
        "out just then is not removed, but answered 409. A published one stays on the platforms.",
        DeletedView,
        {"deleted": examples.DELETED},
        ("unknownField", "invalidJson", "notFound", "isPublishing", "tooLarge", "notJson", *_KEYED, *ALWAYS),
        parameters=(_POST_ID, _KEY),
        answer_headers=("Idempotent-Replayed",),
    ),
    Operation(
        "post",
        f"{_ONE}/edit",
        "editPost",
        "Edit a published tweet",
        "X only; needs X Premium; within 1 hour of being published; at most 5 times; text only. An edit makes a new "
        "tweet id; earlier versions stay in `editHistory`.",
        PostView,
        {"edited": examples.POST},
        (
            *WITH_BODY,
            "missingField",
            "notEditable",
            "noPremium",
            "windowClosed",
            "limitReached",
            "textOnly",
            "notFound",
            *_KEYED,
            *ALWAYS,
        ),
        body=EditBody,
        bodies=examples.EDIT,
        parameters=(_POST_ID, _KEY, _PREFER),
        answer_headers=("Idempotent-Replayed", "Preference-Applied"),
    ),
    Operation(
        "post",
        f"{_ONE}/retry",
        "retryPost",
        "Retry the platforms that failed",
        "Published targets are skipped; unconfirmed ones are confirmed first, never sent again blindly. Without a body "
        "all that failed are tried again, with `platforms` those that are named. What the network refused can be "
        "corrected before, by PATCH.",
        PostView,
        {"published": examples.POST, "partial": examples.PARTIAL},
        (*WITH_BODY, "wrongValue", "targetNotFound", "notFound", "nothingToRetry", *_KEYED, *ALWAYS),
        body=RetryBody,
        bodies=examples.RETRY,
        body_required=False,
        parameters=(_POST_ID, _KEY, _PREFER),
        answer_headers=("Idempotent-Replayed", "Preference-Applied"),
    ),
    Operation(
        "post",
        _BULK,
        "createPosts",
        "Create many posts",
        f"Up to {MOST_POSTS} posts, each as `POST /v1/posts` creates it: what is wrong with one is said in its own "
        "result, and the others are created. Each needs an `externalId` or an `idempotencyKey`, so that the same "
        "request, or one with its mistakes mended, can be sent again and creates only what is missing. The answer "
        "waits once for the outcome of all that are published now. Each post counts as a request of the API key.",
        ManyView,
        {"created": examples.CREATED_MANY},
        (*WITH_BODY, "keyRequired", "wrongValue", "keyReused", *ALWAYS),
        body=CreateManyBody,
        bodies=examples.CREATE_MANY,
        parameters=(_WHOLE_KEY, _PREFER),
        answer_headers=("Idempotent-Replayed", "Preference-Applied"),
    ),
    _many_changed(
        "update",
        "Change many posts, or correct what failed of them",
        "Each as `PATCH /v1/posts/{postId}` changes it: either `posts`, each with its own fields, or the same `change` "
        "for all that match a `filter`.",
        {"moved": examples.MOVED_MANY},
        UpdateManyBody,
        examples.UPDATE_MANY,
    ),
    _many_changed(
        "delete",
        "Delete many posts",
        "Each as `DELETE /v1/posts/{postId}` deletes it.",
        {"deleted": examples.DELETED_MANY},
        SelectManyBody,
        examples.SELECT_MANY,
    ),
    _many_changed(
        "retry",
        "Retry many posts",
        "Each as `POST /v1/posts/{postId}/retry` retries all that failed of it.",
        {"retried": examples.RETRIED_MANY},
        SelectManyBody,
        examples.SELECT_MANY,
    ),
    Operation(
        "get",
        "/v1/platforms",
        "listPlatforms",
        "List the networks and their rules",
        "Text limits and how they count, numbers and types of media, what files must be, and the JSON Schema of every "
        "network's settings. Creating and validating go by the same rules; files are held against theirs when they "
        "are fetched, before anything is sent.",
        PlatformsView,
        {
            "platforms": {
                "platforms": [view_of_platform(platforms()["pinterest"]).model_dump(mode="json", by_alias=True)]
            }
        },
        ("unknownQuery", *ALWAYS),
        tag="Platforms",
    ),
    Operation(
        "get",
        f"{_ONE}/attempts",
        "listAttempts",
        "Follow a post's attempts",
        "Every step towards the networks with its times, what the network answered and what was decided upon it.",
        AttemptsView,
        {"attempts": examples.ATTEMPTS},
        ("unknownQuery", "wrongQuery", "notFound", *ALWAYS),
        parameters=(_POST_ID, *_page("attempts", examples.ATTEMPTS_CURSOR)),
    ),
    Operation(
        "get",
        f"{_ONE}/history",
        "getHistory",
        "See who did what to a post",
        "One time line: who created, changed, retried or deleted the post, what it was sent and what became of that. "
        "It outlives the post by a year, or for as long as the operator keeps it. The 500 newest actions of people are "
        "kept. Of content only the names of changed fields are kept.",
        HistoryView,
        {"history": examples.HISTORY},
        ("unknownQuery", "wrongQuery", "notFound", *ALWAYS),
        parameters=(_POST_ID, *_page("events", examples.HISTORY_CURSOR)),
    ),
    Operation(
        "post",
        f"{_ONE}/resolve",
        "resolvePost",
        "Settle an unconfirmed target",
        "If a network's answer was lost and the service cannot confirm the post, say what you found there. "
        "`not_published` makes the target one that can be retried. `platformPostId` may be the address of the post's "
        "page. What a person has said can be corrected so for 7 days, until something else is done for the target.",
        PostView,
        {"resolved": examples.POST},
        (
            *WITH_BODY,
            "missingField",
            "wrongValue",
            "targetNotFound",
            "notFound",
            "nothingToResolve",
            *_KEYED,
            *ALWAYS,
        ),
        body=ResolveBody,
        bodies=examples.RESOLVE,
        parameters=(_POST_ID, _KEY),
        answer_headers=("Idempotent-Replayed",),
    ),
)

"""Every operation of this API as its document describes it; `api.openapi.document` writes it down."""

from pydantic import BaseModel

from api.bulk.bodies import MOST_POSTS, CreateManyBody, SelectManyBody, UpdateManyBody
from api.openapi import bulk_examples, examples
from api.openapi.error_examples import ERRORS
from api.openapi.operation import ALWAYS, WITH_BODY, Json, Operation
from api.openapi.parameters import KEY, KEY_OF_MANY, LIST, POST_ID, PREFER, page, required
from api.platforms import PlatformsView, view_of_platform
from api.posts.answers.views import AttemptsView, DeletedView, ManyView, PageView, PostView, VerdictView
from api.posts.bodies.schemas import EditBody, PatchBody, PostBody, ResolveBody, RetryBody, ValidateBody
from api.posts.history import HistoryView
from platforms.registry import platforms

_SHAPE = ("missingField", "wrongValue", "duplicateTarget", *WITH_BODY)
_KEYED = ("keyReused", "deletedSince")
_RULES = ("platformRule", "accountNotFound", "unknownSetting")
_POSTS = "/v1/posts"
_ONE = "/v1/posts/{postId}"
_BULK = "/v1/posts/bulk"
_MANY = (
    f"At most {MOST_POSTS} posts a request: if more match, `hasMore` is true and `cursor` leads to the next. A "
    "problem of one post is in its own result, and the others are processed. Each post counts as a request of the API "
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
        parameters=(required(KEY_OF_MANY), PREFER),
        answer_headers=("Idempotent-Replayed", "Preference-Applied"),
    )


OPERATIONS = (
    Operation(
        "post",
        _POSTS,
        "createPost",
        "Create and optionally publish a post",
        "`publishNow` publishes immediately and waits for the outcome on every platform; `scheduledFor` publishes at "
        "that time, never early; otherwise the post is a draft. Shape errors (400) are listed together; if there are "
        "none, all that platforms and accounts would refuse (422). A repeat of a body with an `externalId` is "
        "answered 200 with the existing post and `Idempotent-Replayed`.",
        PostView,
        {"published": examples.POST, "scheduled": examples.SCHEDULED, "partial": examples.PARTIAL},
        (*_SHAPE, *_RULES, *_KEYED, "externalIdTaken", *ALWAYS),
        status=201,
        body=PostBody,
        bodies=examples.CREATE,
        parameters=(KEY, PREFER),
        answer_headers=("Idempotent-Replayed", "Preference-Applied"),
    ),
    Operation(
        "get",
        _POSTS,
        "listPosts",
        "List posts",
        "Newest first, unless `sort` says otherwise. Pages neither skip nor repeat a post while posts are being added. "
        "A page holds fewer posts than `limit` if it would be larger than 4 MiB; `hasMore` is then true.",
        PageView,
        {"page": examples.PAGE, "last": {"posts": [examples.POST], "cursor": None, "hasMore": False}},
        ("unknownQuery", "wrongQuery", *ALWAYS),
        parameters=LIST,
    ),
    Operation(
        "post",
        f"{_POSTS}/validate",
        "validatePost",
        "Check a post without creating it",
        "Returns the problems that creating it would return. For drafts, refusals by platforms are warnings. With "
        "`checkMedia` the files are checked too, if nothing else is wrong: fetched, and compared with the platforms' "
        "rules.",
        VerdictView,
        {
            "valid": {"valid": True, "errors": [], "warnings": []},
            "invalid": {"valid": False, "errors": ERRORS["platformRule"][1]["errors"], "warnings": []},
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
        "With all details, and the status of each target.",
        PostView,
        {"published": examples.POST, "partial": examples.PARTIAL},
        ("unknownQuery", "notFound", *ALWAYS),
        parameters=(POST_ID,),
    ),
    Operation(
        "patch",
        _ONE,
        "updatePost",
        "Change a post, or correct its failed targets",
        "Any field of the create body; a field that is left out stays as it is, in each entry of `platforms` too. A "
        "new `scheduledFor` schedules or reschedules, a draft as well unless `isDraft` true is in the same body; "
        "`shiftBy` moves the time it has; `publishNow` true publishes and keeps the planned time as `plannedFor`; "
        "`isDraft` true takes a post off the schedule. A new `timezone` alone moves a time that was given without an "
        "offset. `null` is refused except for `scheduledFor`, and for a target's `customContent` and `customMedia`, "
        "which it removes. The body of an answer can be sent back: read-only fields are ignored if they equal the "
        "post's. Once publishing has begun, only targets that have failed or wait can be changed: a failed one sends "
        "the change when it is retried. A change of a target that is public, may be public or is being published is "
        "409. If a target is held and nothing was sent, publishing starts again with the change.",
        PostView,
        {"scheduled": examples.SCHEDULED},
        (*_SHAPE, *_RULES, "notFound", "publishingHasBegun", *_KEYED, *ALWAYS),
        body=PatchBody,
        bodies=examples.PATCH,
        parameters=(POST_ID, KEY, PREFER),
        answer_headers=("Idempotent-Replayed", "Preference-Applied"),
    ),
    Operation(
        "delete",
        _ONE,
        "deletePost",
        "Delete a post",
        "Removes the post from this service. A scheduled post is certainly not published afterwards; if it is "
        "being published, it is not removed, and the answer is 409. A published one stays on the platforms.",
        DeletedView,
        {"deleted": examples.DELETED},
        ("unknownField", "invalidJson", "notFound", "isPublishing", "tooLarge", "notJson", *_KEYED, *ALWAYS),
        parameters=(POST_ID, KEY),
        answer_headers=("Idempotent-Replayed",),
    ),
    Operation(
        "post",
        f"{_ONE}/edit",
        "editPost",
        "Edit a published tweet",
        "Only on X, with X Premium, within 1 hour of being published, at most 5 times, and only the text. An edit "
        "gives the tweet a new id; earlier versions stay in `editHistory`.",
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
        parameters=(POST_ID, KEY, PREFER),
        answer_headers=("Idempotent-Replayed", "Preference-Applied"),
    ),
    Operation(
        "post",
        f"{_ONE}/retry",
        "retryPost",
        "Retry the platforms that failed",
        "Without a body all failed targets are tried again, with `platforms` only the named ones. Published targets "
        "are skipped. Unconfirmed ones are looked for on their platform first, and never sent again blindly. If a "
        "platform refused the content, correct it by PATCH first.",
        PostView,
        {"published": examples.POST, "partial": examples.PARTIAL},
        (*WITH_BODY, "wrongValue", "targetNotFound", "notFound", "nothingToRetry", *_KEYED, *ALWAYS),
        body=RetryBody,
        bodies=examples.RETRY,
        body_required=False,
        parameters=(POST_ID, KEY, PREFER),
        answer_headers=("Idempotent-Replayed", "Preference-Applied"),
    ),
    Operation(
        "post",
        _BULK,
        "createPosts",
        "Create many posts",
        f"Up to {MOST_POSTS} posts, each as `POST /v1/posts` creates it: a problem of one is in its own result, "
        "and the others are created. Each needs an `externalId` or an `idempotencyKey`, so that the same "
        "request, or one with its mistakes corrected, can be sent again and creates only what is missing. The answer "
        "waits once for the outcome of all that are published now. Each post counts as a request of the API key.",
        ManyView,
        {"created": bulk_examples.CREATED_MANY},
        (*WITH_BODY, "keyRequired", "wrongValue", "keyReused", *ALWAYS),
        body=CreateManyBody,
        bodies=bulk_examples.CREATE_MANY,
        parameters=(KEY_OF_MANY, PREFER),
        answer_headers=("Idempotent-Replayed", "Preference-Applied"),
    ),
    _many_changed(
        "update",
        "Change many posts, or correct their failed targets",
        "Each as `PATCH /v1/posts/{postId}` changes it: either `posts`, each with its own fields, or the same `change` "
        "for all that match a `filter`.",
        {"moved": bulk_examples.MOVED_MANY},
        UpdateManyBody,
        bulk_examples.UPDATE_MANY,
    ),
    _many_changed(
        "delete",
        "Delete many posts",
        "Each as `DELETE /v1/posts/{postId}` deletes it.",
        {"deleted": bulk_examples.DELETED_MANY},
        SelectManyBody,
        bulk_examples.SELECT_MANY,
    ),
    _many_changed(
        "retry",
        "Retry many posts",
        "Each as `POST /v1/posts/{postId}/retry` retries all of its failed targets.",
        {"retried": bulk_examples.RETRIED_MANY},
        SelectManyBody,
        bulk_examples.SELECT_MANY,
    ),
    Operation(
        "get",
        "/v1/platforms",
        "listPlatforms",
        "List the platforms and their rules",
        "The limits of texts and how they are counted, the numbers and types of media, the limits of files, and the "
        "JSON Schema of every platform's settings. Posts are checked against the same rules when they are created or "
        "validated; files when they are fetched, before anything is sent.",
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
        "List a post's attempts",
        "Every step towards the platforms with its times, the platform's answer and the decision on it.",
        AttemptsView,
        {"attempts": examples.ATTEMPTS},
        ("unknownQuery", "wrongQuery", "notFound", *ALWAYS),
        parameters=(POST_ID, *page("attempts", examples.ATTEMPTS_CURSOR)),
    ),
    Operation(
        "get",
        f"{_ONE}/history",
        "getHistory",
        "List who did what to a post",
        "Who created, changed, retried or deleted the post, the steps towards the platforms, and their outcome. It is "
        "kept for a year after the post, or as long as the operator has set. It holds the 500 newest actions of "
        "people. Of content it holds only the names of changed fields.",
        HistoryView,
        {"history": examples.HISTORY},
        ("unknownQuery", "wrongQuery", "notFound", *ALWAYS),
        parameters=(POST_ID, *page("events", examples.HISTORY_CURSOR)),
    ),
    Operation(
        "post",
        f"{_ONE}/resolve",
        "resolvePost",
        "Settle an unconfirmed target",
        "If a platform's answer was lost and the service cannot confirm the post, report what you found there. A "
        "target that is `not_published` can be retried. `platformPostId` may be the address of the post's page. A "
        "report can be corrected in the same way for 7 days, unless the target was retried since.",
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
        parameters=(POST_ID, KEY),
        answer_headers=("Idempotent-Replayed",),
    ),
)

"""The operations on posts, as the API routes them and its document describes them."""

from api.http.operation import WITH_BODY, Operation
from api.http.parameters import KEY, PREFER, page
from api.posts.answers.views import AttemptsView, DeletedView, PageView, PostView, VerdictView
from api.posts.bodies.schemas import EditBody, PatchBody, PostBody, ResolveBody, RetryBody, ValidateBody
from api.posts.counts import MOST_COUNTED, MOST_DAYS, CountsView
from api.posts.deleted import DeletionsView
from api.posts.history import HistoryView
from api.posts.list_parameters import COUNTS, LIST

_SHAPE = ("missingField", "wrongValue", "duplicateTarget", *WITH_BODY)
_KEYED = ("keyReused", "deletedSince")
_RULES = ("platformRule", "accountNotFound", "unknownSetting", "queueFull", "queueUnknown", "ambiguousQueue")
_CHAIN = ("afterUnknown", "chainCircle", "chainTooLong", "afterFailed")
_CAMPAIGN = ("campaignUnknown", "outsideWindow", "campaignEnded")

CREATE_POST = Operation(
    route="POST /v1/posts",
    description=(
        "`publishNow` publishes immediately and waits for the outcome on every platform; `scheduledFor` publishes "
        "at that time, never early, and `queue` in the first free slot of a queue; otherwise the post is a draft. "
        "Shape errors (400) are listed together; if there are none, all that platforms and accounts would refuse "
        "(422). A repeat of a body with an `externalId` is answered 200 with the existing post and "
        "`Idempotent-Replayed`."
    ),
    answer=PostView,
    errors=(*_SHAPE, *_RULES, *_CAMPAIGN, *_CHAIN, "paused", *_KEYED, "externalIdTaken"),
    status=201,
    other_status=200,
    body=PostBody,
    parameters=(KEY, PREFER),
    writes_post=True,
)
LIST_POSTS = Operation(
    route="GET /v1/posts",
    description=(
        "Newest first, unless `sort` says otherwise. Pages neither skip nor repeat a post while posts are being "
        "added. A page holds fewer posts than `limit` if it would be larger than 4 MiB; `hasMore` is then true."
    ),
    answer=PageView,
    errors=("unknownQuery", "wrongQuery"),
    parameters=LIST,
)
COUNT_POSTS = Operation(
    route="GET /v1/posts/counts",
    description=(
        "The numbers of the posts that `GET /v1/posts` lists for the same filters: in all, and of each status, "
        f"platform or day. To count by a day, give the first and the last one: at most {MOST_DAYS} days. At most "
        f"{MOST_COUNTED:,} posts may match."
    ),
    answer=CountsView,
    errors=("unknownQuery", "wrongQuery"),
    parameters=COUNTS,
)
LIST_DELETED_POSTS = Operation(
    route="GET /v1/posts/deleted",
    description=(
        "Who deleted which posts, the last one first. It is kept for a year, or as long as the operator has set. "
        "The content of a deleted post is kept nowhere; `GET /v1/posts/{postId}/history` has what happened to it."
    ),
    answer=DeletionsView,
    errors=("unknownQuery", "wrongQuery"),
    parameters=page("posts"),
)
VALIDATE_POST = Operation(
    route="POST /v1/posts/validate",
    description=(
        "Returns the problems that creating it would return. For drafts, refusals by platforms are warnings. With "
        "`checkMedia` the files are checked too, if nothing else is wrong: fetched, and compared with the "
        "platforms' rules."
    ),
    answer=VerdictView,
    errors=WITH_BODY,
    body=ValidateBody,
)
GET_POST = Operation(
    route="GET /v1/posts/{postId}",
    description="With all details, and the status of each target.",
    answer=PostView,
    errors=("unknownQuery", "notFound"),
)
UPDATE_POST = Operation(
    route="PATCH /v1/posts/{postId}",
    description=(
        "Any field of the create body; a field that is left out stays as it is, in each entry of `platforms` too. "
        "A new `scheduledFor` schedules or reschedules, a draft as well unless `isDraft` true is in the same body; "
        "`shiftBy` moves the time it has; `queue` gives it the first free slot of a queue; "
        "`publishNow` true publishes and keeps the planned time as `plannedFor`; "
        "`isDraft` true takes a post off the schedule. A new `timezone` alone moves a time that was given without "
        "an offset. `null` is refused except for `scheduledFor`, for `campaignId`, which takes the post out of its "
        "campaign, for `after`, which ends its waiting, and for a target's `customContent` and `customMedia`, which "
        "it removes. The body of an answer can "
        "be sent back: read-only fields are ignored if they equal the post's. Once publishing has begun, only targets "
        "that have failed or wait can be changed: a failed one sends the change when it is retried, and `platforms` "
        "names those to correct; before, it is the whole list, and a target that it does not name is removed. A change "
        "of a target that is public, may be public or is being published is 409. If a target is held and nothing was "
        "sent, publishing starts again with the change."
    ),
    answer=PostView,
    errors=(*_SHAPE, *_RULES, *_CAMPAIGN, *_CHAIN, "notFound", "publishingHasBegun", "paused", *_KEYED),
    body=PatchBody,
    parameters=(KEY, PREFER),
    writes_post=True,
)
DELETE_POST = Operation(
    route="DELETE /v1/posts/{postId}",
    description=(
        "Removes the post from this service. A scheduled post is certainly not published afterwards; if it is "
        "being published, or was published after the request had come, it is not removed, and the answer is 409. "
        "A published one stays on the platforms, and the answer has its `status`."
    ),
    answer=DeletedView,
    errors=("unknownField", "invalidJson", "notFound", "isPublishing", "tooLarge", "notJson", *_KEYED),
    parameters=(KEY,),
    writes_post=True,
)
EDIT_POST = Operation(
    route="POST /v1/posts/{postId}/edit",
    description=(
        "Only on X, with X Premium, within 1 hour of being published, at most 5 times, and only the text. An edit "
        "gives the tweet a new id and keeps its pictures or video; earlier versions stay in `editHistory`."
    ),
    answer=PostView,
    errors=(
        *WITH_BODY,
        "missingField",
        "notEditable",
        "noPremium",
        "windowClosed",
        "limitReached",
        "textOnly",
        "notFound",
        *_KEYED,
    ),
    body=EditBody,
    parameters=(KEY, PREFER),
    writes_post=True,
)
RETRY_POST = Operation(
    route="POST /v1/posts/{postId}/retry",
    description=(
        "Without a body all failed targets are tried again, with `platforms` only the named ones. Published "
        "targets are skipped. Unconfirmed ones are looked for on their platform first, and never sent again "
        "blindly. If a platform refused the content, correct it by PATCH first."
    ),
    answer=PostView,
    errors=(*WITH_BODY, "wrongValue", "targetNotFound", "notFound", "nothingToRetry", "paused", *_KEYED),
    body=RetryBody,
    body_required=False,
    parameters=(KEY, PREFER),
    writes_post=True,
)
LIST_ATTEMPTS = Operation(
    route="GET /v1/posts/{postId}/attempts",
    description="Every step towards the platforms with its times, the platform's answer and the decision on it.",
    answer=AttemptsView,
    errors=("unknownQuery", "wrongQuery", "notFound"),
    parameters=page("attempts"),
)
GET_HISTORY = Operation(
    route="GET /v1/posts/{postId}/history",
    description=(
        "Who created, changed, retried or deleted the post, the steps towards the platforms, and their outcome. It "
        "is kept for a year after the post, or as long as the operator has set. It holds the 500 newest actions of "
        "people. Of content it holds only the names of changed fields."
    ),
    answer=HistoryView,
    errors=("unknownQuery", "wrongQuery", "notFound"),
    parameters=page("events"),
)
RESOLVE_POST = Operation(
    route="POST /v1/posts/{postId}/resolve",
    description=(
        "If a platform's answer was lost and the service cannot confirm the post, report what you found there. A "
        "target that is `not_published` can be retried. `platformPostId` may be the address of the post's page. A "
        "report can be corrected in the same way for 7 days, unless the target was retried since."
    ),
    answer=PostView,
    errors=(
        *WITH_BODY,
        "missingField",
        "wrongValue",
        "targetNotFound",
        "notFound",
        "nothingToResolve",
        *_KEYED,
    ),
    body=ResolveBody,
    parameters=(KEY,),
    writes_post=True,
)

"""The operations on many posts, as the API routes them and its document describes them."""

from pydantic import BaseModel

from api.bulk.bodies import MOST_POSTS, CreateManyBody, SelectManyBody, UpdateManyBody, ValidateManyBody
from api.bulk.views import BulkResultView, BulkVerdictView
from api.http.operation import WITH_BODY, Operation
from api.http.parameters import KEY_OF_MANY, PREFER, required

_MANY = (
    f"At most {MOST_POSTS} posts a request: if more match, `hasMore` is true and `cursor` leads to the next. A "
    "problem of one post is in its own result, and the others are processed. Each counts as a post of the workspace."
)


def _many_changed(verb: str, rule: str, body: type[BaseModel]) -> Operation:
    """Return an operation that does the same to each of many posts as `rule` says."""
    return Operation(
        route=f"POST /v1/posts/bulk/{verb}",
        description=f"{rule} {_MANY}",
        answer=BulkResultView,
        errors=(*WITH_BODY, "keyMissing", "wrongValue", "keyReused"),
        body=body,
        parameters=(required(KEY_OF_MANY), PREFER),
    )


CREATE_POSTS = Operation(
    route="POST /v1/posts/bulk",
    description=(
        f"Up to {MOST_POSTS} posts, each as `POST /v1/posts` creates it: a problem of one is in its own result, "
        "and the others are created. Each needs an `externalId` or an `idempotencyKey`, so that the same request, "
        "or one with its mistakes corrected, can be sent again and creates only what is missing. The answer waits "
        "once for the outcome of all that are published now. Each counts as a post of the workspace."
    ),
    answer=BulkResultView,
    errors=(*WITH_BODY, "keyRequired", "wrongValue", "keyReused"),
    body=CreateManyBody,
    parameters=(KEY_OF_MANY, PREFER),
)
VALIDATE_POSTS = Operation(
    route="POST /v1/posts/bulk/validate",
    description=(
        f"The body that creates them, of up to {MOST_POSTS} posts. Returns for each what `POST /v1/posts/validate` "
        "returns, in the order of the request. Each counts as a post of the workspace."
    ),
    answer=BulkVerdictView,
    errors=(*WITH_BODY, "keyRequired", "wrongValue"),
    body=ValidateManyBody,
)
UPDATE_POSTS = _many_changed(
    "update",
    "Each as `PATCH /v1/posts/{postId}` changes it: either `posts`, each with its own fields, or the same `change` "
    "for all that match a `filter`.",
    UpdateManyBody,
)
DELETE_POSTS = _many_changed(
    "delete",
    "Each as `DELETE /v1/posts/{postId}` deletes it.",
    SelectManyBody,
)
RETRY_POSTS = _many_changed(
    "retry",
    "Each as `POST /v1/posts/{postId}/retry` retries all of its failed targets.",
    SelectManyBody,
)

"""The operations on API keys, as the API routes them and its document describes them."""

from api.http.operation import WITH_BODY, Operation
from api.http.parameters import page
from api.keys.schemas import CallerView, KeyBody, KeyPageView, KeyView, NewKeyView, RotationBody

GET_CALLER = Operation(
    route="GET /v1/me",
    description=(
        "The workspace of the key, the key's scopes, what is left of its limits, and what the workspace uses. Every "
        "key may ask."
    ),
    answer=CallerView,
    errors=("unknownQuery",),
)
CREATE_KEY = Operation(
    route="POST /v1/api-keys",
    description=(
        "The new key belongs to the workspace of the caller's key. It has no scope that the caller's lacks, ends "
        "no later, and may make no more requests. The answer is the only one with the key itself; if it is lost, "
        "revoke the key and create another."
    ),
    answer=NewKeyView,
    errors=("missingField", *WITH_BODY, "keyGivesMore", "keyOutlives", "keyFaster", "tooManyKeys"),
    status=201,
    body=KeyBody,
)
LIST_KEYS = Operation(
    route="GET /v1/api-keys",
    description="Without the keys themselves, the newest first.",
    answer=KeyPageView,
    errors=("unknownQuery", "wrongQuery"),
    parameters=page("keys"),
)
ROTATE_KEY = Operation(
    route="POST /v1/api-keys/{keyId}/rotate",
    description=(
        "Creates a key of the same name, scopes and rate, which expires when the old one would have; the old one ends "
        "after the overlap. A key that is being replaced is not replaced again."
    ),
    answer=NewKeyView,
    errors=(*WITH_BODY, "keyGivesMore", "keyOutlives", "keyFaster", "keyNotFound", "keyEnded", "tooManyKeys"),
    status=201,
    body=RotationBody,
    body_required=False,
)
REVOKE_KEY = Operation(
    route="DELETE /v1/api-keys/{keyId}",
    description=(
        "Every API process refuses it within 2 seconds. A key that is revoked already stays as it is. Only an operator "
        "revokes a key with a scope that the caller's lacks."
    ),
    answer=KeyView,
    errors=("unknownQuery", "keyNotFound"),
)

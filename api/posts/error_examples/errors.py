"""Examples of every error that the API can answer with."""

from typing import Any

from api.errors import error_type
from api.posts.error_examples import accounts, campaigns, events, imports, plans, posts, requests, uploads

_TARGETS = ({"platform": "instagram", "accountId": "ig_123"}, {"platform": "twitter", "accountId": "tw_456"})


def error(status: int, sentence: str, code: str, param: str | None = None) -> dict[str, Any]:
    """Return an error's body as it is answered; the post's targets are those of the contract's example."""
    kind = error_type(status, idempotency=code.startswith("idempotency"))
    body: dict[str, Any] = {"error": sentence, "type": kind, "code": code}
    if param:
        body["param"] = param
    problem: dict[str, Any] = {"error": sentence, "code": code, "param": param}
    if code == "external_id_taken":
        body["postId"] = problem["postId"] = sentence.partition(" ")[0]
    if param and param.startswith("rows."):
        problem["row"] = int(param.split(".")[1])
    if param and (param == "mediaItems" or param.startswith("platforms.")):
        problem |= _TARGETS[int(param.split(".")[1]) if "." in param else 0]
    return {**body, "errors": [problem]}


ERRORS: dict[str, tuple[int, dict[str, Any]]] = {
    name: (status, error(status, sentence, code, param))
    for part in (requests, posts, campaigns, plans, imports, events, uploads, accounts)
    for name, status, sentence, code, param in part.EXAMPLES
}
"""By name: the status and body of each error, for the operations that can answer with it."""

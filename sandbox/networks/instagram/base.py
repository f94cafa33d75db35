"""How Instagram words its errors, reads its parameters and numbers its things."""

import re
import secrets
from abc import ABC
from typing import Any

import msgspec

from sandbox.accounts import Account
from sandbox.ids import Scrambled
from sandbox.journal import Shelf
from sandbox.posts import Shown
from sandbox.twin import Route, Twin
from sandbox.wire import Answer, MalformedBodyError, RefusedError, Request
from sandbox.world import World

EPOCH_MILLISECONDS = 1_767_225_600_000
"""1 January 2026; the ids last until the middle of 2035."""
FIRST_ID = 17_800_000_000_000_000
ID_RANGE = 300_000_000_000_000
"""Ids of 17 digits that begin with 178, 179 or 180, as containers and media of Instagram have them."""

CONTAINER_SECONDS = 86_400
"""An unpublished container expires after a day."""

_VERSION = re.compile(r"^/v\d+\.\d+(?=/)")
_USAGE = '{"call_count":0,"total_cputime":0,"total_time":0}'


class Container(msgspec.Struct, rename="camel"):
    """Be one container. Times are seconds since 1970."""

    id: str
    account_id: str
    kind: str
    created_at: float
    ready_at: float
    caption: str = ""
    is_child: bool = False
    media: list[Shown] = []
    error: str | None = None
    media_id: str | None = None

    def status_code(self, now: float) -> str:
        """Return the status as Instagram tells it."""
        if self.media_id is not None:
            return "PUBLISHED"
        if self.error is not None:
            return "ERROR"
        if now - self.created_at >= CONTAINER_SECONDS:
            return "EXPIRED"
        return "FINISHED" if now >= self.ready_at else "IN_PROGRESS"


class Comment(msgspec.Struct, rename="camel"):
    """Be one comment."""

    id: str
    media_id: str
    account_id: str
    text: str
    created_at: float


def graph_error(
    message: str,
    code: int,
    subcode: int | None = None,
    *,
    user_message: str | None = None,
    is_transient: bool = False,
    data: dict[str, Any] | None = None,
    status: int = 400,
) -> Answer:
    """Word an error the way Meta's Graph API does."""
    error: dict[str, Any] = {"message": message, "type": "OAuthException", "code": code}
    if subcode is not None:
        error["error_subcode"] = subcode
    if data is not None:
        error["error_data"] = data
    error["is_transient"] = is_transient
    if user_message is not None:
        error["error_user_title"] = message
        error["error_user_msg"] = user_message
    error["fbtrace_id"] = f"A{secrets.token_urlsafe(16)}"
    return Answer.json({"error": error}, status)


def refused(
    message: str, code: int, subcode: int | None = None, user_message: str | None = None, *, is_transient: bool = False
) -> RefusedError:
    """Refuse a request in Meta's words."""
    return RefusedError(graph_error(message, code, subcode, user_message=user_message, is_transient=is_transient))


def invalid(message: str, user_message: str | None = None) -> RefusedError:
    """Refuse a parameter."""
    return refused(f"(#100) {message}", 100, None, user_message)


def missing_object(object_id: str, verb: str = "get") -> RefusedError:
    """Say that there is no such object, or none that this token may see."""
    return refused(
        f"Unsupported {verb} request. Object with ID '{object_id}' does not exist, cannot be loaded due to missing "
        "permissions, or does not support this operation.",
        100,
        33,
    )


class GraphTwin(Twin, ABC):
    """Hold what all of Instagram's routes share."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.ids = Scrambled(world.now, EPOCH_MILLISECONDS, FIRST_ID, ID_RANGE)
        self.containers: Shelf[Container] = world.shelf("instagram", "container", Container)
        self.comments: Shelf[Comment] = world.shelf("instagram", "comment", Comment)
        self.attempted: set[str] = set()
        """Containers that somebody asked to publish; reading one of them is to confirm, no longer to prepare."""

    def failure(self, status: int, message: str | None = None) -> Answer:
        """Word a failure by its status alone."""
        if status >= 500:
            return graph_error(
                message or "An unexpected error has occurred. Please retry your request later.",
                2,
                is_transient=True,
                status=status,
            )
        return graph_error(message or "Unknown path components", 2500, status=status)

    def unauthorized(self) -> Answer:
        """Word an unknown or missing token."""
        return graph_error("Invalid OAuth access token - Cannot parse access token", 190)

    def token_expired(self) -> Answer:
        """Word an expired token."""
        return graph_error("Error validating access token: Session has expired.", 190, 463)

    def rate_limited(self, seconds: float) -> Answer:
        """Word a reached limit; Meta tells the wait in whole minutes, so less than half a minute reads 0."""
        usage = {
            "type": "instagram",
            "call_count": 100,
            "total_cputime": 25,
            "total_time": 25,
            "estimated_time_to_regain_access": round(seconds / 60),
        }
        answer = graph_error("(#4) Application request limit reached", 4, is_transient=True, status=429)
        business = msgspec.json.encode({"17841400000000000": [usage]}).decode()
        return answer.with_headers(
            {
                "X-Business-Use-Case-Usage": business,
                "X-App-Usage": '{"call_count":100,"total_cputime":25,"total_time":25}',
            }
        )

    def inner_path(self, path: str) -> str:
        """Strip the version; every one is served alike."""
        return _VERSION.sub("", path)

    async def serve(self, found: Route, request: Request) -> Answer:
        """Answer with Meta's own headers."""
        try:
            answer = await found.handler(request)
        except RefusedError as error:
            answer = error.answer
        return answer.with_headers({"X-App-Usage": _USAGE, "x-fb-request-id": secrets.token_urlsafe(12)})

    def token(self, request: Request) -> str:
        """Return the token from header, query or body."""
        return request.bearer or str(parameters(request).get("access_token", ""))

    def owner(self, request: Request) -> Account:
        """Return whose request it is; refuses other accounts than the token's own in the path."""
        account = self.account(request)
        if request.params["id"] not in (account.user_id, "me"):
            raise missing_object(request.params["id"], request.method.lower())
        return account


def parameters(request: Request) -> dict[str, Any]:
    """Merge the parameters of query and body (form or JSON); the body counts more."""
    merged: dict[str, Any] = dict(request.query)
    if not request.body:
        return merged
    try:
        if request.is_json:
            body = request.json()
            return merged | body if isinstance(body, dict) else merged
        return merged | request.form()
    except MalformedBodyError as error:
        raise invalid("The request body could not be read.") from error


def json_parameter(values: dict[str, Any], name: str) -> Any:
    """Return a parameter that may come as JSON text; None where it is missing."""
    value = values.get(name)
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError as error:
        raise invalid(f"param {name} must be valid JSON.") from error


def list_parameter(values: dict[str, Any], name: str) -> list[str]:
    """Return a parameter that is a list, as JSON or with commas between."""
    value = values.get(name)
    if isinstance(value, str) and not value.startswith("["):
        return [part.strip() for part in value.split(",") if part.strip()]
    found = json_parameter(values, name)
    if found is None:
        return []
    if not isinstance(found, list):
        raise invalid(f"param {name} must be an array.")
    return [str(part) for part in found]


def flag(values: dict[str, Any], name: str) -> bool | None:
    """Return a parameter that is true or false, or None where it is missing."""
    value = values.get(name)
    if value is None or isinstance(value, bool):
        return value
    if str(value).lower() not in ("true", "false", "1", "0"):
        raise invalid(f"param {name} must be a boolean.")
    return str(value).lower() in ("true", "1")


def selected(available: dict[str, Any], wanted: str, node: str) -> dict[str, Any]:
    """Return the wanted fields of an object and always its id; refuses fields that it does not have."""
    names = [name.partition("{")[0].strip() for name in wanted.split(",") if name.strip()]
    for name in names:
        if name not in available:
            raise invalid(f"Tried accessing nonexisting field ({name}) on node type ({node})")
    found = {name: available[name] for name in names if available[name] is not None}
    return found | {"id": available["id"]}

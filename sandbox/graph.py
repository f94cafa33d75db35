"""The errors and parameters of Meta's Graph API, the same on Facebook, Instagram and Threads."""

import hashlib
import hmac
import re
import secrets
from abc import ABC
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec

from sandbox.accounts import Account
from sandbox.authorization import PLAY_SECRET
from sandbox.fake_platform import FakePlatform, Route, own
from sandbox.journal import Collection, Scrambled
from sandbox.posts import PublicPost
from sandbox.wire import Answer, MalformedBodyError, RefusedError, Request
from sandbox.world import World

_VERSION = re.compile(r"^/v\d+\.\d+(?=/)")
_IDLE = '{"call_count":0,"total_cputime":0,"total_time":0}'
_BUSY = '{"call_count":100,"total_cputime":25,"total_time":25}'


APP_SECRET = PLAY_SECRET
"""The secret of the app that owns all tokens of Meta's platforms here."""


class Comment(msgspec.Struct, rename="camel"):
    """One comment."""

    id: str
    post_id: str
    account_id: str
    message: str
    created_at: float


class FakeGraph(FakePlatform, ABC):
    """State and methods that the routes of all of Meta's platforms share."""

    limit: ClassVar[tuple[str, int, int]] = ("(#4) Application request limit reached", 4, 429)
    """The text, the code and the status of a reached limit."""
    refuses_app_for = frozenset({"prepare", "publish"})
    conditions = {  # noqa: RUF012
        "app_secret_required": f"Calls need an appsecret_proof; the app's secret is {APP_SECRET!r}.",
        "token_ended_as_24": "All calls are answered with code 24, as those with an expired token have been.",
        "reads_refused": "Reads of containers and posts answer 100/33, although these exist and can be published.",
    }
    usage_type: ClassVar[str | None] = None
    """The subject of the header that says when a reached limit ends; None if there is no such header."""

    ids: Scrambled

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.comments: Collection[Comment] = world.collection(self.platform, "comment", Comment)

    def app_refused(self) -> Answer:
        """Return the response to an app that may not call the API."""
        return graph_error("API access blocked.", 200)

    def failure(self, status: int, message: str | None = None) -> Answer:
        """Return the response to a failure, by its status alone."""
        if status >= 500:
            text = message or "An unexpected error has occurred. Please retry your request later."
            return graph_error(text, 2, is_transient=True, status=status)
        return graph_error(message or "Unknown path components", 2500, status=status)

    def refused_content(self) -> Answer:
        """Return the response to a post that does not pass validation."""
        return graph_error("Invalid parameter", 100)

    def unauthorized(self) -> Answer:
        """Return the response to an unknown or missing token."""
        return graph_error("Invalid OAuth access token - Cannot parse access token", 190)

    def token_expired(self) -> Answer:
        """Return the response to an expired token."""
        return graph_error("Error validating access token: Session has expired.", 190, 463)

    def rate_limited(self, seconds: float) -> Answer:
        """Return the response to a reached limit.

        Meta gives the wait in whole minutes: less than half a minute reads 0.
        """
        words, code, status = self.limit
        answer = graph_error(words, code, is_transient=True, status=status).with_headers({"X-App-Usage": _BUSY})
        if self.usage_type is None:
            return answer
        usage = {
            "type": self.usage_type,
            "call_count": 100,
            "total_cputime": 25,
            "total_time": 25,
            "estimated_time_to_regain_access": round(seconds / 60),
        }
        business = msgspec.json.encode({"17841400000000000": [usage]}).decode()
        return answer.with_headers({"X-Business-Use-Case-Usage": business})

    def inner_path(self, path: str) -> str:
        """Strip the version; all versions are served alike."""
        return _VERSION.sub("", path).rstrip("/") or "/"

    def signature(self) -> dict[str, str]:
        """Return Meta's own headers."""
        trace = {"x-fb-request-id": secrets.token_urlsafe(12), "x-fb-trace-id": secrets.token_urlsafe(8)}
        return {"X-App-Usage": _IDLE, **trace}

    def gate(self, route: Route, request: Request) -> dict[str, str]:
        """Refuse a wrong proof of the app's secret, and a missing one if the app requires it."""
        account = self.sender(request)
        # It is not known whether the host that receives reels requires a proof; it accepts no parameters.
        if account is None or request.path.startswith("/video-upload/"):
            return {}
        if self.holds("token_ended_as_24", account):
            raise refused("The requested resource does not exist", 24)
        proof = parameters(request).get("appsecret_proof")
        if proof is None and self.holds("app_secret_required", account):
            words = "API calls from the server require an appsecret_proof argument"
            raise RefusedError(graph_error(words, 100, kind="GraphMethodException"))
        expected = hmac.new(APP_SECRET.encode(), self.token(request).encode(), hashlib.sha256).hexdigest()
        if proof not in (None, expected):
            words = "Invalid appsecret_proof provided in the API argument"
            raise RefusedError(graph_error(words, 100, kind="GraphMethodException"))
        return {}

    def malformed(self, reason: str) -> Answer:
        """Return the response to a body that cannot be read."""
        return graph_error("(#100) The request body could not be read.", 100)

    def token(self, request: Request) -> str:
        """Return the token from the header (`Bearer`, or `OAuth` for uploads), the query or the body."""
        scheme, _, token = request.header("authorization").partition(" ")
        if scheme.lower() in {"bearer", "oauth"}:
            return token.strip()
        return str(parameters(request).get("access_token", ""))

    def debugged(self, account: Account | None, token: str, granted: list[str], **more: Any) -> Answer:
        """Return the answer of /debug_token to a token; the account is None if the token is unknown."""
        if account is None or self.world.accounts.has_ended(self.platform, token):
            error = {"code": 190, "message": "The session is invalid.", "subcode": 463}
            return Answer.json({"data": {"is_valid": False, "error": error, "scopes": []}})
        ends = int(self.world.accounts.token_ends(account, token) or 0)
        data = {"is_valid": True, "expires_at": ends, "issued_at": int(self.world.now()), "scopes": granted}
        return Answer.json({"data": {**data, "application": "Sandbox", **more}})

    def own_post(self, request: Request) -> tuple[Account, PublicPost]:
        """Return the account that sends the request, and its post."""
        account, post_id = self.account(request), request.params["id"]
        return account, own(self.visible_post(post_id), account, missing_object(post_id, request.method.lower()))

    def write_comment(self, request: Request, prefix: str = "", longest: int | None = None) -> Answer:
        """Write a comment below a post."""
        account, post = self.own_post(request)
        message = str(parameters(request).get("message") or "")
        if not message or len(message) > (longest or len(message)):
            raise invalid(f"param message must have 1 to {longest or 'any number of'} characters.")
        comment = Comment(
            f"{prefix}{self.ids.next()}", post.platform_post_id, account.account_id, message, self.world.now()
        )
        self.comments.put(comment.id, comment)
        post.note = message
        self.world.posts.changed(post)
        return Answer.json({"id": comment.id})

    def comments_below(self, request: Request, text: str, time: str) -> list[dict[str, object]]:
        """Return the comments below a post, oldest first; `text` and `time` are the names of their fields."""
        self.account(request)
        return [
            {"id": comment.id, text: comment.message, time: timestamp(comment.created_at)}
            for comment in self.comments
            if comment.post_id == request.params["id"]
        ]

    def owner(self, request: Request) -> Account:
        """Return the account that sends the request; refuses a path that names another account."""
        account = self.account(request)
        if request.params["id"] not in (account.user_id, "me"):
            raise missing_object(request.params["id"], request.method.lower())
        return account


def graph_error(
    message: str,
    code: int,
    subcode: int | None = None,
    *,
    user_message: str | None = None,
    is_transient: bool = False,
    data: dict[str, Any] | None = None,
    status: int = 400,
    kind: str = "OAuthException",
) -> Answer:
    """Return an error in the form of Meta's Graph API."""
    error: dict[str, Any] = {"message": message, "type": kind, "code": code}
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
    """Refuse a request with one of Meta's errors."""
    return RefusedError(graph_error(message, code, subcode, user_message=user_message, is_transient=is_transient))


def invalid(message: str) -> RefusedError:
    """Refuse a parameter."""
    return refused(f"(#100) {message}", 100)


def missing_object(object_id: str, verb: str = "get") -> RefusedError:
    """Return the error for an object that does not exist or that this token may not see."""
    return refused(
        f"Unsupported {verb} request. Object with ID '{object_id}' does not exist, cannot be loaded due to missing "
        "permissions, or does not support this operation.",
        100,
        33,
    )


def parameters(request: Request) -> dict[str, Any]:
    """Merge the parameters of query and body (form or JSON); the body takes precedence."""
    try:
        return request.parameters()
    except MalformedBodyError as error:
        raise invalid("The request body could not be read.") from error


def json_parameter(values: dict[str, Any], name: str) -> Any:
    """Return a parameter that may come as JSON text; None if it is missing."""
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
    parsed = json_parameter(values, name)
    if parsed is None:
        return []
    if not isinstance(parsed, list):
        raise invalid(f"param {name} must be an array.")
    return [str(part) for part in parsed]


def flag(values: dict[str, Any], name: str) -> bool | None:
    """Return a parameter that is true or false, or None if it is missing."""
    value = values.get(name)
    if value is None or isinstance(value, bool):
        return value
    if str(value).lower() not in ("true", "false", "1", "0"):
        raise invalid(f"param {name} must be a boolean.")
    return str(value).lower() in ("true", "1")


def timestamp(moment: float) -> str:
    """Write seconds since 1970 as the Graph API does."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


def selected(available: dict[str, Any], fields: str, node: str) -> dict[str, Any]:
    """Return the wanted fields of an object and always its id; refuses fields that it does not have."""
    names = [name.partition("{")[0].strip() for name in fields.split(",") if name.strip()]
    for name in names:
        if name not in available:
            raise invalid(f"Tried accessing nonexisting field ({name}) on node type ({node})")
    chosen = {name: available[name] for name in names if available[name] is not None}
    return chosen | {"id": available["id"]}

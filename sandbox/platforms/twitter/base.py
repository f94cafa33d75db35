"""X's errors, ids and rate limits, the bodies that it takes, its user and its tokens."""

import random
import re
from abc import ABC
from http.client import responses
from typing import Annotated, Any, Literal

import msgspec

from sandbox.authorization import ConsentRules, OAuthError
from sandbox.fake_platform import Route, route
from sandbox.journal import Snowflakes
from sandbox.tokens import RefreshError, TokenPlatform, TokenRules
from sandbox.wire import Answer, RefusedError, Request
from sandbox.world import World

PROBLEMS = "https://api.x.com/2/problems/"
EPOCH_MILLISECONDS = 1_288_834_974_657
"""The epoch of X's snowflake ids."""

WINDOW_SECONDS = 900
LIMITS = {
    "/2/tweets": 100,
    "/2/tweets/{id}": 50,
    "/2/users/me": 75,
    "/2/users/{id}/tweets": 900,
    "/2/media/upload": 500,
    "/2/media/upload/initialize": 1875,
    "/2/media/upload/{id}/append": 1875,
    "/2/media/upload/{id}/finalize": 1875,
    "/2/media/metadata": 500,
}
"""Requests per user in 15 minutes (X's rate limit page)."""
READ_LIMIT = 900
STATUS_LIMIT = 1000


def problem(status: int, title: str, detail: str, kind: str = "about:blank", **more: object) -> Answer:
    """Return an error in X's form."""
    body = {"title": title, "detail": detail, "type": kind, "status": status, **more}
    return Answer.json(body, status, content_type="application/problem+json")


def invalid(message: str, **parameters: list[str]) -> RefusedError:
    """Refuse a request whose parameters are wrong, with status 400."""
    return RefusedError(
        problem(
            400,
            "Invalid Request",
            "One or more parameters to your request was invalid.",
            f"{PROBLEMS}invalid-request",
            errors=[{"parameters": parameters, "message": message}],
        )
    )


def forbidden(detail: str) -> RefusedError:
    """Refuse, with status 403, a request that the rules of X do not allow."""
    return RefusedError(problem(403, "Forbidden", detail))


PostId = Annotated[str, msgspec.Meta(pattern="^[0-9]{1,19}$")]
ReplySettings = Literal["following", "mentionedUsers", "subscribers", "verified"]


class _Strict(msgspec.Struct, forbid_unknown_fields=True):
    """A body that refuses unknown fields."""


class Media(_Strict):
    """The attached media."""

    media_ids: Annotated[list[PostId], msgspec.Meta(min_length=1, max_length=4)]
    tagged_user_ids: Annotated[list[PostId], msgspec.Meta(max_length=10)] | None = None
    title: str | None = None
    description: str | None = None
    preview_media_id: PostId | None = None
    embeddable: bool | None = None
    call_to_actions: dict[str, Any] | None = None


class Poll(_Strict):
    """A poll."""

    options: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=1, max_length=25)]], msgspec.Meta(min_length=2, max_length=4)
    ]
    duration_minutes: Annotated[int, msgspec.Meta(ge=5, le=10_080)]
    reply_settings: ReplySettings | None = None


class Reply(_Strict):
    """The post that this one replies to."""

    in_reply_to_tweet_id: PostId
    exclude_reply_user_ids: list[str] | None = None
    auto_populate_reply_metadata: bool | None = None


class EditOptions(_Strict):
    """The earlier version that this one replaces."""

    previous_post_id: PostId


class Geo(_Strict):
    """The tagged place."""

    place_id: str | None = None


class CreatePost(_Strict):
    """The whole body."""

    text: str = ""
    media: Media | None = None
    poll: Poll | None = None
    reply: Reply | None = None
    quote_tweet_id: PostId | None = None
    edit_options: EditOptions | None = None
    reply_settings: ReplySettings | None = None
    for_super_followers_only: bool | None = None
    community_id: PostId | None = None
    share_with_followers: bool | None = None
    geo: Geo | None = None
    nullcast: bool | None = None
    made_with_ai: bool | None = None
    paid_partnership: bool | None = None
    card_uri: str | None = None
    direct_message_deep_link: str | None = None


_decode = msgspec.json.Decoder(CreatePost).decode
_UNKNOWN = re.compile(r"unknown field `([^`]+)`(?: - at `\$\.?([^`]*)`)?")


def read_post(request: Request) -> CreatePost:
    """Read and check the body; refuses a body that does not fit the schema."""
    try:
        body = _decode(request.body)
    except msgspec.ValidationError as error:
        raise invalid(_worded(str(error))) from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise invalid("The request body is not valid JSON.") from error
    if sum(part is not None for part in (body.media, body.poll, body.quote_tweet_id)) > 1:
        raise invalid("Media, polls and quoted posts exclude each other.")
    return body


def _worded(message: str) -> str:
    match = _UNKNOWN.search(message)
    if match is None:
        return message
    field = f"{match[2]}.{match[1]}" if match[2] else match[1]
    return f"$.{field}: is not defined in the schema and the schema does not allow additional properties"


TOKEN_SECONDS = 7200
SCOPE = "tweet.read tweet.write users.read media.write offline.access tweet.moderate.write"


class FakeX(TokenPlatform, ABC):
    """State and methods that all of X's routes share, and the routes of the user and of tokens."""

    consent = ConsentRules(
        "/i/oauth2/authorize", frozenset(SCOPE.split()), code_seconds=30, pkce="required", state_required=True
    )
    refuses_app_for = frozenset({"prepare", "publish", "confirm", "edit", "delete", "auth"})
    tokens = TokenRules(
        "/2/oauth2/token",
        TOKEN_SECONDS,
        refresh="rotates",
        refresh_scope="offline.access",
        replay_ends_grant=True,
        basic=True,
        unnamed_app=None,
        kind="bearer",
        revoke_path="/2/oauth2/revoke",
    )
    conditions = {  # noqa: RUF012
        "not_mentioned": "No post but the account's own may be replied to or quoted.",
        "spend_cap_reached": "All calls are refused with 403 SpendCapReached.",
        "app_forbidden": "All calls are refused with 403 client-forbidden, as those of apps without access are.",
        "short_videos": "Videos of more than two minutes are refused when they are published.",
        "small_pieces": "Pieces of an upload over 1 MiB are answered 413.",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.ids = Snowflakes(world.now, EPOCH_MILLISECONDS)

    def failure(self, status: int, message: str | None = None) -> Answer:
        """Return the response to a failure, by its status alone."""
        title = responses.get(status, "Error")
        # A detail that only repeats the title may be a gateway's.
        detail = "You are not permitted to perform this action." if status == 403 else title
        return problem(status, title, message or detail)

    def malformed(self, reason: str) -> Answer:
        """Return the response to a body that is not valid JSON, or no object."""
        return invalid("The request body is not valid JSON.").answer

    def refused_content(self) -> Answer:
        """Return the response to a post that does not pass validation."""
        return problem(400, "Invalid Request", "One or more parameters to your request was invalid.")

    def unauthorized(self) -> Answer:
        """Return the response to an unknown or missing token."""
        return problem(401, "Unauthorized", "Unauthorized")

    def rate_limited(self, seconds: float) -> Answer:
        """Return the response to a reached limit."""
        return self._too_many(100, self.world.now() + seconds)

    def app_refused(self) -> Answer:
        """Return the response to an app whose credits are used up."""
        return problem(402, "Payment Required", "credits depleted", f"{PROBLEMS}credits-depleted")

    def gate(self, route: Route, request: Request) -> dict[str, str]:
        """Count the request against its window, and refuse one that the operator's app may not send."""
        limit = LIMITS.get(route.path, READ_LIMIT) if request.method != "GET" else _read_limit(route.path)
        account = self.sender(request)
        window = self.count(account, limit, WINDOW_SECONDS, request.method, route.path)
        if not window.allowed:
            raise RefusedError(self._too_many(limit, window.resets_at))
        if self.holds("spend_cap_reached", account):
            message = "The app has reached its spend cap for this billing cycle."
            raise RefusedError(problem(403, "SpendCapReached", message))
        if self.holds("app_forbidden", account):
            message = "You must use keys and tokens from a developer App that is attached to a Project."
            kind = f"{PROBLEMS}client-forbidden"
            raise RefusedError(problem(403, "Client Forbidden", message, kind, reason="client-not-enrolled"))
        return _limits(limit, window.remaining, int(window.resets_at))

    def signature(self) -> dict[str, str]:
        """Return the id of the transaction."""
        return {"x-transaction-id": f"{random.getrandbits(64):016x}"}

    def _too_many(self, limit: int, resets_at: float) -> Answer:
        # Whole seconds, rounded up, so that a client that waits until then is admitted.
        return problem(429, "Too Many Requests", "Too Many Requests").with_headers(
            _limits(limit, 0, -int(-resets_at // 1))
        )

    @route("GET", "/2/users/me", "auth")
    async def me(self, request: Request) -> Answer:
        """Return the account that the token belongs to."""
        account = self.account(request)
        data: dict[str, object] = {"id": account.user_id, "name": account.username, "username": account.username}
        more: dict[str, object] = {
            "verified": account.premium,
            "verified_type": "blue" if account.premium else "none",
            "subscription_type": "Premium" if account.premium else "None",
        }
        fields = request.query.get("user.fields", "").split(",")
        return Answer.json({"data": data | {name: value for name, value in more.items() if name in fields}})

    def oauth_refused(self, problem: OAuthError) -> Answer:
        """Return the response of the token endpoint, which has words of its own."""
        if problem.code == "invalid_client":
            refusal = {"error": "unauthorized_client", "error_description": "Missing valid authorization header"}
            return Answer.json(refusal, 401)
        if problem.code == "invalid_grant":
            what = "token" if isinstance(problem, RefreshError) else "authorization code"
            problem = OAuthError("invalid_request", f"Value passed for the {what} was invalid.")
        return super().oauth_refused(problem)

    def revoked(self, *, known: bool) -> Answer:
        """Return the response to a revocation."""
        return Answer.json({"revoked": True})


def _limits(limit: int, remaining: int, reset: int) -> dict[str, str]:
    return {
        "x-rate-limit-limit": str(limit),
        "x-rate-limit-remaining": str(remaining),
        "x-rate-limit-reset": str(reset),
    }


def _read_limit(path: str) -> int:
    return STATUS_LIMIT if path == "/2/media/upload" else LIMITS["/2/users/me"] if path == "/2/users/me" else READ_LIMIT

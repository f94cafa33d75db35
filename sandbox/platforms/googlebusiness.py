"""Google Business Profile: accounts with locations, and posts that Google checks before it shows them."""

import re
from datetime import UTC, datetime
from typing import Any, ClassVar

from sandbox.accounts import Account
from sandbox.fake_platform import Route, own, route
from sandbox.fetching import FetchError
from sandbox.google import GoogleConsent, consent, error_info
from sandbox.journal import Scrambled
from sandbox.posts import PublicPost, ShownMedia
from sandbox.wire import Answer, RefusedError, Request
from sandbox.world import World

SERVICE = "mybusiness.googleapis.com"
QUERIES_PER_MINUTE = 300
OTHER_GROUP, OTHER_LOCATION = "204", "777"
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_MESSAGES = {
    400: "Request contains an invalid argument.",
    401: "Request had invalid authentication credentials. Expected OAuth 2 access token.",
    403: "The caller does not have permission",
    404: "Requested entity was not found.",
    429: "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute'.",
    500: "Internal error encountered.",
    503: "The service is currently unavailable.",
}


def google_error(status: int, message: str | None = None, *faults: dict[str, Any]) -> Answer:
    """Return an error in the form of Google's APIs; `faults` name fields."""
    error: dict[str, Any] = {
        "code": status,
        "message": message or _MESSAGES.get(status, "Unknown error."),
        "status": _STATUSES.get(status, "UNKNOWN"),
    }
    if faults:
        kind = "type.googleapis.com/google.mybusiness.v4.ValidationError"
        error["details"] = [{"@type": kind, "errorDetails": list(faults)}]
    return Answer.json({"error": error}, status)


def invalid(field: str, message: str, code: str | int = 3) -> RefusedError:
    """Refuse one field of a post."""
    return RefusedError(google_error(400, None, {"code": code, "field": field, "message": message}))


def _operator(status: int, reason: str, metadata: dict[str, str]) -> Answer:
    info = error_info(reason, metadata)
    body = {"code": status, "message": _MESSAGES[status], "status": _STATUSES[status], "details": [info]}
    return Answer.json({"error": body}, status)


SUMMARY, TITLE = 1500, 58
PHOTO_BYTES = range(10 * 1024, 5 * 1024 * 1024 + 1)
CHECKING_SECONDS = 45.0
"""How long a post is checked if `realistic` is set (unverified; real times range from half a minute to hours)."""
REJECTED_WORD = "+1 555"
"""A text with a telephone number is accepted and rejected later, as Google's content policy says."""
ACTIONS = {"BOOK", "ORDER", "SHOP", "LEARN_MORE", "SIGN_UP", "CALL"}
TOPICS = {"STANDARD", "EVENT", "OFFER"}

_FIELDS = {
    "languageCode",
    "summary",
    "topicType",
    "callToAction",
    "media",
    "event",
    "offer",
    "scheduledTime",
    "alertType",
}
_PAGE = re.compile(r"\d+")


class GoogleBusiness(GoogleConsent):
    """The fake Google, in place of the hosts of the Business Profile APIs and of its token endpoint."""

    without_effect: ClassVar[frozenset[str]] = frozenset({"pageSize", "readMask", "client_id", "client_secret"})
    platform: ClassVar[str] = "googlebusiness"
    label: ClassVar[str] = "Google Business Profile"
    colour: ClassVar[str] = "#1a73e8"
    account_prefix: ClassVar[str] = "gb"
    consent = consent("business.manage")
    refuses_app_for = frozenset({"publish", "confirm"})
    conditions = {  # noqa: RUF012
        "organisation": "The user has an organisation and a group beside: both list the location too.",
        "other_group": "The user manages a group too, with location 777, on which only that group may post.",
        "unlisted_account": "One of the user's accounts may not be listed.",
        "not_approved": "The project has a quota of 0: Google has not approved it.",
        "account_restricted": "Google does not let the profile post in its present state.",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.ids = Scrambled(world.now, 1_767_225_600_000, 1_000_000_000_000_000_000, 8_000_000_000_000_000_000)

    def app_refused(self) -> Answer:
        """Return the response if the v4 API is not enabled, which is the case until Google has approved the project."""
        return _operator(403, "SERVICE_DISABLED", {"service": SERVICE, "serviceTitle": "Google My Business API"})

    def failure(self, status: int, message: str | None = None) -> Answer:
        """Return the response to a failure, by its status alone."""
        return google_error(status, message)

    def unauthorized(self) -> Answer:
        """Return the response to an unknown, missing or expired token, which Google does not tell apart."""
        return google_error(401)

    def rate_limited(self, seconds: float) -> Answer:
        """Return the response to a reached limit; Google does not say when it resets."""
        return google_error(429)

    def gate(self, route: Route, request: Request) -> dict[str, str]:
        """Count the request against the minute's quota."""
        if self.holds("not_approved", self.sender(request)):
            metadata = {"service": SERVICE, "quota_limit_value": "0"}
            raise RefusedError(_operator(429, "RATE_LIMIT_EXCEEDED", metadata))
        self.admit(self.world.windows.take((self.platform,), QUERIES_PER_MINUTE, 60))
        return {}

    def malformed(self, reason: str) -> Answer:
        """Return the response to a body that is no JSON object."""
        return google_error(400, "Invalid JSON payload received.")

    @route("GET", "/v1/accounts", "auth")
    async def accounts(self, request: Request) -> Answer:
        """List the accounts of a user."""
        account = self.account(request)
        name, own = f"accounts/{account_number(account)}", account.username
        accounts = [{"name": name, "accountName": own, "type": "PERSONAL"}]
        if self.holds("organisation", account):
            accounts = [
                {"name": "accounts/201", "accountName": f"{own} Ltd", "type": "ORGANIZATION"},
                {"name": "accounts/202", "accountName": f"{own} shops", "type": "LOCATION_GROUP"},
                *accounts,
            ]
        if self.holds("other_group", account):
            accounts.append(
                {"name": f"accounts/{OTHER_GROUP}", "accountName": f"{own}'s group", "type": "LOCATION_GROUP"}
            )
        if self.holds("unlisted_account", account):
            accounts.insert(0, {"name": "accounts/203", "accountName": "Another's", "type": "LOCATION_GROUP"})
        return Answer.json({"accounts": accounts})

    @route("GET", "/v1/accounts/{account}/locations", "auth")
    async def locations(self, request: Request) -> Answer:
        """List the locations of an account."""
        account = self.account(request)
        if request.params["account"] == "203":
            raise RefusedError(google_error(403))
        if request.params["account"] == OTHER_GROUP and self.holds("other_group", account):
            return Answer.json({"locations": [{"name": f"locations/{OTHER_LOCATION}", "title": "Other"}]})
        groups = {"201", "202"} if self.holds("organisation", account) else set()
        if request.params["account"] not in {account_number(account), *groups}:
            raise RefusedError(google_error(404))
        if not request.query.get("readMask"):
            raise RefusedError(google_error(400))
        return Answer.json({"locations": [{"name": f"locations/{account.user_id}", "title": account.username}]})

    @route("POST", "/v4/accounts/{account}/locations/{location}/localPosts", "publish")
    async def create(self, request: Request) -> Answer:
        """Create a post."""
        account, parent = self._parent(request)
        body = _read(request)
        if self.holds("account_restricted", account):
            raise RefusedError(google_error(400, None, {"code": 1301, "message": "Operation is not supported."}))
        _check(body)
        media = [await self._photo(request, item) for item in body.get("media") or []]
        now = self.world.now()
        number = self.ids.next()
        post = self.add_post(
            account,
            f"{parent}/localPosts/{number}",
            str(body["summary"]),
            created_at=now,
            kind=str(body.get("topicType") or "STANDARD").lower(),
            url=f"https://local.google.com/place?id={account.user_id}&use=posts&lpsid={number}",
            media=media,
            note=(body.get("event") or {}).get("title"),
            detail={"body": body, "ready_at": now + (CHECKING_SECONDS if self.world.realistic else 0)},
        )
        return Answer.json(self._described(post))

    @route("GET", "/v4/accounts/{account}/locations/{location}/localPosts", "confirm")
    async def several(self, request: Request) -> Answer:
        """List posts, newest first; an empty list is an empty object."""
        account, _ = self._parent(request)
        size, start = request.query.get("pageSize", "20"), request.query.get("pageToken", "0")
        if not _PAGE.fullmatch(size) or not _PAGE.fullmatch(start) or not 1 <= int(size) <= 100:
            raise RefusedError(google_error(400))
        posts = list(self.visible_posts(account))
        page = posts[int(start) : int(start) + int(size)]
        more = {"nextPageToken": str(int(start) + int(size))} if len(posts) > int(start) + int(size) else {}
        return Answer.json(({"localPosts": [self._described(post) for post in page]} if page else {}) | more)

    @route("GET", "/v4/accounts/{account}/locations/{location}/localPosts/{post}", "confirm")
    async def read_post(self, request: Request) -> Answer:
        """Read a post with its state."""
        return Answer.json(self._described(self._own(request)))

    @route("DELETE", "/v4/accounts/{account}/locations/{location}/localPosts/{post}", "delete")
    async def delete(self, request: Request) -> Answer:
        """Delete a post."""
        self.world.posts.delete(self._own(request))
        return Answer.json({})

    def _own(self, request: Request) -> PublicPost:
        account, parent = self._parent(request)
        post = self.visible_post(f"{parent}/localPosts/{request.params['post']}")
        return own(post, account, RefusedError(google_error(404)))

    def _parent(self, request: Request) -> tuple[Account, str]:
        account = self.account(request)
        pairs = {(account_number(account), account.user_id)}
        if self.holds("other_group", account):
            pairs.add((OTHER_GROUP, OTHER_LOCATION))
        if (request.params["account"], request.params["location"]) not in pairs:
            raise RefusedError(google_error(404))
        return account, f"accounts/{request.params['account']}/locations/{request.params['location']}"

    async def _photo(self, request: Request, item: dict[str, Any]) -> ShownMedia:
        if item.get("mediaFormat") == "VIDEO":
            # Google has never accepted a video, although its documents do not say so.
            raise RefusedError(google_error(500))
        try:
            fetched = await self.fetched(request, item.get("sourceUrl"))
        except FetchError as error:
            fault = {"code": 1000, "message": "Fetching image failed."}
            raise RefusedError(google_error(400, None, fault)) from error
        file_format = fetched.format
        if file_format is None or file_format.content_type not in {"image/jpeg", "image/png"}:
            raise invalid("media.source_url", "The photo is neither JPEG nor PNG.", 2)
        if fetched.content is not None and len(fetched.content) not in PHOTO_BYTES:
            raise invalid("media.source_url", "The photo must have 10 KB to 5 MB.", 2)
        return self.shown_file("image", fetched)

    def _described(self, post: PublicPost) -> dict[str, Any]:
        state = "PROCESSING"
        if self.world.now() >= post.detail["ready_at"]:
            state = "REJECTED" if REJECTED_WORD in post.text else "LIVE"
        created_at = datetime.fromtimestamp(post.created_at, UTC).isoformat().replace("+00:00", "Z")
        shown = {"searchUrl": post.url} if state == "LIVE" else {}
        body = {"topicType": "STANDARD", **post.detail["body"]}
        body.pop("media", None)
        return {
            "name": post.platform_post_id,
            **body,
            "state": state,
            "createTime": created_at,
            "updateTime": created_at,
            **shown,
        }


def account_number(account: Account) -> str:
    """Return the number of the Google account that manages a location, made from the location's number."""
    return f"1{account.user_id[-17:]:0>17}"


def _read(request: Request) -> dict[str, Any]:
    body = request.object()
    if unknown := sorted(body.keys() - _FIELDS):
        message = f'Invalid JSON payload received. Unknown name "{unknown[0]}": Cannot find field.'
        raise RefusedError(google_error(400, message))
    return body


def _check(body: dict[str, Any]) -> None:
    summary, topic = str(body.get("summary") or ""), body.get("topicType", "STANDARD")
    if not summary.strip():
        raise invalid("summary", "Must not be empty")
    if len(summary) > SUMMARY:
        raise invalid("summary", f"Must be at most {SUMMARY} characters")
    if topic not in TOPICS:
        raise invalid("topic_type", f"Invalid value: {topic}")
    if len(body.get("media") or []) > 1:
        raise invalid("media", "A post has at most one photo.")
    action = body.get("callToAction")
    if action is not None:
        if topic == "OFFER" or action.get("actionType") not in ACTIONS:
            raise invalid("call_to_action", "An offer takes no action, and others one of those that there are.")
        if (action["actionType"] == "CALL") is bool(action.get("url")):
            raise invalid("call_to_action.url", "Needed for every action but CALL, which takes none.")
    if topic != "STANDARD":
        _check_event(body.get("event") or {})


def _check_event(event: dict[str, Any]) -> None:
    if not 0 < len(str(event.get("title") or "")) <= TITLE:
        raise invalid("event.title", f"Must be 1 to {TITLE} characters")
    schedule = event.get("schedule") or {}
    try:
        start, end = (
            datetime(**schedule[f"{end}Date"], hour=schedule[f"{end}Time"]["hours"], tzinfo=UTC)
            for end in ("start", "end")
        )
    except (KeyError, TypeError, ValueError) as error:
        raise invalid("event.schedule", "Must have start and end, each with date and time") from error
    if end < start:
        raise invalid("event.schedule", "Must end after it starts")

"""TikTok's answers, its state of a post before and after it is public, its reads and its tokens."""

import secrets
from abc import ABC
from typing import Any

import msgspec

from sandbox.accounts import Account
from sandbox.authorization import ConsentRules, OAuthError
from sandbox.fake_platform import Route, route
from sandbox.faults import Operation
from sandbox.journal import Collection, Snowflakes
from sandbox.posts import ShownMedia
from sandbox.tokens import TokenPlatform, TokenRules
from sandbox.wire import Answer, MalformedBodyError, RefusedError, Request
from sandbox.world import World

EPOCH_MILLISECONDS = 0
PER_MINUTE = {
    "/v2/post/publish/creator_info/query/": 20,
    "/v2/post/publish/video/init/": 6,
    "/v2/post/publish/inbox/video/init/": 6,
    "/v2/post/publish/content/init/": 6,
    "/v2/post/publish/status/fetch/": 30,
}
"""Requests per token; source: TikTok's page on each."""
DIRECT_POSTS = {"/v2/post/publish/video/init/", "/v2/post/publish/content/init/"}
MODERATION_SECONDS = 20.0
"""How long a public post waits for its id if `realistic` is set (unverified; sometimes hours)."""
PROCESSING_SECONDS = 5.0
"""How long media are processed if `realistic` is set (unverified)."""
PUBLIC = "PUBLIC_TO_EVERYONE"
PRIVACY_OPTIONS = [PUBLIC, "MUTUAL_FOLLOW_FRIENDS", "SELF_ONLY"]
"""The privacy levels of a public account; FOLLOWER_OF_CREATOR is for private ones."""


class Publication(msgspec.Struct, rename="camel"):
    """The post of one publish_id. `whole_at` is when TikTok had received all of it, in seconds since 1970."""

    id: str
    account_id: str
    is_photo: bool
    to_inbox: bool
    text: str = ""
    title: str = ""
    privacy: str = ""
    upload_id: str = ""
    upload_token: str = ""
    size: int = 0
    chunk: int = 0
    count: int = 0
    created_at: float = 0
    whole_at: float | None = None
    failure: str | None = None
    post_id: str | None = None


def envelope(data: dict[str, Any]) -> Answer:
    """Return a successful response."""
    return Answer.json({"data": data, "error": {"code": "ok", "message": "", "log_id": _log_id()}})


def problem(code: str, message: str, status: int) -> Answer:
    """Return an error."""
    return Answer.json({"data": {}, "error": {"code": code, "message": message, "log_id": _log_id()}}, status)


def refused(code: str, message: str, status: int = 400) -> RefusedError:
    """Refuse a request."""
    return RefusedError(problem(code, message, status))


def _log_id() -> str:
    return secrets.token_hex(16).upper()


_SCOPES = frozenset(("user.info.basic", "user.info.profile", "video.publish", "video.upload", "video.list"))


REFRESH_SECONDS = 15_552_000
_USER_FIELDS = {"open_id", "union_id", "avatar_url", "display_name", "username"}
_VIDEO_FIELDS = {"id", "title", "video_description", "create_time", "share_url", "duration", "cover_image_url"}


def _status_operation(fake: "FakeTikTok", request: Request) -> Operation:
    try:
        publish_id = request.json().get("publish_id", "")
    except (MalformedBodyError, AttributeError):
        return "confirm"
    return "confirm" if publish_id in fake.attempted else "prepare"


class FakeTikTok(TokenPlatform, ABC):
    """State, reads and tokens that all of TikTok's routes share."""

    # Web apps send no challenge, and people may untick single permissions. How long a code is valid is not documented.
    consent = ConsentRules(
        "/v2/auth/authorize/",
        _SCOPES,
        code_seconds=600,
        pkce="none",
        scope_separator=",",
        declinable=True,
        client_id="client_key",
        optional_parameters=("disable_auto_auth",),
    )
    tokens = TokenRules(
        "/v2/oauth/token/",
        7_200,
        refresh="rotates",
        refresh_seconds=REFRESH_SECONDS,
        refresh_refusal="Refresh token is invalid or expired.",
        scope_separator=",",
        revoke_path="/v2/oauth/revoke/",
        revokes_all=True,
    )
    conditions = {  # noqa: RUF012
        "no_profile_scope": "The token may not read the user name, and a request for it is refused as a whole.",
        "public_account": "The account is not private: an app that is not audited may not even post with SELF_ONLY.",
        "no_list_scope": "The token may not read the account's videos.",
        "unverified_addresses": "Photos are fetched from addresses with the path /media/ only.",
        "short_videos": "The creator may publish videos of half a second.",
        "count_lags": "Of an upload fewer bytes are counted than have arrived.",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.ids = Snowflakes(world.now, EPOCH_MILLISECONDS)
        self.publications: Collection[Publication] = world.collection("tiktok", "publication", Publication)
        self.received: dict[str, bytearray] = {}
        self.attempted: set[str] = set()
        """Posts that a client tried to publish; asking for one of them is now part of confirm instead of prepare."""

    def refuses_app(self, operation: Operation, request: Request) -> bool:
        """Return whether TikTok refuses to begin a post, because it has not audited the app.

        Such an app may upload to inboxes, and may post for the creator alone (SELF_ONLY) to private accounts
        (brightbeanxyz/brightbean-studio#144).
        """
        if request.path not in DIRECT_POSTS:
            return False
        try:
            body = json_body(request)
        except MalformedBodyError:
            return False
        info = body.get("post_info")
        only_self = isinstance(info, dict) and info.get("privacy_level") == "SELF_ONLY"
        is_public = self.world.conditions.holds(self.platform, "public_account", self.account_id(request))
        return body.get("post_mode") != "MEDIA_UPLOAD" and (is_public or not only_self)

    def app_refused(self) -> Answer:
        """Return the response to an app that is not audited."""
        code = "unaudited_client_can_only_post_to_private_accounts"
        return problem(code, "Please review our integration guidelines.", 403)

    def failure(self, status: int, message: str | None = None) -> Answer:
        """Return the response to a failure, by its status alone."""
        if status >= 500:
            return problem("internal_error", message or "Something went wrong. Please try again later.", status)
        return problem("invalid_params", message or "The request is not supported.", status)

    def unauthorized(self) -> Answer:
        """Return the response to an unknown or missing token."""
        return problem("access_token_invalid", "The access token is invalid or not found in the request.", 401)

    def rate_limited(self, seconds: float) -> Answer:
        """Return the response to a reached limit; TikTok never gives the wait."""
        return problem("rate_limit_exceeded", "The API rate limit was exceeded. Please try again later.", 429)

    def gate(self, route: Route, request: Request) -> dict[str, str]:
        """Count the request against the limit per minute."""
        key = (self.platform, self.token(request), route.path)
        if route.path in PER_MINUTE and not self.world.windows.take(key, PER_MINUTE[route.path], 60).allowed:
            raise RefusedError(self.rate_limited(60))
        return {}

    def publish(self, account: Account, publication: Publication, media: list[ShownMedia], failure: str | None) -> None:
        """Record that TikTok has received everything, and publish the post unless it is for the owner's inbox."""
        publication.whole_at, publication.failure = self.world.now(), failure
        if failure is None and not publication.to_inbox:
            # If the post is not visible to everybody, the client gets no id and knows the post by its publish_id only.
            is_public = publication.privacy == PUBLIC
            publication.post_id = self.ids.next() if is_public else publication.id
            kind = "photo" if publication.is_photo else "video"
            self.add_post(
                account,
                publication.post_id,
                publication.text,
                created_at=publication.whole_at,
                kind=kind,
                url=f"https://www.tiktok.com/@{account.username}/{kind}/{publication.post_id}",
                media=media,
                note=publication.title or None,
                detail={"privacy": publication.privacy},
            )
        self.publications.put(publication.id, publication)

    def oauth_refused(self, problem: OAuthError) -> Answer:
        """Return the response of the token endpoint, in OAuth's own format."""
        code = "invalid_grant" if problem.code == "unsupported_grant_type" else problem.code
        body = {"error": code, "error_description": problem.description, "log_id": "2026"}
        return Answer.json(body, 401 if code == "invalid_client" else 400)

    def token_details(self, account: Account, grant: str) -> dict[str, object]:
        """Return whose tokens they are, and how long the refresh token is valid."""
        return {"open_id": account.user_id, "refresh_expires_in": REFRESH_SECONDS}

    def revoked(self, *, known: bool) -> Answer:
        """Return the response to a revocation: empty if the token was known."""
        return Answer.json({}) if known else self.oauth_refused(OAuthError("invalid_request", "The token is invalid."))

    @route("GET", "/v2/user/info/", "auth")
    async def user(self, request: Request) -> Answer:
        """Return the account that the token belongs to."""
        account = self.account(request)
        known = {
            "open_id": account.user_id,
            "union_id": account.user_id,
            "avatar_url": "",
            "display_name": account.username,
            "username": account.username,
        }
        fields = _requested_fields(request, _USER_FIELDS)
        if "username" in fields and self.holds("no_profile_scope", account):
            raise refused("scope_not_authorized", "The user did not authorize the scope required.", 401)
        return envelope({"user": {name: known[name] for name in fields}})

    @route("POST", "/v2/post/publish/creator_info/query/", "prepare")
    async def creator(self, request: Request) -> Answer:
        """Return what the creator may do now."""
        account = self.account(request)
        return envelope(
            {
                "creator_avatar_url": "",
                "creator_username": account.username,
                "creator_nickname": account.username,
                "privacy_level_options": PRIVACY_OPTIONS,
                "comment_disabled": False,
                "duet_disabled": False,
                "stitch_disabled": False,
                "max_video_post_duration_sec": 0.5 if self.holds("short_videos", account) else 600,
            }
        )

    @route("POST", "/v2/post/publish/status/fetch/", _status_operation)
    async def status(self, request: Request) -> Answer:
        """Return the outcome of a post; failures come with status 200 too."""
        account, publish_id = self.account(request), str(json_body(request).get("publish_id", ""))
        publication = self.publications.get(publish_id)
        if publication is None:
            raise refused("invalid_publish_id", "The publish_id does not exist.")
        if publication.account_id != account.account_id:
            raise refused("token_not_authorized_for_specified_publish_id", "The publish_id is another user's.", 403)
        shown = self._status(publication)
        if self.holds("count_lags", account) and publication.size:
            shown |= {"status": "PROCESSING_UPLOAD", "uploaded_bytes": publication.size - 1}
        return envelope(shown)

    @route("POST", "/v2/video/list/", "confirm")
    async def videos(self, request: Request) -> Answer:
        """List the account's public posts, newest first; whether they include photos is unverified."""
        account, body = self.account(request), json_body(request)
        if self.holds("no_list_scope", account):
            raise refused("scope_not_authorized", "The user did not authorize the scope required.", 401)
        count, fields = body.get("max_count", 10), _requested_fields(request, _VIDEO_FIELDS)
        if not isinstance(count, int) or not 1 <= count <= 20:
            raise refused("invalid_params", "max_count must be between 1 and 20.")
        entries: list[dict[str, Any]] = []
        for post in self.visible_posts(account):
            if post.detail.get("privacy") == PUBLIC:
                known = {
                    "id": post.platform_post_id,
                    "title": post.note or post.text,
                    "video_description": post.text,
                    "create_time": int(post.created_at),
                    "share_url": post.url,
                    "duration": 0,
                    "cover_image_url": "",
                }
                entries.append({name: known[name] for name in fields})
        return envelope({"videos": entries[:count], "cursor": 0, "has_more": len(entries) > count})

    def _status(self, publication: Publication) -> dict[str, Any]:
        since = None if publication.whole_at is None else self.world.now() - publication.whole_at
        slow = self.world.realistic
        got = len(self.received.get(publication.id, b"")) if since is None else publication.size
        reported: dict[str, Any] = {"publicaly_available_post_id": []}
        reported["downloaded_bytes" if publication.is_photo else "uploaded_bytes"] = got
        if since is None or since < (PROCESSING_SECONDS if slow else 0):
            return reported | {"status": "PROCESSING_DOWNLOAD" if publication.is_photo else "PROCESSING_UPLOAD"}
        if publication.failure is not None:
            return reported | {"status": "FAILED", "fail_reason": publication.failure}
        if publication.to_inbox:
            return reported | {"status": "SEND_TO_USER_INBOX"}
        moderated = since >= (PROCESSING_SECONDS + MODERATION_SECONDS if slow else 0)
        if publication.privacy == PUBLIC and moderated and publication.post_id:
            reported["publicaly_available_post_id"] = [int(publication.post_id)]
        return reported | {"status": "PUBLISH_COMPLETE"}


def json_body(request: Request) -> dict[str, Any]:
    """Return the body of a request, which is a JSON object or empty. Raises MalformedBodyError."""
    return request.object() if request.body else {}


def _requested_fields(request: Request, known: set[str]) -> list[str]:
    fields = [name for name in request.query.get("fields", "").split(",") if name]
    if not fields or not set(fields) <= known:
        raise refused("invalid_params", "fields is missing or names what does not exist.")
    return fields

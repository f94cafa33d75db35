"""TikTok's reads: a token's account, a creator's permissions, the outcome of a post; and the renewal of tokens."""

from typing import Any

from sandbox.authorization import ConsentRules, OAuthError
from sandbox.fake_platform import route
from sandbox.operations import Operation
from sandbox.platforms.tiktok.base import (
    MODERATION_SECONDS,
    PRIVACY_OPTIONS,
    PROCESSING_SECONDS,
    PUBLIC,
    FakeTikTok,
    Publication,
    envelope,
    json_body,
    refused,
)
from sandbox.strict import TrackedParameters
from sandbox.wire import Answer, MalformedBodyError, Request

_SCOPES = frozenset(("user.info.basic", "user.info.profile", "video.publish", "video.upload", "video.list"))


class ConsentRoutes(FakeTikTok):
    """The route of the page of consent; the token endpoint calls `redeem`."""

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

    def redeem(self, form: TrackedParameters) -> Answer:
        """Exchange a code for tokens, in OAuth's own format."""
        client = str(form.get("client_key", "")), str(form.get("client_secret", ""))
        try:
            account, scopes = self.authorization_server.redeem(form, client, self.world.now())
        except OAuthError as problem:
            status = 401 if problem.code == "invalid_client" else 400
            body = {"error": problem.code, "error_description": problem.description, "log_id": "2026"}
            return Answer.json(body, status)
        return Answer.json(
            {
                "access_token": self.world.accounts.issue(account, 7_200),
                "expires_in": 7_200,
                "open_id": account.user_id,
                "refresh_token": self.world.accounts.issue_refresh(account),
                "refresh_expires_in": 15_552_000,
                "scope": ",".join(scopes),
                "token_type": "Bearer",
            }
        )


TOKEN_SECONDS, REFRESH_SECONDS = 7_200, 15_552_000
_USER_FIELDS = {"open_id", "union_id", "avatar_url", "display_name", "username"}
_VIDEO_FIELDS = {"id", "title", "video_description", "create_time", "share_url", "duration", "cover_image_url"}


def _status_operation(fake: "ReadRoutes", request: Request) -> Operation:
    try:
        publish_id = request.json().get("publish_id", "")
    except (MalformedBodyError, AttributeError):
        return "confirm"
    return "confirm" if publish_id in fake.attempted else "prepare"


class ReadRoutes(ConsentRoutes):
    """The routes of reads and tokens."""

    @route("POST", "/v2/oauth/token/", "auth")
    async def renew(self, request: Request) -> Answer:
        """Exchange a refresh token for new tokens, in OAuth's own format."""
        form = request.texts()
        if not form.get("client_key"):
            return _oauth_error("invalid_client", "Client key or secret is incorrect.", 401)
        if form.get("grant_type") == "authorization_code":
            return self.redeem(form)
        renewed = None
        if form.get("grant_type") == "refresh_token":
            renewed = self.world.accounts.rotate(
                self.platform, form.get("refresh_token", ""), lifetime=TOKEN_SECONDS, refresh_lifetime=REFRESH_SECONDS
            )
        if renewed is None:
            return _oauth_error("invalid_grant", "Refresh token is invalid or expired.", 400)
        account, access, refresh = renewed
        return Answer.json(
            {
                "access_token": access,
                "expires_in": TOKEN_SECONDS,
                "open_id": account.user_id,
                "refresh_token": refresh,
                "refresh_expires_in": REFRESH_SECONDS,
                "scope": "user.info.basic,user.info.profile,video.publish,video.upload,video.list",
                "token_type": "Bearer",
            }
        )

    @route("POST", "/v2/oauth/revoke/", "auth")
    async def revoke(self, request: Request) -> Answer:
        """Revoke an access token, and the tokens of the same consent; the answer is empty."""
        form = request.texts()
        try:
            known = self.authorization_server.revoke(
                form.get("token", ""), (form.get("client_key", ""), form.get("client_secret", "")), all_of_it=True
            )
        except OAuthError:
            return _oauth_error("invalid_client", "Client key or secret is incorrect.", 401)
        return Answer.json({}) if known else _oauth_error("invalid_request", "The token is invalid.", 400)

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
        for post in self.world.posts.by_account(account):
            if post.detail.get("privacy") == PUBLIC and not post.deleted:
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


def _requested_fields(request: Request, known: set[str]) -> list[str]:
    fields = [name for name in request.query.get("fields", "").split(",") if name]
    if not fields or not set(fields) <= known:
        raise refused("invalid_params", "fields is missing or names what does not exist.")
    return fields


def _oauth_error(code: str, description: str, status: int) -> Answer:
    return Answer.json({"error": code, "error_description": description, "log_id": "2026"}, status)

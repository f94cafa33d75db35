"""A Facebook Page's state, its consent, and its reads."""

import secrets
from abc import ABC
from typing import Any, Literal

import msgspec

from sandbox.accounts import Account
from sandbox.authorization import ConsentRules, OAuthError
from sandbox.fake_platform import own, route
from sandbox.faults import Operation
from sandbox.fetching import probe
from sandbox.graph import FakeGraph, graph_error, invalid, missing_object, parameters, selected, timestamp
from sandbox.journal import Collection, Scrambled
from sandbox.posts import PublicPost, ShownMedia
from sandbox.wire import Answer, RefusedError, Request
from sandbox.world import World

EPOCH_MILLISECONDS = 1_767_225_600_000
"""1 January 2026; the ids last for decades."""
FIRST_ID = 122_100_000_000_000_000
ID_RANGE = 900_000_000_000_000


class Photo(msgspec.Struct, rename="camel"):
    """One uploaded photo; `used` is true once a post or story shows it."""

    id: str
    account_id: str
    shown: ShownMedia
    used: bool = False


class Video(msgspec.Struct, rename="camel"):
    """One video that is not published yet; `edge` is where its upload began. Times are seconds since 1970."""

    id: str
    account_id: str
    edge: str
    session: str
    size: int = 0
    complete: bool = False
    shown: ShownMedia | None = None
    error: str | None = None
    seconds: float = 0
    finished_at: float | None = None
    ready_at: float = 0
    draft: bool = False
    post_id: str | None = None
    captions: list[str] = msgspec.field(default_factory=list)
    """The locales of its captions."""


_PERSON_SECONDS = 5_183_944
_PAGES = ("show_list", "read_engagement", "manage_posts", "manage_engagement", "read_user_content")
_SCOPES = frozenset(("business_management", "read_insights", *(f"pages_{name}" for name in _PAGES)))


STORY_SECONDS = 86_400


def _node(fake: "FakePage", request: Request) -> Operation:
    """Return the step of a read: prepare for a video that no client has tried to publish yet, else confirm."""
    video = fake.videos.get(request.params["id"])
    return "prepare" if video is not None and video.id not in fake.attempted and not video.finished_at else "confirm"


class FakePage(FakeGraph, ABC):
    """State, methods and reads that all of Facebook's routes share."""

    # Facebook does not document how long a code is valid.
    consent = ConsentRules(
        "/dialog/oauth", _SCOPES, code_seconds=600, pkce="none", scope_separator=",", declinable=True
    )
    conditions = {  # noqa: RUF012
        **FakeGraph.conditions,
        "videos_stay_drafts": "Videos that are published stay drafts, as upright ones have.",
        "videos_elsewhere": "Bytes of videos are refused unless they come to graph-video.facebook.com.",
        "videos_at_the_usual_host": "Bytes of videos are refused at graph-video.facebook.com.",
        "page_withdrawn": "The person has withdrawn this Page from what the app may publish to.",
        "several_pages": "A person has three Pages, one of them without the task to publish.",
        "upload_domain_told": "An upload names a host of its own in upload_domain, which alone takes its bytes.",
    }
    limit = ("(#32) Page request limit reached", 32, 400)
    usage_type = "pages"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.ids = Scrambled(world.now, EPOCH_MILLISECONDS, FIRST_ID, ID_RANGE)
        self.photos: Collection[Photo] = world.collection("facebook", "photo", Photo)
        self.videos: Collection[Video] = world.collection("facebook", "video", Video)
        self.received: dict[str, bytearray] = {}
        """The bytes received of incomplete videos. A restart loses them, as the end of a session does."""
        self.attempted: set[str] = set()
        """Videos that a client asked to publish; reading one of them is then part of confirm, no longer of prepare."""

        self._persons: dict[str, tuple[Account, list[str]]] = {}
        """The account of a person's token, and the granted permissions. Accounts are Pages here, not persons."""
        self._first_pages: dict[str, str] = {}
        """The first Page of the person, by the person's further Pages."""

    def visible_post(self, post_id: object) -> PublicPost | None:
        """Return a post by its own id or that of its video, unless it is deleted."""
        video = self.videos.get(str(post_id))
        return super().visible_post((video and video.post_id) or post_id)

    def shown(self, content: bytes, kind: Literal["image", "video"], alt: str | None = None) -> ShownMedia | None:
        """Return a file as a post shows it; None if it is not of this kind."""
        file_format = probe(content)
        if file_format is None or file_format.is_image != (kind == "image"):
            return None
        return self.shown_file(kind, content, alt)

    def make_public(
        self, account: Account, post_id: str, text: str, kind: str, media: list[ShownMedia], **detail: Any
    ) -> PublicPost:
        """Make a post public."""
        path = {
            "reel": f"reel/{detail.get('media_id')}/",
            "video": f"{account.user_id}/videos/{detail.get('media_id')}/",
            "story": f"stories/{account.user_id}/{post_id}/",
        }.get(kind, f"{account.user_id}/posts/{post_id.rpartition('_')[2]}")
        url = f"https://www.facebook.com/{path}"
        return self.add_post(account, post_id, text, kind=kind, url=url, media=media, detail=detail)

    @route("POST", "/oauth/access_token", "auth")
    async def redeem(self, request: Request) -> Answer:
        """Exchange a code for a person's token, or that for a long-lived one."""
        form = request.form()
        client = str(form.get("client_id", "")), str(form.get("client_secret", ""))
        if form.get("grant_type") == "fb_exchange_token":
            known = self._persons.get(str(form.get("fb_exchange_token", "")))
            app = self.world.apps_and_codes.app(self.platform, client[0])
            if known is None or app is None or app.client_secret != client[1]:
                return graph_error("Error validating client secret." if known else "Invalid token.", 1)
            return self._token(*known, seconds=_PERSON_SECONDS)
        try:
            account, scopes = self.authorization_server.redeem(form, client, self.world.now())
        except OAuthError as problem:
            if problem.code == "invalid_client":
                return graph_error("Error validating client secret.", 1)
            return graph_error("This authorization code has been used.", 100, 36009)
        return self._token(account, scopes, seconds=3600)

    @route("GET", "/me/permissions", "auth")
    async def permissions(self, request: Request) -> Answer:
        """List what the person has granted and declined."""
        _, scopes = self._person(request)
        entries = [
            {"permission": scope, "status": "granted" if scope in scopes else "declined"} for scope in sorted(_SCOPES)
        ]
        return Answer.json({"data": entries})

    @route("GET", "/me/accounts", "auth")
    async def pages(self, request: Request) -> Answer:
        """List the person's Pages, each with a token of its own."""
        account, _ = self._person(request)
        values = parameters(request)
        for name in ("fields", "limit", "after"):
            values.get(name)
        pages = [self._described_page(account, ["ADVERTISE", "ANALYZE", "CREATE_CONTENT", "MANAGE"])]
        if self.holds("several_pages", account):
            second, third = (self._beside(account, number) for number in (2, 3))
            pages += [self._described_page(second, ["CREATE_CONTENT"]), self._described_page(third, ["ANALYZE"])]
        return Answer.json({"data": pages, "paging": {"cursors": {"before": "b", "after": "a"}}})

    @route("GET", "/debug_token", "auth")
    async def debug(self, request: Request) -> Answer:
        """Describe a Page's token to the app that owns it."""
        token = str(parameters(request).get("input_token", ""))
        client_id, _, secret = self.token(request).partition("|")
        app = self.world.apps_and_codes.app(self.platform, client_id)
        if app is None or app.client_secret != secret:
            return graph_error("Invalid OAuth access token signature.", 190)
        account = self.world.accounts.by_token(self.platform, token)
        pages = [] if account is None or self.holds("page_withdrawn", account) else [account.user_id]
        granular = [{"scope": "pages_manage_posts", "target_ids": pages}]
        granted = account.scopes if account and account.scopes else sorted(_SCOPES)
        person = self._owner_id(account) if account else "9"
        about = {"app_id": client_id, "type": "PAGE", "user_id": person, "granular_scopes": granular}
        return self.debugged(account, token, granted, **about)

    @route("DELETE", "/{person}/permissions", "auth")
    async def remove_app(self, request: Request) -> Answer:
        """Remove the app for a person: the tokens of all of the person's Pages end."""
        client_id, _, secret = self.token(request).partition("|")
        app = self.world.apps_and_codes.app(self.platform, client_id)
        if app is None or app.client_secret != secret:
            return graph_error("Invalid OAuth access token signature.", 190)
        for account in list(self.world.accounts):
            if account.platform == self.platform and self._owner_id(account) == request.params["person"]:
                self.world.accounts.revoke(account)
        return Answer.json({"success": True})

    def _owner_id(self, account: Account) -> str:
        """Return the number of the person to whom a Page belongs."""
        return f"9{self._first_pages.get(account.user_id, account.user_id)}"

    def _person(self, request: Request) -> tuple[Account, list[str]]:
        person = self._persons.get(self.token(request))
        if person is None:
            raise RefusedError(self.unauthorized())
        parameters(request).get("appsecret_proof")
        return person

    def _token(self, account: Account, scopes: list[str], *, seconds: int) -> Answer:
        token = f"EAAperson{secrets.token_urlsafe(24)}"
        self._persons[token] = account, scopes
        return Answer.json({"access_token": token, "token_type": "bearer", "expires_in": seconds})

    def _described_page(self, account: Account, tasks: list[str]) -> dict[str, object]:
        token = self.world.accounts.issue(account)
        about = {"id": account.user_id, "name": account.username, "username": account.username, "category": "Bakery"}
        return {**about, "access_token": token, "tasks": tasks}

    def _beside(self, account: Account, number: int) -> Account:
        """Return another Page of the same person."""
        user_id, name = f"{account.user_id}{number}", f"{account.username} {number}"
        self._first_pages[user_id] = account.user_id
        return self.new_account(user_id, name)

    @route("GET", "/me", "auth")
    async def me(self, request: Request) -> Answer:
        """Return the Page that the token belongs to."""
        return Answer.json(self._page(self.account(request), request))

    @route("GET", "/{id}/published_posts", "confirm")
    async def published_posts(self, request: Request) -> Answer:
        """List the public posts, newest first, without stories."""
        account, fields = self.owner(request), _fields(request)
        limit = str(parameters(request).get("limit", "25"))
        if not limit.isdecimal() or not 0 < int(limit) <= 100:
            raise invalid("Please reduce the amount of data you're asking for, then retry your request")
        posts = [post for post in self.visible_posts(account) if post.kind != "story"]
        return Answer.json(
            {"data": [selected(self._described(post, account), fields, "PagePost") for post in posts[: int(limit)]]}
        )

    @route("GET", "/{id}/stories", "confirm")
    async def stories(self, request: Request) -> Answer:
        """List the stories of the last day."""
        account, fields = self.owner(request), _fields(request)
        since = self.world.now() - STORY_SECONDS
        posts = [
            post for post in self.world.posts.by_account(account) if post.kind == "story" and post.created_at >= since
        ]
        return Answer.json({"data": [_story(post, fields) for post in posts]})

    @route("GET", "/{id}/comments", "confirm")
    async def list_comments(self, request: Request) -> Answer:
        """List the comments below a post."""
        return Answer.json({"data": self.comments_below(request, "message", "created_time")})

    @route("GET", "/{id}", _node)
    async def node(self, request: Request) -> Answer:
        """Read a video, a post or the Page."""
        account, object_id = self.account(request), request.params["id"]
        if object_id == account.user_id:
            return Answer.json(self._page(account, request))
        if self.holds("reads_refused", account):
            raise missing_object(object_id)
        video = self.videos.get(object_id)
        if video is not None and video.account_id == account.account_id:
            return Answer.json(selected(self._video(video), _fields(request), "Video"))
        post = own(super().visible_post(object_id), account, missing_object(object_id))
        return Answer.json(selected(self._described(post, account), _fields(request), "PagePost"))

    def _page(self, account: Account, request: Request) -> dict[str, Any]:
        known = {
            "id": account.user_id,
            "name": account.username,
            "username": account.username,
            "category": "Community",
        }
        return selected(known, _fields(request), "Page")

    def _video(self, video: Video) -> dict[str, Any]:
        now, finished = self.world.now(), video.finished_at is not None
        ready = finished and now >= video.ready_at
        failed = finished and video.error is not None
        processing: dict[str, Any] = {"status": "not_started"}
        if failed:
            processing = {"status": "error", "errors": [{"code": 1363024, "message": video.error}]}
        elif finished:
            processing = {"status": "complete" if ready else "in_progress"}
        publishing: dict[str, Any] = {"status": "not_started"}
        if ready and not failed:
            publishing = {"status": "complete", "publish_status": "draft" if video.draft else "published"}
        received = len(self.received.get(video.id, b""))
        uploading = (
            {"status": "complete"} if video.complete else {"status": "in_progress", "bytes_transferred": received}
        )
        whole = "ready" if ready else "processing" if finished else "upload_complete" if video.complete else "uploading"
        post = self.world.posts.get(self.platform, video.post_id) if video.post_id else None
        return {
            "id": video.id,
            "status": {
                "video_status": "error" if failed else whole,
                "uploading_phase": uploading,
                "processing_phase": processing,
                "publishing_phase": publishing,
            },
            "published": bool(ready and post),
            "post_id": video.post_id,
            "permalink_url": post.url.removeprefix("https://www.facebook.com") if post and post.url else None,
        }

    def _described(self, post: PublicPost, account: Account) -> dict[str, Any]:
        photos = post.detail.get("photos") or []
        targets = [{"media_type": "photo", "target": {"id": photo}} for photo in photos]
        attachments = targets
        if len(targets) > 1:
            attachments = [{"media_type": "album", "subattachments": {"data": targets}}]
        elif post.detail.get("media_id"):
            attachments = [{"media_type": "video", "target": {"id": post.detail["media_id"]}}]
        return {
            "id": post.platform_post_id,
            "message": post.text or None,
            "created_time": timestamp(post.created_at),
            "permalink_url": post.url,
            "attachments": {"data": attachments} if attachments else None,
        }


def _story(post: PublicPost, fields: str) -> dict[str, Any]:
    known = {
        "post_id": post.platform_post_id,
        "status": "published",
        "creation_time": str(int(post.created_at)),
        "media_type": post.media[0].type if post.media else "photo",
        "media_id": post.detail["media_id"],
        "url": post.url,
    }
    return {name: value for name, value in known.items() if not fields or name in fields.split(",")}


def _fields(request: Request) -> str:
    return str(parameters(request).get("fields", ""))

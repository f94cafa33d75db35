"""Reddit's OAuth API: submissions to any subreddit, refusals with status 200, images through a storage."""

import re
import secrets
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from sandbox.accounts import Account
from sandbox.authorization import ConsentRules, OAuthError
from sandbox.fake_platform import Route, route
from sandbox.fetching import probe
from sandbox.journal import Collection
from sandbox.posts import PublicPost, ShownMedia
from sandbox.tokens import RefreshError, TokenPlatform, TokenRules
from sandbox.wire import Answer, RefusedError, Request, storage_refused
from sandbox.world import World

EPOCH_MILLISECONDS = 1_767_225_600_000
FIRST_ID = 3_000_000_000
"""Ids of 7 signs in base 36, like Reddit's of 2026."""
REQUESTS, WINDOW_SECONDS = 1000, 600
"""100 requests a minute, averaged over ten minutes."""
LAG_SECONDS = 3
"""By how many seconds listings lag behind, with --realistic."""

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_AGENT = re.compile(r"[^\s:]+:[^\s:]+:\S+ \(by /u/[\w-]+\)")


class Asset(msgspec.Struct, rename="camel"):
    """One lease of the storage."""

    id: str
    account_id: str
    key: str
    url: str
    content_type: str
    stored: bool = False
    src: str | None = None

    def shown(self) -> ShownMedia:
        """Return the file as posts show it."""
        return ShownMedia("gif" if self.content_type == "image/gif" else "image", self.src)


def refused(code: str, message: str, field: str, *, ratelimit: float | None = None) -> RefusedError:
    """Refuse a request with status 200, as Reddit does."""
    body: dict[str, object] = {"errors": [[code, message, field]]}
    if ratelimit is not None:
        body["ratelimit"] = ratelimit
    return RefusedError(Answer.json({"json": body}))


LARGEST = 20 << 20
"""Unverified."""
TYPES = ("image/jpeg", "image/png", "image/gif")
_DONE = '<?xml version="1.0" encoding="UTF-8"?><PostResponse><Location>{}</Location></PostResponse>'


TITLE, TEXT, GALLERY = 300, 40_000, range(2, 21)
POSTS, POSTS_SECONDS = 5, 600
"""How much an account may post, with --realistic; Reddit's own throttle depends on karma."""

_SUBREDDIT = re.compile(r"[A-Za-z0-9_]{2,21}")
_CLOSED = {
    "missing": ("SUBREDDIT_NOEXIST", "that subreddit doesn't exist", "sr"),
    "private": ("SUBREDDIT_NOTALLOWED", "you aren't allowed to post there.", "sr"),
}
_CLOSED_TO = {
    ("noselfs", "self"): ("NO_SELFS", "that subreddit doesn't allow text posts", "sr"),
    ("nolinks", "link"): ("NO_LINKS", "that subreddit only allows text posts", "sr"),
    ("noimages", "image"): ("IMAGES_NOTALLOWED", "this community doesn't allow images", "sr"),
    ("noimages", "gallery"): ("IMAGES_NOTALLOWED", "this community doesn't allow images", "sr"),
}
_FLAIR_WANTED = "flairwanted"
"""Subreddits with rules; every other name is a subreddit that accepts everything."""

_SCOPES = frozenset(("identity", "submit", "read", "flair", "history", "edit"))


class Reddit(TokenPlatform):
    """The fake Reddit, in place of https://oauth.reddit.com, the sign-in at https://www.reddit.com and the storage."""

    without_effect: ClassVar[frozenset[str]] = frozenset(
        {
            "extension",
            "items",
            "nsfw",
            "raw_json",
            "resubmit",
            "sendreplies",
            "show_error_list",
            "sort",
            "spoiler",
            "validate_on_submit",
        }
    )
    platform: ClassVar[str] = "reddit"
    label: ClassVar[str] = "Reddit"
    colour: ClassVar[str] = "#ff4500"
    account_prefix: ClassVar[str] = "rd"
    # The state is required, and only duration=permanent yields a refresh token. Source: r2/controllers/oauth2.py.
    consent = ConsentRules(
        "/api/v1/authorize",
        _SCOPES,
        code_seconds=600,
        pkce="none",
        optional_parameters=("duration",),
        state_required=True,
    )
    tokens = TokenRules(
        "/api/v1/access_token",
        86_400,
        refresh="stays",
        basic=True,
        kind="bearer",
        revoke_path="/api/v1/revoke_token",
    )
    conditions = {  # noqa: RUF012
        "images_listed_late": "Image posts are made, and not listed until this is cleared.",
        "links_rewritten": "Links are shown with www., a slash at the end and HTML's entities.",
        "network_security": "Reads are answered by a page of Reddit's network security.",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.assets: Collection[Asset] = world.collection("reddit", "asset", Asset)
        self._last = 0

        self._links = {_link(post): post for post in self.own_posts() if post.kind == "link"}

    def next_id(self) -> str:
        """Return the next id, in base 36."""
        fresh = FIRST_ID + (int(self.world.now() * 1000) - EPOCH_MILLISECONDS) // 10
        self._last = number = max(fresh, self._last + 1)
        digits = ""
        while number:
            number, digit = divmod(number, 36)
            digits = _DIGITS[digit] + digits
        return digits

    def failure(self, status: int, message: str | None = None) -> Answer:
        """Return the response to a failure, by its status alone."""
        return Answer.json({"message": message or "Error", "error": status}, status)

    def refused_content(self) -> Answer:
        """Return the response to a post that does not pass validation."""
        return Answer.json({"json": {"errors": [["TOO_LONG", "this is too long (max: 300)", "title"]]}})

    def unauthorized(self) -> Answer:
        """Return the response to an unknown or missing token."""
        return self.failure(401, "Unauthorized")

    def rate_limited(self, seconds: float) -> Answer:
        """Return the response to a reached limit."""
        reset = -int(-seconds // 1)
        answer = self.failure(429, "Too Many Requests").with_headers(_limits(0, REQUESTS, reset))
        return answer.with_headers({"retry-after": str(reset)})

    def gate(self, route: Route, request: Request) -> dict[str, str]:
        """Refuse apps without a User-Agent, count the request, and report in the headers how many remain."""
        if route.path.startswith("/storage/") or route.path == "/api/v1/authorize":
            return {}
        if not _AGENT.match(request.header("user-agent")):
            raise RefusedError(Answer.text("<html><body>whoa there, pardner!</body></html>", 403))
        window = self.count(self.sender(request), REQUESTS, WINDOW_SECONDS)
        self.admit(window)
        return _limits(window.remaining, window.limit - window.remaining, int(window.resets_at - self.world.now()))

    @route("POST", "/api/media/asset.json", "prepare")
    async def lease(self, request: Request) -> Answer:
        """Grant a lease."""
        account, form = self.account(request), request.form()
        kind = str(form.get("mimetype", ""))
        if not form.get("filepath") or kind not in TYPES:
            return self.failure(400, "Bad Request")
        asset_id = secrets.token_hex(7)
        key, action = f"rte_images/{asset_id}", f"{request.base_url}/storage/{asset_id}"
        self.assets.put(asset_id, Asset(asset_id, account.account_id, key, f"{action}/{key}", kind))
        fields = {
            "acl": "private",
            "key": key,
            "x-amz-credential": "ASIA0000000000000000/20260115/us-east-1/s3/aws4_request",
            "x-amz-security-token": secrets.token_urlsafe(64),
            "Content-Type": kind,
            "policy": secrets.token_urlsafe(96),
            "x-amz-signature": secrets.token_hex(32),
        }
        listed = [{"name": name, "value": value} for name, value in fields.items()]
        websocket = {"asset_id": asset_id, "websocket_url": f"wss://sandbox.invalid/{asset_id}"}
        # Reddit's own address has no scheme; here the client would then use TLS.
        return Answer.json({"args": {"action": action, "fields": listed}, "asset": websocket})

    @route("POST", "/storage/{id}", "prepare")
    async def store(self, request: Request) -> Answer:
        """Receive the file, which must be the last field of the form, after all fields of the lease."""
        asset = self.assets.get(request.params["id"])
        if asset is None:
            raise storage_refused(403, "AccessDenied")
        content = request.stored_file(asset.key)
        if len(content) > LARGEST:
            raise storage_refused(400, "EntityTooLarge")
        file_format = probe(content)
        # A file that is no image is stored nevertheless; its post then never appears.
        asset.stored = file_format is not None and file_format.content_type == asset.content_type
        if file_format is not None and asset.stored:
            asset.src = self.keep_upload(asset.id, file_format.content_type, content)
        self.assets.put(asset.id, asset)
        return Answer.text(_DONE.format(asset.url), 201, "application/xml")

    @route("POST", "/api/submit", "publish")
    async def submit(self, request: Request) -> Answer:
        """Publish a text, a link or an image; the answer has no id for an image."""
        account, form = self.account(request), request.texts()
        kind, url = form.get("kind", ""), form.get("url", "")
        if form.get("api_type") != "json" or kind not in ("self", "link", "image"):
            raise refused("INVALID_OPTION", "that option is not valid", "kind")
        self._check(account, form, kind)
        if kind == "self":
            return _answer(self._publish(account, form, kind, []))
        if not url:
            raise refused("NO_URL", "a url is required", "url")
        if kind == "image":
            asset = self.assets.get(url.rpartition("/")[2])
            if asset is None or asset.url != url or asset.account_id != account.account_id:
                raise refused("BAD_URL", "you should check that url", "url")
            if asset.stored:
                self._publish(account, form, kind, [asset.shown()])
            page = f"https://www.reddit.com/user/{account.username}/submitted/"
            return _data({"user_submitted_page": page, "websocket_url": f"wss://sandbox.invalid/{asset.id}"})
        if not url.startswith(("http://", "https://")):
            raise refused("BAD_URL", "you should check that url", "url")
        earlier = self._links.get((form["sr"].lower(), url))
        if form.get("resubmit") != "true" and earlier is not None and not earlier.deleted:
            raise refused("ALREADY_SUB", "that link has already been submitted", "url")
        post = self._publish(account, form, kind, [])
        self._links[_link(post)] = post
        return _answer(post)

    @route("POST", "/api/submit_gallery_post.json", "publish")
    async def submit_gallery(self, request: Request) -> Answer:
        """Publish several images."""
        account = self.account(request)
        body = request.object()
        if body.get("api_type") != "json":
            return self.failure(400, "Bad Request")
        self._check(account, body, "gallery")
        items = body.get("items") or []
        if len(items) not in GALLERY:
            raise refused("INVALID_OPTION", "a gallery has 2 to 20 items", "items")
        gallery = [self.assets.get(str(item.get("media_id"))) for item in items]
        assets: list[Asset] = [asset for asset in gallery if asset and asset.stored]
        if len(assets) < len(items) or any(asset.account_id != account.account_id for asset in assets):
            raise refused("INVALID_OPTION", "an item of the gallery is unknown", "items")
        post = self._publish(account, body, "gallery", [asset.shown() for asset in assets])
        return _data({"id": post.platform_post_id, "url": post.url})

    @route("GET", "/user/{name}/submitted", "confirm")
    async def submitted(self, request: Request) -> Answer:
        """List an author's submissions, newest first; listings lag."""
        account = self.account(request)
        if request.params["name"].lower() != account.username.lower():
            return self.failure(404, "Not Found")
        until = self.world.now() - (LAG_SECONDS if self.world.realistic else 0)
        limit = min(int(request.query.get("limit", "25")), 100)
        late = {"image"} if self.holds("images_listed_late", account) else set()
        posts = [post for post in self.visible_posts(account) if post.kind not in late and post.created_at <= until]
        if self.holds("network_security", account):
            return Answer.text("<html><body>You've been blocked by network security.</body></html>", 403)
        things = [_thing(post, account) for post in posts[:limit]]
        if self.holds("links_rewritten", account):
            for thing in things:
                link = str(thing["url"]).replace("https://", "https://www.").replace("&", "&amp;")
                thing["url"] = link if "?" in link else f"{link}/"
        children = [{"kind": "t3", "data": thing} for thing in things]
        return Answer.json({"kind": "Listing", "data": {"children": children, "after": None}})

    @route("POST", "/api/del", "delete")
    async def delete(self, request: Request) -> Answer:
        """Delete a submission."""
        account = self.account(request)
        post = self.visible_post(request.form().get("id"))
        if post is not None and post.account_id == account.account_id:
            self.world.posts.delete(post)
        return Answer.json({})

    @route("GET", "/r/{sr}/api/link_flair_v2", "confirm")
    async def flairs(self, request: Request) -> Answer:
        """List the subreddit's flairs; in one whose name begins with `closed` members may use none."""
        self.account(request)
        if request.params["sr"].lower().startswith("closed"):
            return self.failure(403, "Forbidden")
        flairs = (("News", False), ("Question", False), ("Official", True))
        return Answer.json(
            [
                {"id": f"3ab9a9b{at}-1c1c-11ec-8f2a-0e1c2a5d9c6f", "text": text, "type": "text", "mod_only": mod_only}
                for at, (text, mod_only) in enumerate(flairs)
            ]
        )

    def _check(self, account: Account, fields: Mapping[str, Any], kind: str) -> None:
        subreddit, title, text = (str(fields.get(name) or "") for name in ("sr", "title", "text"))
        if not _SUBREDDIT.fullmatch(subreddit):
            raise refused("BAD_SR_NAME", "that name isn't going to work", "sr")
        if refusal := _CLOSED.get(subreddit.lower()) or _CLOSED_TO.get((subreddit.lower(), kind)):
            raise refused(*refusal)
        if not title.strip():
            raise refused("NO_TEXT", "we need something here", "title")
        if len(title) > TITLE or len(text) > TEXT:
            field, most = ("title", TITLE) if len(title) > TITLE else ("text", TEXT)
            raise refused("TOO_LONG", f"this is too long (max: {most})", field)
        if subreddit.lower() == _FLAIR_WANTED and not fields.get("flair_id"):
            raise refused("SUBMIT_VALIDATION_FLAIR_REQUIRED", "Your post must contain post flair.", "flair")
        window = self.count(account, POSTS, POSTS_SECONDS, "posts")
        if not window.allowed:
            seconds = window.resets_at - self.world.now()
            message = f"you are doing that too much. try again in {max(int(seconds // 60), 1)} minutes."
            raise refused("RATELIMIT", message, "ratelimit", ratelimit=round(seconds, 3))

    def _publish(self, account: Account, fields: Mapping[str, Any], kind: str, media: list[ShownMedia]) -> PublicPost:
        short, title, text = self.next_id(), str(fields["title"]), str(fields.get("text") or "")
        slug = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:50]
        link = str(fields.get("url") or "") if kind == "link" else ""
        detail = {name: fields.get(name) for name in ("flair_id", "nsfw", "spoiler", "sendreplies")}
        return self.add_post(
            account,
            f"t3_{short}",
            text or title,
            kind=kind,
            url=f"https://www.reddit.com/r/{fields['sr']}/comments/{short}/{slug}/",
            media=media,
            note=f"r/{fields['sr']} · {title}{f' · {link}' if link else ''}",
            detail={**detail, "subreddit": fields["sr"], "title": title, "selftext": text, "link": link},
        )

    def oauth_refused(self, problem: OAuthError) -> Answer:
        """Return the response of the token endpoint: most errors come with status 200."""
        if problem.code == "invalid_client":
            return self.unauthorized()
        if isinstance(problem, RefreshError):
            return Answer.json({"message": "Bad Request", "error": "invalid_grant"}, 400)
        return Answer.json({"error": problem.code})

    def revoked(self, *, known: bool) -> Answer:
        """Return the response to a revocation."""
        return Answer(204)

    @route("GET", "/api/v1/me", "auth")
    async def me(self, request: Request) -> Answer:
        """Return the account that the token belongs to."""
        account = self.account(request)
        return Answer.json({"id": account.user_id, "name": account.username, "total_karma": 1})


def _limits(remaining: int, used: int, reset: int) -> dict[str, str]:
    return {
        "x-ratelimit-remaining": f"{remaining}.0",
        "x-ratelimit-used": str(used),
        "x-ratelimit-reset": str(reset),
    }


def _thing(post: PublicPost, account: Account) -> dict[str, Any]:
    permalink = (post.url or "").removeprefix("https://www.reddit.com")
    return {
        "id": post.platform_post_id.removeprefix("t3_"),
        "name": post.platform_post_id,
        "author": account.username,
        "title": post.detail["title"],
        "subreddit": post.detail["subreddit"],
        "selftext": post.detail["selftext"],
        "is_self": post.kind == "self",
        "url": post.detail["link"] or post.url,
        "permalink": permalink,
        "created_utc": float(int(post.created_at)),
        "removed_by_category": None,
    }


def _link(post: PublicPost) -> tuple[str, str]:
    return str(post.detail["subreddit"]).lower(), str(post.detail["link"])


def _answer(post: PublicPost) -> Answer:
    short = post.platform_post_id.removeprefix("t3_")
    return _data({"url": post.url, "drafts_count": 0, "id": short, "name": post.platform_post_id})


def _data(data: dict[str, Any]) -> Answer:
    return Answer.json({"json": {"errors": [], "data": data}})

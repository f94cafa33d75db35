"""Reddit's submissions: created, listed, deleted; refusals come with status 200."""

import re
import secrets
from collections.abc import Mapping
from typing import Any

from sandbox.accounts import Account
from sandbox.fake_platform import route
from sandbox.formats import probe
from sandbox.platforms.reddit.base import LAG_SECONDS, Asset, FakeReddit, refused
from sandbox.posts import PublicPost, ShownMedia
from sandbox.wire import Answer, MalformedBodyError, Request
from sandbox.world import World

LARGEST = 20 << 20
"""Unverified."""
TYPES = ("image/jpeg", "image/png", "image/gif")
_ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{}</Code></Error>'
_DONE = '<?xml version="1.0" encoding="UTF-8"?><PostResponse><Location>{}</Location></PostResponse>'


class StorageRoutes(FakeReddit):
    """The routes of leases and the storage."""

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
        try:
            fields = request.fields()
        except MalformedBodyError:
            fields = []
        names = [name for name, _ in fields]
        if asset is None or dict(fields).get("key") != asset.key or not {"policy", "x-amz-signature"} <= set(names):
            return Answer.text(_ERROR.format("AccessDenied"), 403, "application/xml")
        content = fields[-1][1]
        if names[-1] != "file" or not isinstance(content, bytes):
            return Answer.text(_ERROR.format("InvalidArgument"), 400, "application/xml")
        if len(content) > LARGEST:
            return Answer.text(_ERROR.format("EntityTooLarge"), 400, "application/xml")
        file_format = probe(content)
        # A file that is no image is stored nevertheless; its post then never appears.
        asset.stored = file_format is not None and file_format.content_type == asset.content_type
        if file_format is not None and asset.stored:
            asset.src = self.keep_upload(asset.id, file_format.content_type, content)
        self.assets.put(asset.id, asset)
        return Answer.text(_DONE.format(asset.url), 201, "application/xml")


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


class SubmissionRoutes(StorageRoutes):
    """The routes of submissions and of an author's listing."""

    renewal_path = "/api/v1/access_token"
    conditions = {  # noqa: RUF012
        "images_listed_late": "Image posts are made, and not listed until this is cleared.",
        "links_rewritten": "Links are shown with www., a slash at the end and HTML's entities.",
        "network_security": "Reads are answered by a page of Reddit's network security.",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        own = [post for post in world.posts.newest_first() if post.platform == self.platform]
        self._links = {_link(post): post for post in reversed(own) if post.kind == "link"}

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
        try:
            body = request.json()
        except MalformedBodyError:
            body = None
        if not isinstance(body, dict) or body.get("api_type") != "json":
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
        own = [post for post in self.world.posts.by_account(account) if not post.deleted and post.kind not in late]
        posts = [post for post in own if post.created_at <= until]
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
        post = self.world.posts.get(self.platform, str(request.form().get("id", "")))
        if post is not None and post.account_id == account.account_id:
            post.deleted = True
            self.world.posts.changed(post)
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
        window = self.world.windows.take((self.platform, account.account_id, "posts"), POSTS, POSTS_SECONDS)
        if not window.allowed:
            seconds = window.resets_at - self.world.now()
            message = f"you are doing that too much. try again in {max(int(seconds // 60), 1)} minutes."
            raise refused("RATELIMIT", message, "ratelimit", ratelimit=round(seconds, 3))

    def _publish(self, account: Account, fields: Mapping[str, Any], kind: str, media: list[ShownMedia]) -> PublicPost:
        short, title, text = self.next_id(), str(fields["title"]), str(fields.get("text") or "")
        slug = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:50]
        link = str(fields.get("url") or "") if kind == "link" else ""
        detail = {name: fields.get(name) for name in ("flair_id", "nsfw", "spoiler", "sendreplies")}
        return self.world.posts.add(
            PublicPost(
                platform=self.platform,
                account_id=account.account_id,
                platform_post_id=f"t3_{short}",
                text=text or title,
                created_at=self.world.now(),
                kind=kind,
                url=f"https://www.reddit.com/r/{fields['sr']}/comments/{short}/{slug}/",
                media=media,
                note=f"r/{fields['sr']} · {title}{f' · {link}' if link else ''}",
                detail={**detail, "subreddit": fields["sr"], "title": title, "selftext": text, "link": link},
            )
        )


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

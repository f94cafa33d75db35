"""LinkedIn's versioned REST API: uploads by URN, posts whose id is in a header, pages that can be read."""

import re
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from sandbox.accounts import Account
from sandbox.fake_platform import route
from sandbox.platforms.linkedin.base import Medium, error, lacks, refused
from sandbox.platforms.linkedin.media import MediaRoutes
from sandbox.posts import PublicPost, ShownMedia
from sandbox.wire import Answer, RefusedError, Request
from sandbox.world import World

_TOKEN = re.compile(
    r"\\(?P<escaped>.)"
    r"|\{hashtag\|(?:\\#|#)\|(?P<tag>[^}|]+)\}"
    r"|@\[(?P<name>(?:\\.|[^\]\\])+)\]\(urn:li:(?:organization|person):[\w-]+\)"
    r"|(?P<live>#)(?=\w)"
    r"|(?P<reserved>[|{}@\[\]()<>#*_~\\])",
    re.DOTALL,
)


def shown(commentary: str) -> str:
    """Return the text that readers see; it ends at the first reserved sign that is not escaped."""
    parts: list[str] = []
    position = 0
    for match in _TOKEN.finditer(commentary):
        parts.append(commentary[position : match.start()])
        if match["reserved"]:
            return "".join(parts)
        tag, name = match["tag"], match["name"]
        parts.append(f"#{tag}" if tag else re.sub(r"\\(.)", r"\1", name) if name else match["escaped"] or "#")
        position = match.end()
    return "".join([*parts, commentary[position:]])


Text = Annotated[str, msgspec.Meta(max_length=20_000)]


class _Strict(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    """A body that refuses unknown fields."""


class Item(_Strict, omit_defaults=True):
    """One medium of a post."""

    id: str
    title: str | None = None
    alt_text: str | None = None


class MultiImage(_Strict):
    """Several images."""

    images: Annotated[list[Item], msgspec.Meta(min_length=2, max_length=20)]


class Article(_Strict, omit_defaults=True):
    """A link as a card."""

    source: str
    title: str
    description: str | None = None
    thumbnail: str | None = None


class PollOption(_Strict):
    """One answer of a poll."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=30)]


class PollSettings(_Strict):
    """The duration of a poll."""

    duration: Literal["ONE_DAY", "THREE_DAYS", "SEVEN_DAYS", "FOURTEEN_DAYS"]


class Poll(_Strict):
    """A poll; all of it is general knowledge, unverified."""

    question: Annotated[str, msgspec.Meta(min_length=1, max_length=140)]
    options: Annotated[list[PollOption], msgspec.Meta(min_length=2, max_length=4)]
    settings: PollSettings


class Content(_Strict, omit_defaults=True):
    """The content below the text: exactly one of these."""

    media: Item | None = None
    multi_image: MultiImage | None = None
    article: Article | None = None
    poll: Poll | None = None


class Distribution(_Strict):
    """The audience and channels of a post."""

    feed_distribution: Literal["MAIN_FEED", "NONE"]
    target_entities: list[Any]
    third_party_distribution_channels: list[Any]


class NewPost(_Strict):
    """The whole body."""

    author: str
    commentary: Text
    visibility: Literal["PUBLIC", "CONNECTIONS", "LOGGED_IN", "CONTAINER"]
    distribution: Distribution
    lifecycle_state: Literal["PUBLISHED"]
    is_reshare_disabled_by_author: bool
    content: Content | None = None


class Message(_Strict):
    """The text of a comment."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=1250)]


class NewComment(_Strict):
    """A comment."""

    actor: str
    object: str
    message: Message


TEXT_LENGTH = 3000
DUPLICATE_SECONDS = 600
"""About ten minutes, by a third party's digest of the error reference."""
COMMENTS_SHOWN = 100


class LinkedIn(MediaRoutes):
    """The fake LinkedIn, in place of https://api.linkedin.com and of the sign-in at https://www.linkedin.com."""

    without_effect: ClassVar[frozenset[str]] = frozenset({"q", "state"})
    platform: ClassVar[str] = "linkedin"
    label: ClassVar[str] = "LinkedIn"
    colour: ClassVar[str] = "#0a66c2"
    account_prefix: ClassVar[str] = "li"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        own = [post for post in world.posts.newest_first() if post.platform == self.platform]
        self._latest = {post.detail["body"]: post for post in reversed(own)}

    @route("POST", "/rest/posts", "publish")
    async def create(self, request: Request) -> Answer:
        """Publish a post."""
        body = request.decoded(NewPost)
        account = self.writer(request, body.author)
        text, content = shown(body.commentary), body.content or Content()
        if ":organization:" in body.author and self.holds("no_page_product", account):
            raise RefusedError(lacks("partnerApiPostsExternal.CREATE"))
        if self.holds("unverified_member", account):
            message = "Your share limit has been reached for unverified members. Verify your identity to share more."
            raise refused(429, "TOO_MANY_REQUESTS", message)
        if self.holds("media_forbidden", account) and (content.media or content.multi_image):
            raise RefusedError(error(403, "Accessing this image resource is forbidden"))
        if self.holds("still_processing", account) and (content.media or content.multi_image):
            message = "The media asset could not be processed: it is still being processed"
            raise refused(400, "MEDIA_ASSET_PROCESSING_FAILED", message)
        if len(body.commentary) > TEXT_LENGTH:
            raise refused(400, "FIELD_LENGTH_TOO_LONG", f"commentary has more than {TEXT_LENGTH} characters")
        media = self._attached(content, body.author)
        if not body.commentary.strip() and not media and content.article is None and content.poll is None:
            raise refused(400, "INVALID_VALUE_BLANK_FIELD", "commentary must not be blank")
        whole = msgspec.json.encode(body).decode()
        latest = self._latest.get(whole)
        if latest and not latest.deleted and self.world.now() - latest.created_at < DUPLICATE_SECONDS:
            ghost = f"urn:li:share:{self.ids.next()}" if self.holds("ghosts", account) else latest.platform_post_id
            return _duplicate(ghost)
        video = content.media is not None and ":video:" in content.media.id
        urn = f"urn:li:{'ugcPost' if video else 'share'}:{self.ids.next()}"
        post = self.add_post(
            self.of_author(body.author, account),
            urn,
            text,
            kind="article" if content.article else "poll" if content.poll else "post",
            url=f"https://www.linkedin.com/feed/update/{urn}/",
            media=media,
            note=_page_note(content),
            detail={"author": body.author, "body": whole},
        )
        self._latest[whole] = post
        return Answer(201, headers=[(b"x-restli-id", urn.encode())])

    @route("GET", "/rest/posts", "confirm")
    async def by_author(self, request: Request) -> Answer:
        """List a page's posts, newest first; the posts of members cannot be read."""
        author, query = request.query.get("author", ""), request.query
        account = self.writer(request, author)
        if ":person:" in author:
            raise refused(
                403, "ACCESS_DENIED", "Not enough permissions to access: partnerApiPostsExternal.FINDER-author"
            )
        if query.get("q") != "author" or query.get("sortBy", "CREATED") not in ("CREATED", "LAST_MODIFIED"):
            raise refused(400, "INVALID_VALUE_FOR_FIELD", "q must be author")
        count = min(int(query.get("count", "10")), 100)
        posts = [
            post for post in self.visible_posts(self.of_author(author, account)) if post.detail["author"] == author
        ]
        elements = [_element(post) for post in posts[:count]]
        if self.holds("commentary_rewritten", account):
            elements = [{**element, "commentary": _rewritten(str(element["commentary"]))} for element in elements]
        return Answer.json({"elements": elements, "paging": {"start": 0, "count": count}})

    @route("GET", "/rest/posts/{urn}", "confirm")
    async def read_post(self, request: Request) -> Answer:
        """Return a page's post; the posts of members cannot be read."""
        account, post = self.account(request), self.visible_post(request.params["urn"])
        if post is None or not self._is_author(account, post):
            return error(404, "The post is unknown", "NOT_FOUND")
        if ":person:" in post.detail["author"]:
            raise refused(403, "ACCESS_DENIED", "Not enough permissions to access: partnerApiPostsExternal.GET")
        return Answer.json(_element(post))

    @route("DELETE", "/rest/posts/{urn}", "delete")
    async def delete(self, request: Request) -> Answer:
        """Delete a post; if it is deleted already, the request succeeds."""
        account = self.account(request)
        post = self.world.posts.get(self.platform, request.params["urn"])
        if post is not None and not self._is_author(account, post):
            raise refused(403, "ACCESS_DENIED", "Not enough permissions to delete this post")
        if post is not None and not post.deleted:
            self.world.posts.delete(post)
        return Answer(204)

    @route("POST", "/rest/socialActions/{urn}/comments", "edit")
    async def comment(self, request: Request) -> Answer:
        """Write a comment below a post; apps without the product may not."""
        account = self.account(request)
        if self.holds("no_comments_product", account) or self.holds("no_comments", account):
            raise RefusedError(lacks("partnerApiSocialActions.CREATE"))
        return self._commented(request)

    @route("POST", "/v2/socialActions/{urn}/comments", "edit")
    async def comment_unversioned(self, request: Request) -> Answer:
        """Write a comment by the older API, which needs only the permission to post."""
        if self.holds("no_comments", self.account(request)):
            raise RefusedError(lacks("socialActions.CREATE"))
        return self._commented(request)

    def _commented(self, request: Request) -> Answer:
        body = request.decoded(NewComment)
        self.writer(request, body.actor)
        post = self.visible_post(request.params["urn"])
        if post is None or body.object != post.platform_post_id:
            return error(404, "The post to comment on is unknown", "NOT_FOUND")
        comments = post.detail.setdefault("comments", [])
        comments.append(body.message.text)
        post.note = body.message.text
        self.world.posts.changed(post)
        comment_id = self.ids.next()
        urn = f"urn:li:comment:({post.platform_post_id},{comment_id})"
        return Answer.json({"id": comment_id, "commentUrn": urn}, 201, {"x-restli-id": comment_id})

    @route("GET", "/rest/socialActions/{urn}/comments", "confirm")
    async def comments(self, request: Request) -> Answer:
        """List the comments of a page's post; those of members' posts cannot be read."""
        account = self.account(request)
        post = self.world.posts.get(self.platform, request.params["urn"])
        if post is None or not self._is_author(account, post) or ":person:" in post.detail["author"]:
            raise refused(403, "ACCESS_DENIED", "Not enough permissions to read these comments")
        elements = [{"message": {"text": text}} for text in post.detail.get("comments", [])[:COMMENTS_SHOWN]]
        return Answer.json({"elements": elements})

    def _is_author(self, account: Account, post: PublicPost) -> bool:
        """Return whether a member, or a page of the member, has published a post."""
        return post.account_id in {account.account_id, self.of_author(post.detail["author"], account).account_id}

    def _attached(self, content: Content, author: str) -> list[ShownMedia]:
        parts = (content.media, content.multi_image, content.article, content.poll)
        if sum(part is not None for part in parts) > 1:
            raise refused(400, "INVALID_VALUE_FOR_FIELD", "content is one of media, multiImage, article and poll")
        if content.article is not None:
            if content.article.thumbnail:
                self.usable(content.article.thumbnail, author)
            return []
        items = content.multi_image.images if content.multi_image else [content.media] if content.media else []
        media: list[tuple[Medium, str | None]] = [(self.usable(item.id, author), item.alt_text) for item in items]
        if content.multi_image and any(medium.kind != "image" for medium, _ in media):
            raise refused(400, "INVALID_URN_TYPE", "multiImage takes images only")
        if content.media and media[0][0].kind == "document" and not content.media.title:
            raise refused(400, "MISSING_FIELD", "content.media.title is required for documents")
        return [medium.shown(alt) for medium, alt in media]


def _rewritten(commentary: str) -> str:
    return re.sub(r"https?://\S+", "https://lnkd.in/e1", shown(commentary))


def _duplicate(urn: str) -> Answer:
    message = f"Content is a duplicate of {urn}"
    fault = {"description": message, "code": "DUPLICATE_POST", "input": {"inputPath": {"fieldPath": "/commentary"}}}
    return Answer.json({"message": message, "errorDetails": {"inputErrors": [fault]}, "status": 422}, 422)


def _page_note(content: Content) -> str | None:
    if content.article:
        return f"{content.article.title} · {content.article.source}"
    return " · ".join(option.text for option in content.poll.options) if content.poll else None


def _element(post: PublicPost) -> dict[str, Any]:
    body = msgspec.json.decode(post.detail["body"])
    return {
        **body,
        "id": post.platform_post_id,
        "createdAt": int(post.created_at * 1000),
        "lifecycleState": "PUBLISHED",
    }

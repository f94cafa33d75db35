"""POST /me/threads and /me/threads_publish: containers, their content, and their publishing."""

from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import regex

from sandbox.accounts import Account
from sandbox.fake_platform import route
from sandbox.fetching import Fetched, FetchError, fetch
from sandbox.graph import flag, invalid, json_parameter, list_parameter, parameters, refused
from sandbox.ids import shortcode
from sandbox.operations import Operation
from sandbox.platforms.threads.base import (
    POSTS_PER_DAY,
    REPLIES_PER_DAY,
    Container,
    FakeThreads,
    not_there,
)
from sandbox.posts import PublicPost, ShownMedia
from sandbox.wire import Answer, RefusedError, Request

CHARACTERS, LINKS, ALT_TEXT_LENGTH = 500, 5, 1000
CAROUSEL_ITEMS = range(2, 21)
IMAGE_BYTES, VIDEO_SECONDS = 8 * 1024 * 1024, 300
REPLY_CONTROLS = ("everyone", "accounts_you_follow", "mentioned_only", "parent_post_author_only", "followers_only")
IMAGE_PROCESSING_SECONDS, VIDEO_PROCESSING_SECONDS = 1.5, 8.0
"""How long a container is in progress if `realistic` is set (unverified; the guide advises to wait 30 seconds)."""

_EMOJI = regex.compile(r"\p{Emoji_Presentation}|\p{Extended_Pictographic}|\p{Regional_Indicator}|\uFE0F")
_LINK = regex.compile(r"https?://\S+")


def _publish(fake: "PublishRoutes", request: Request) -> Operation:
    # Recorded before anything can fail: if a client reads the container after this, it confirms whether it was
    # published.
    with suppress(RefusedError):
        fake.attempted.add(str(parameters(request).get("creation_id", "")))
    return "publish"


class PublishRoutes(FakeThreads):
    """The routes that make containers and posts."""

    @route("POST", "/{id}/threads", "prepare")
    async def create(self, request: Request) -> Answer:
        """Create a container for a text, an image, a video, or a carousel of earlier containers."""
        account, values = self.owner(request), parameters(request)
        kind = str(values.get("media_type") or "").upper()
        if kind not in ("TEXT", "IMAGE", "VIDEO", "CAROUSEL"):
            raise invalid("param media_type must be one of {TEXT, IMAGE, VIDEO, CAROUSEL}")
        if flag(values, "auto_publish_text"):
            raise invalid("The sandbox publishes in two steps only")
        container = Container(self.ids.next(), account.account_id, kind, self.world.now(), self.world.now())
        container.is_child = flag(values, "is_carousel_item") is True
        self._take_words(account, container, values)
        if kind == "CAROUSEL":
            self._take_children(account, container, values)
        elif kind != "TEXT":
            await self._take_media(request, container, values)
        self.containers.put(container.id, container)
        return Answer.json({"id": container.id})

    @route("POST", "/{id}/threads_publish", _publish)
    async def publish(self, request: Request) -> Answer:
        """Make a finished container public, once."""
        account, creation_id = self.owner(request), str(parameters(request).get("creation_id") or "")
        if not creation_id:
            raise invalid("The parameter creation_id is required")
        container = self.containers.get(creation_id)
        if container is None or container.account_id != account.account_id or container.is_child:
            raise not_there()
        status = container.status(self.world.now())
        if status != "FINISHED":
            # The codes are unverified; clients rely on the failure of a second publish.
            raise invalid(f"The container cannot be published: {status}")
        limit, what = (REPLIES_PER_DAY, "replies") if container.reply_to else (POSTS_PER_DAY, "posts")
        if not self.world.windows.take((self.platform, account.account_id, what), limit, 86_400).allowed:
            raise refused("Application request limit reached", 100, None, "You reached the number of posts for today.")
        made = self._make_public(account, container)
        if self.holds("publishes_and_refuses", account):
            raise refused("Action is blocked", 4, 2207051, "We restrict certain activity to protect our community.")
        return Answer.json({"id": made.platform_post_id})

    @route("DELETE", "/{id}", "delete")
    async def delete(self, request: Request) -> Answer:
        """Delete a post."""
        account = self.account(request)
        post = self.world.posts.get(self.platform, request.params["id"])
        if post is None or post.deleted or post.account_id != account.account_id:
            raise not_there()
        post.deleted = True
        self.world.posts.changed(post)
        return Answer.json({"success": True, "deleted_id": post.platform_post_id})

    def _take_words(self, account: Account, container: Container, values: dict[str, Any]) -> None:
        text = str(values.get("text") or "")
        if container.kind == "TEXT" and not text.strip():
            raise invalid("The parameter text is required")
        if container.is_child and text:
            raise invalid("param text is not allowed for an item of a carousel")
        if length(text) > CHARACTERS:
            raise refused("Param text must be at most 500 characters long.", 100)
        if len(set(_LINK.findall(text))) > LINKS:
            raise RefusedError(_too_many_links())
        container.text = text
        if values.get("reply_control") not in (None, *REPLY_CONTROLS):
            raise invalid(f"param reply_control must be one of {REPLY_CONTROLS}")
        tag = values.get("topic_tag")
        if tag is not None and (not 1 <= len(str(tag)) <= 50 or set(".&") & set(str(tag))):
            raise invalid("param topic_tag must have 1 to 50 characters and neither . nor &")
        if values.get("link_attachment") and self.holds("links_refused", account):
            raise refused("Invalid link attachment", -1, 4279047)
        container.note = _attached(container, values)
        self._take_reply(account, container, values.get("reply_to_id"))
        container.quotes = str(values["quote_post_id"]) if values.get("quote_post_id") else None

    def _take_reply(self, account: Account, container: Container, reply_to: object) -> None:
        if reply_to is None:
            return
        post = self.world.posts.get(self.platform, str(reply_to))
        unknown = post is None and self.holds("own_posts_only", account)
        if unknown or (post is not None and post.account_id != account.account_id):
            raise refused("Application does not have permission for this action", 10, 4279067)
        if post is None or post.deleted:
            raise not_there()
        container.reply_to = str(reply_to)

    def _take_children(self, account: Account, container: Container, values: dict[str, Any]) -> None:
        ids = list_parameter(values, "children")
        if len(ids) not in CAROUSEL_ITEMS:
            raise invalid("param children must name 2 to 20 containers")
        children = [self.containers.get(child_id) for child_id in ids]
        for child in children:
            own = child is not None and child.account_id == account.account_id and child.is_child
            unseen = self.holds("children_unseen", account)
            if child is None or not own or unseen or child.status(self.world.now()) != "FINISHED":
                said = "Invalid Carousel Children: one or more children are invalid, nonexistent, or expired."
                raise refused(said, 100, 4279004)
            container.media = [*container.media, *child.media]
            container.ready_at = max(container.ready_at, child.ready_at)

    async def _take_media(self, request: Request, container: Container, values: dict[str, Any]) -> None:
        wants_video = container.kind == "VIDEO"
        name = "video_url" if wants_video else "image_url"
        url = values.get(name)
        if not url:
            raise invalid(f"The parameter {name} is required")
        if len(str(values.get("alt_text") or "")) > ALT_TEXT_LENGTH:
            raise invalid(f"param alt_text must have at most {ALT_TEXT_LENGTH} characters")
        try:
            fetched = await fetch(str(url), urlsplit(request.base_url).netloc)
        except FetchError as error:
            if not wants_video:
                said = f"The media could not be fetched from this URI: {error}"
                raise refused("Media download has failed", 100, None, said) from error
            container.error = "FAILED_DOWNLOADING_VIDEO"
            container.media = [ShownMedia("video")]
            return
        if wants_video:
            container.error = _video_error(fetched)
        else:
            _check_image(fetched)
        seconds = VIDEO_PROCESSING_SECONDS if wants_video else IMAGE_PROCESSING_SECONDS
        container.ready_at = self.world.now() + (seconds if self.world.realistic else 0)
        alt = values.get("alt_text")
        kind = "video" if wants_video else "image"
        container.media = [
            ShownMedia("video" if kind == "video" else "image", self._source(fetched), str(alt) if alt else None)
        ]

    def _source(self, fetched: Fetched) -> str | None:
        if fetched.sample:
            return fetched.sample.path
        if fetched.content is None or fetched.format is None:
            return None
        return self.keep_upload(self.ids.next(), fetched.format.content_type, fetched.content)

    def _make_public(self, account: Account, container: Container) -> PublicPost:
        now, post_id = self.world.now(), self.ids.next()
        code = shortcode(now, post_id)
        kind = "reply" if container.reply_to else "quote" if container.quotes else "carousel"
        post = self.world.posts.add(
            PublicPost(
                platform=self.platform,
                account_id=account.account_id,
                platform_post_id=post_id,
                text=container.text,
                created_at=now,
                kind=kind if kind != "carousel" or container.kind == "CAROUSEL" else "post",
                url=f"https://www.threads.com/@{account.username}/post/{code}",
                media=container.media,
                note=container.note,
                detail={"shortcode": code, "media_type": container.kind, "reply_to": container.reply_to},
            )
        )
        container.post_id = post_id
        self.containers.put(container.id, container)
        return post


def _too_many_links() -> Answer:
    """Return the error as the page on posts describes it, with a name as its code."""
    message = f"A post has up to {LINKS} links."
    error = {"message": message, "type": "THApiException", "code": "THREADS_API__LINK_LIMIT_EXCEEDED"}
    return Answer.json({"error": error}, 400)


def length(text: str) -> int:
    """Count characters; an emoji counts as its bytes in UTF-8."""
    return sum(
        len(cluster.encode()) if _EMOJI.search(cluster) else len(cluster) for cluster in regex.findall(r"\X", text)
    )


def _attached(container: Container, values: dict[str, Any]) -> str | None:
    """Return a text's attachment for the page; only one is allowed."""
    link, poll = values.get("link_attachment"), json_parameter(values, "poll_attachment")
    if (link or poll) and (container.kind != "TEXT" or (link and poll)):
        raise invalid("link_attachment and poll_attachment exclude each other and media")
    if poll is None:
        return str(link) if link else None
    names = [f"option_{letter}" for letter in "abcd"]
    options = [poll[name] for name in names if name in poll] if isinstance(poll, dict) else []
    if len(options) < 2 or set(poll) - set(names) or not all(0 < len(str(option)) <= 25 for option in options):
        raise invalid("param poll_attachment must have option_a and option_b, and may have option_c and option_d")
    return " · ".join(map(str, options))


def _check_image(fetched: Fetched) -> None:
    found = fetched.format
    if found is None or found.content_type not in ("image/jpeg", "image/png"):
        raise refused("Only JPEG and PNG images are supported.", 100, 2207005)
    if fetched.content is not None and len(fetched.content) > IMAGE_BYTES:
        raise refused("The image is too large to download.", 100, 2207004)


def _video_error(fetched: Fetched) -> str | None:
    """Return why processing a video fails; the container's status shows it, not the answer to its creation."""
    found = fetched.format
    if found is None or found.is_image:
        return "FAILED_PROCESSING_VIDEO"
    return "INVALID_DURATION" if found.seconds > VIDEO_SECONDS else None

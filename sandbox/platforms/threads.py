"""Threads: a container for each post, its status, then one call that publishes it; replies make threads."""

from typing import Any, ClassVar

import regex

from sandbox.accounts import Account
from sandbox.authorization import ConsentRules
from sandbox.fake_platform import own, route
from sandbox.fetching import Fetched, FetchError
from sandbox.graph import flag, invalid, json_parameter, list_parameter, parameters, refused, selected, timestamp
from sandbox.meta_containers import Container, FakeContainers, quota_of_day
from sandbox.posts import PublicPost, ShownMedia
from sandbox.wire import Answer, RefusedError, Request

POSTS_PER_DAY, REPLIES_PER_DAY = 250, 1000


class ThreadsContainer(Container, rename="camel"):
    """One container of Threads; `error` is the code that its status shows."""

    reply_to: str | None = None
    quotes: str | None = None
    note: str | None = None


CHARACTERS, LINKS, ALT_TEXT_LENGTH = 500, 5, 1000
CAROUSEL_ITEMS = range(2, 21)
IMAGE_BYTES, VIDEO_SECONDS = 8 * 1024 * 1024, 300
REPLY_CONTROLS = ("everyone", "accounts_you_follow", "mentioned_only", "parent_post_author_only", "followers_only")
_EMOJI = regex.compile(r"\p{Emoji_Presentation}|\p{Extended_Pictographic}|\p{Regional_Indicator}|\uFE0F")
_LINK = regex.compile(r"https?://\S+")
_SCOPES = ("basic", "content_publish", "manage_replies", "read_replies", "delete", "manage_insights")


class Threads(FakeContainers[ThreadsContainer]):
    """The fake Threads, in place of https://graph.threads.net."""

    without_effect: ClassVar[frozenset[str]] = frozenset({"access_token", "fields"})
    platform: ClassVar[str] = "threads"
    label: ClassVar[str] = "Threads"
    colour: ClassVar[str] = "#101010"
    account_prefix: ClassVar[str] = "th"
    consent = ConsentRules(
        "/oauth/authorize",
        frozenset(f"threads_{name}" for name in _SCOPES),
        code_seconds=3600,
        pkce="none",
        scope_separator=",",
        declinable=True,
    )
    conditions = {  # noqa: RUF012
        **FakeContainers.conditions,
        "children_unseen": "The items of a carousel are finished, and not found by its own container.",
        "own_posts_only": "Posts that are not known here are others', which the app may not answer.",
        "links_refused": "Link attachments are refused, as those that redirect are.",
    }
    container_type = ThreadsContainer
    node_types = ("ThreadsUser", "ThreadsContainer", "ThreadsPost")
    publish_path = "/{id}/threads_publish"
    exchange_grant = "th_exchange_token"
    refresh_grant = "th_refresh_token"

    def _missing(self, object_id: str) -> RefusedError:
        # The subcode is unverified.
        return refused("The requested resource does not exist", 24, 4279009)

    def _missing_container(self, container_id: str) -> RefusedError:
        return self._missing(container_id)

    @route("POST", "/{id}/threads", "prepare")
    async def create(self, request: Request) -> Answer:
        """Create a container for a text, an image, a video, or a carousel of earlier containers."""
        account, values = self.owner(request), parameters(request)
        kind = str(values.get("media_type") or "").upper()
        if kind not in ("TEXT", "IMAGE", "VIDEO", "CAROUSEL"):
            raise invalid("param media_type must be one of {TEXT, IMAGE, VIDEO, CAROUSEL}")
        if flag(values, "auto_publish_text"):
            raise invalid("The sandbox publishes in two steps only")
        container = ThreadsContainer(self.ids.next(), account.account_id, kind, self.world.now(), self.world.now())
        container.is_child = flag(values, "is_carousel_item") is True
        self._take_words(account, container, values)
        if kind == "CAROUSEL":
            self._take_children(account, container, values)
        elif kind != "TEXT":
            await self._take_media(request, container, values)
        self.containers.put(container.id, container)
        return Answer.json({"id": container.id})

    @route("DELETE", "/{id}", "delete")
    async def delete(self, request: Request) -> Answer:
        """Delete a post."""
        missing = self._missing(request.params["id"])
        post = own(self.visible_post(request.params["id"]), self.account(request), missing)
        self.world.posts.delete(post)
        return Answer.json({"success": True, "deleted_id": post.platform_post_id})

    def _take_words(self, account: Account, container: ThreadsContainer, values: dict[str, Any]) -> None:
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

    def _take_reply(self, account: Account, container: ThreadsContainer, reply_to: object) -> None:
        if reply_to is None:
            return
        post = self.world.posts.get(self.platform, str(reply_to))
        unknown = post is None and self.holds("own_posts_only", account)
        if unknown or (post is not None and post.account_id != account.account_id):
            raise refused("Application does not have permission for this action", 10, 4279067)
        if post is None or post.deleted:
            raise self._missing(str(reply_to))
        container.reply_to = str(reply_to)

    def _take_children(self, account: Account, container: ThreadsContainer, values: dict[str, Any]) -> None:
        ids = list_parameter(values, "children")
        if len(ids) not in CAROUSEL_ITEMS:
            raise invalid("param children must name 2 to 20 containers")
        for child_id in ids:
            child = self.child(account, child_id)
            unseen = self.holds("children_unseen", account)
            if child is None or unseen or child.status(self.world.now()) != "FINISHED":
                message = "Invalid Carousel Children: one or more children are invalid, nonexistent, or expired."
                raise refused(message, 100, 4279004)
            container.media = [*container.media, *child.media]
            container.ready_at = max(container.ready_at, child.ready_at)

    async def _take_media(self, request: Request, container: ThreadsContainer, values: dict[str, Any]) -> None:
        wants_video = container.kind == "VIDEO"
        name = "video_url" if wants_video else "image_url"
        url = values.get(name)
        if not url:
            raise invalid(f"The parameter {name} is required")
        if len(str(values.get("alt_text") or "")) > ALT_TEXT_LENGTH:
            raise invalid(f"param alt_text must have at most {ALT_TEXT_LENGTH} characters")
        try:
            fetched = await self.fetched(request, url)
        except FetchError as error:
            if not wants_video:
                message = f"The media could not be fetched from this URI: {error}"
                raise refused("Media download has failed", 100, None, message) from error
            container.error = "FAILED_DOWNLOADING_VIDEO"
            container.media = [ShownMedia("video")]
            return
        if wants_video:
            container.error = _video_error(fetched)
        else:
            _check_image(fetched)
        container.ready_at = self.processed_at(is_video=wants_video)
        container.media = [
            self.shown_file("video" if wants_video else "image", fetched, values.get("alt_text")),
        ]

    def _unpublishable(self, container: ThreadsContainer, status: str) -> RefusedError:
        # The codes are unverified; clients rely on the failure of a second publish.
        return invalid(f"The container cannot be published: {status}")

    def _count_post(self, account: Account, container: ThreadsContainer) -> None:
        limit, what = (REPLIES_PER_DAY, "replies") if container.reply_to else (POSTS_PER_DAY, "posts")
        if not self.count(account, limit, 86_400, what).allowed:
            raise refused("Application request limit reached", 100, None, "You reached the number of posts for today.")

    def _post(self, account: Account, container: ThreadsContainer, post_id: str, code: str) -> dict[str, Any]:
        kind = "carousel" if container.kind == "CAROUSEL" else "post"
        return {
            "kind": "reply" if container.reply_to else "quote" if container.quotes else kind,
            "url": f"https://www.threads.com/@{account.username}/post/{code}",
            "note": container.note,
            "detail": {"reply_to": container.reply_to},
        }

    @route("GET", "/debug_token", "auth")
    async def debug(self, request: Request) -> Answer:
        """Describe a token; the request is authorized by the same token."""
        asked = self.world.accounts.by_token(self.platform, self.token(request))
        if asked is None:
            raise refused("Invalid OAuth access token", 190)
        token = str(parameters(request).get("input_token", ""))
        account = self.world.accounts.by_token(self.platform, token)
        return self.debugged(account, token, asked.scopes or sorted(self.consent.scopes), user_id=asked.user_id)

    @route("GET", "/{id}/threads", "confirm")
    async def posts(self, request: Request) -> Answer:
        """List posts, newest first, without replies."""
        return self._list(request, replies=False)

    @route("GET", "/{id}/replies", "confirm")
    async def replies(self, request: Request) -> Answer:
        """List replies, newest first."""
        return self._list(request, replies=True)

    @route("GET", "/{id}/threads_publishing_limit", "confirm")
    async def quota(self, request: Request) -> Answer:
        """Return how many posts of the day are used up; none if limits are off."""
        account = self.owner(request)
        recent = self.counted_posts(account)
        replies = sum(1 for post in recent if post.detail["reply_to"])
        known = {
            "id": account.user_id,
            "quota_usage": len(recent) - replies,
            "config": quota_of_day(POSTS_PER_DAY),
            "reply_quota_usage": replies,
            "reply_config": quota_of_day(REPLIES_PER_DAY),
        }
        quota = selected(known, str(parameters(request).get("fields", "")), "ThreadsPublishingLimit")
        return Answer.json({"data": [{name: value for name, value in quota.items() if name != "id"}]})

    def _container_fields(self, container: ThreadsContainer, account: Account) -> dict[str, Any]:
        status = container.status(self.world.now())
        return {"id": container.id, "status": status, "error_message": container.error if status == "ERROR" else None}

    def _list(self, request: Request, *, replies: bool) -> Answer:
        account, values = self.owner(request), parameters(request)
        since, limit = str(values.get("since", "0")), str(values.get("limit", "25"))
        if not since.isdecimal() or not limit.isdecimal():
            raise invalid("param since and limit must be numbers")
        matching_posts = (
            post
            for post in self.visible_posts(account)
            if bool(post.detail["reply_to"]) is replies and post.created_at >= int(since)
        )
        return self.listed(account, matching_posts, int(limit), str(values.get("fields", "")))

    def _profile_fields(self, account: Account) -> dict[str, Any]:
        return {"id": account.user_id, "username": account.username}

    def _post_fields(self, post: PublicPost, account: Account) -> dict[str, Any]:
        return {
            "id": post.platform_post_id,
            "permalink": post.url,
            "text": post.text or None,
            "timestamp": timestamp(post.created_at),
            "replied_to": {"id": post.detail["reply_to"]} if post.detail["reply_to"] else None,
        }


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


def _attached(container: ThreadsContainer, values: dict[str, Any]) -> str | None:
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
    file_format = fetched.format
    if file_format is None or file_format.content_type not in ("image/jpeg", "image/png"):
        raise refused("Only JPEG and PNG images are supported.", 100, 2207005)
    if fetched.content is not None and len(fetched.content) > IMAGE_BYTES:
        raise refused("The image is too large to download.", 100, 2207004)


def _video_error(fetched: Fetched) -> str | None:
    """Return why processing a video fails; the container's status shows it, not the answer to its creation."""
    file_format = fetched.format
    if file_format is None or file_format.is_image:
        return "FAILED_PROCESSING_VIDEO"
    return "INVALID_DURATION" if file_format.seconds > VIDEO_SECONDS else None

"""Instagram with Instagram Login: a container per media item, its status, then one call that publishes it."""

from typing import Any, ClassVar, NamedTuple

import msgspec

from sandbox.accounts import Account
from sandbox.authorization import ConsentRules
from sandbox.fake_platform import route
from sandbox.fetching import Fetched, FetchError
from sandbox.graph import flag, invalid, json_parameter, list_parameter, parameters, refused, timestamp
from sandbox.meta_containers import DAY, Container, FakeContainers, quota_of_day
from sandbox.posts import PublicPost, ShownMedia
from sandbox.wire import Answer, RefusedError, Request

_SCOPES = frozenset(
    f"instagram_business_{name}" for name in ("basic", "content_publish", "manage_comments", "manage_insights")
)


class InstagramContainer(Container, rename="camel"):
    """One container of Instagram, whose text is its caption."""

    text: str = msgspec.field(default="", name="caption")
    post_id: str | None = msgspec.field(default=None, name="mediaId")


POSTS_PER_DAY = 100
"""Meta's pages say 100 in one place and 50 in another."""
COMMENT_LENGTH = 2200

CAPTION_LENGTH = 2200
HASHTAGS = 30
MENTIONS = 20
ALT_TEXT_LENGTH = 1000
COLLABORATORS = 3
CAROUSEL_ITEMS = range(2, 11)
CONTAINERS_PER_DAY = 400
IMAGE_BYTES = 8 * 1024 * 1024
RATIOS = (0.75, 1.91)
"""Publishers tested it in May 2026; the reference still says 4:5."""
REEL_SECONDS = (3, 900)
STORY_SECONDS = (3, 60)


class _Item(NamedTuple):
    kind: str
    url: str
    is_video: bool


class Instagram(FakeContainers[InstagramContainer]):
    """The fake Instagram, in place of https://graph.instagram.com."""

    without_effect: ClassVar[frozenset[str]] = frozenset(
        {"access_token", "fields", "audio_name", "cover_url", "location_id"}
    )
    platform: ClassVar[str] = "instagram"
    label: ClassVar[str] = "Instagram"
    colour: ClassVar[str] = "#d62976"
    account_prefix: ClassVar[str] = "ig"

    consent = ConsentRules(
        "/oauth/authorize",
        _SCOPES,
        code_seconds=3600,
        pkce="none",
        scope_separator=",",
        declinable=True,
        fragment="#_",
    )
    conditions = {  # noqa: RUF012
        **FakeContainers.conditions,
        "state_unnamed": "Failed containers show an empty status_code.",
        "videos_unprocessable": "Videos end in error 2207085.",
        "reels_unlisted": "Reels are public and not listed.",
    }
    container_type = InstagramContainer
    node_types = ("IGUser", "IGContainer", "ShadowIGMedia")
    publish_path = "/{id}/media_publish"
    exchange_grant = "ig_exchange_token"
    refresh_grant = "ig_refresh_token"
    limit = ("(#80002) There have been too many calls to this Instagram account. Wait a bit and try again.", 80002, 400)
    usage_type = "instagram"

    def renewed(self, token: str) -> dict[str, object]:
        """Return the answer to a renewal, which names the permissions."""
        return {**super().renewed(token), "permissions": ",".join(sorted(_SCOPES))}

    def short_lived(self, token: dict[str, str], scopes: list[str]) -> Answer:
        """Return the answer in a list, as Instagram does since its business login."""
        return Answer.json({"data": [{**token, "permissions": ",".join(scopes)}]})

    @route("POST", "/{id}/media", "prepare")
    async def create(self, request: Request) -> Answer:
        """Create a container for an image, a video, a story, or a carousel of earlier containers."""
        account = self.owner(request)
        values = parameters(request)
        if not self.count(account, CONTAINERS_PER_DAY, 86_400, "containers").allowed:
            raise refused("(#4) Application request limit reached", 4, is_transient=True)
        caption = _caption(values)
        _check_settings(values)
        if str(values.get("media_type", "")).upper() == "CAROUSEL":
            container = self._carousel(account, values, caption)
        else:
            container = await self._single(request, account, values, caption)
        self.containers.put(container.id, container)
        return Answer.json({"id": container.id})

    def _carousel(self, account: Account, values: dict[str, Any], caption: str) -> InstagramContainer:
        ids = list_parameter(values, "children")
        if len(ids) not in CAROUSEL_ITEMS:
            raise refused(
                "Invalid parameter", 100, 2207028, "Your post won't work as a carousel. It needs 2 to 10 items."
            )
        ready_at = now = self.world.now()
        shown: list[ShownMedia] = []
        for child_id in ids:
            child = self.child(account, child_id)
            if child is None:
                raise self._missing_container(child_id)
            if child.status(now) not in ("FINISHED", "IN_PROGRESS"):
                raise refused("Media expired", -1, 2207020, f"The media with id {child_id} has expired or failed.")
            shown += child.media
            ready_at = max(ready_at, child.ready_at)
        return InstagramContainer(self.ids.next(), account.account_id, "CAROUSEL", now, ready_at, caption, media=shown)

    async def _single(
        self, request: Request, account: Account, values: dict[str, Any], caption: str
    ) -> InstagramContainer:
        is_child = flag(values, "is_carousel_item") is True
        item = _item(values, is_child=is_child)
        try:
            fetched = await self.fetched(request, item.url)
        except FetchError as error:
            raise refused(
                "Only photo or video can be accepted as media type.",
                9004,
                2207052,
                f"The media could not be fetched from this URI: {error}",
            ) from error
        if not item.is_video:
            _check_image(item, fetched)
        shown = self.shown_file("video" if item.is_video else "image", fetched, values.get("alt_text"))
        ready_at = self.processed_at(is_video=item.is_video)
        container = InstagramContainer(
            self.ids.next(), account.account_id, item.kind, self.world.now(), ready_at, caption, is_child, [shown]
        )
        if item.is_video:
            container.error = _video_error(item, fetched)
            if self.holds("videos_unprocessable", account):
                container.error = "Error: 2207085 - The video could not be processed."
        return container

    @route("POST", "/{id}/comments", "edit")
    async def comment(self, request: Request) -> Answer:
        """Write a comment below a published post."""
        return self.write_comment(request, longest=COMMENT_LENGTH)

    def _missing_container(self, container_id: str) -> RefusedError:
        return refused("Media not found", 24, 2207006, f"The media with id {container_id} cannot be found.")

    def _unpublishable(self, container: InstagramContainer, status: str) -> RefusedError:
        match status:
            case "IN_PROGRESS":
                return refused("Media is not ready", 9007, 2207027, "The media is not ready, please wait for a moment")
            case "ERROR":
                return refused("Media upload failed", -1, 2207053, container.error)
            case "EXPIRED":
                return refused("Media expired", -1, 2207020, "The media you are trying to access has expired.")
            case _:
                # The code is unverified. Observed: a second publish fails and publishes nothing twice.
                return refused("Media already published", 9007, 2207027, "The media has already been published.")

    def _count_post(self, account: Account, container: InstagramContainer) -> None:
        if not self.count(account, POSTS_PER_DAY, 86_400, "posts").allowed:
            message = "You reached the maximum number of posts for today."
            raise refused("Application request limit reached", 9, 2207042, message)

    def _post(self, account: Account, container: InstagramContainer, post_id: str, code: str) -> dict[str, Any]:
        kind = {"REELS": "reel", "STORIES": "story", "CAROUSEL": "carousel"}.get(container.kind, "post")
        path = {"reel": f"reel/{code}", "story": f"stories/{account.username}/{post_id}"}.get(kind, f"p/{code}")
        return {"kind": kind, "url": f"https://www.instagram.com/{path}/"}

    @route("GET", "/{id}/media", "confirm")
    async def media(self, request: Request) -> Answer:
        """List published media, newest first, without stories."""
        return self._list(request, stories=False)

    @route("GET", "/{id}/stories", "confirm")
    async def stories(self, request: Request) -> Answer:
        """List the stories of the last day."""
        return self._list(request, stories=True)

    @route("GET", "/{id}/content_publishing_limit", "confirm")
    async def quota(self, request: Request) -> Answer:
        """Return how many posts of the day are used up; none if limits are off."""
        account = self.owner(request)
        used = {"quota_usage": len(self.counted_posts(account)), "config": quota_of_day(POSTS_PER_DAY)}
        return Answer.json({"data": [used]})

    @route("GET", "/{id}/comments", "confirm")
    async def list_comments(self, request: Request) -> Answer:
        """List the comments below a post, newest first."""
        return Answer.json({"data": self.comments_below(request, "text", "timestamp")[::-1]})

    def _container_fields(self, container: InstagramContainer, account: Account) -> dict[str, Any]:
        code = container.status(self.world.now())
        status = {
            "IN_PROGRESS": "In Progress: Media is still being processed.",
            "FINISHED": "Finished: Media has been uploaded and it is ready to be published.",
            "PUBLISHED": "Published: Media has been successfully published.",
            "EXPIRED": "Expired: Media was not published within 24 hours.",
        }.get(code, container.error)
        if self.holds("state_unnamed", account) and code == "ERROR":
            code = ""
        return {"id": container.id, "status_code": code, "status": status}

    def _list(self, request: Request, *, stories: bool) -> Answer:
        account = self.owner(request)
        values = parameters(request)
        fields, limit = str(values.get("fields", "")), str(values.get("limit", "25"))
        since = self.world.now() - DAY if stories else 0
        matching_posts = (
            post
            for post in self.world.posts.by_account(account)
            if (post.kind == "story") is stories and post.created_at >= since
            if post.kind != "reel" or not self.holds("reels_unlisted", account)
        )
        return self.listed(account, matching_posts, int(limit) if limit.isdecimal() else 25, fields)

    def _profile_fields(self, account: Account) -> dict[str, Any]:
        return {"id": account.user_id, "user_id": account.user_id, "username": account.username}

    def _post_fields(self, post: PublicPost, account: Account) -> dict[str, Any]:
        return {
            "id": post.platform_post_id,
            "caption": post.text or None,
            "permalink": post.url,
            "timestamp": timestamp(post.created_at),
        }


def _item(values: dict[str, Any], *, is_child: bool) -> _Item:
    """Return the kind of item and the address of its file, from the parameters."""
    kind = str(values.get("media_type") or "").upper()
    image_url, video_url = values.get("image_url"), values.get("video_url")
    if values.get("upload_type"):
        raise invalid("param upload_type is not allowed for this login.")
    if kind not in ("", "IMAGE", "VIDEO", "REELS", "STORIES"):
        raise refused("Invalid parameter", 100, 2207023, f"The media type {kind} is unknown.")
    if kind == "VIDEO" and not is_child:
        raise refused(
            "Invalid parameter", 100, 2207023, "The VIDEO value for media_type is no longer supported. Use REELS."
        )
    if kind in ("REELS", "STORIES") and is_child:
        raise refused("Invalid parameter", 100, 2207023, f"{kind} cannot be an item of a carousel.")
    if is_child and values.get("collaborators"):
        raise invalid("param collaborators is not allowed")
    wants_video = kind in ("VIDEO", "REELS") or (kind != "IMAGE" and not image_url)
    url = video_url if wants_video else image_url
    if not url:
        raise invalid(f"The parameter {'video_url' if wants_video and kind else 'image_url'} is required")
    if wants_video and not kind and not is_child:
        raise refused("Invalid parameter", 100, 2207023, "A single video needs the media_type REELS or STORIES.")
    return _Item(kind or ("VIDEO" if wants_video else "IMAGE"), str(url), wants_video)


def _caption(values: dict[str, Any]) -> str:
    caption = values.get("caption", "")
    if not isinstance(caption, str):
        raise invalid("param caption must be a string.")
    if len(caption) > CAPTION_LENGTH:
        raise refused("The caption was too long.", 36004, 2207010, f"A caption has up to {CAPTION_LENGTH} characters.")
    if caption.count("#") > HASHTAGS or caption.count("@") > MENTIONS:
        raise refused(
            "The caption was too long.",
            36004,
            2207010,
            f"A caption has up to {HASHTAGS} hashtags and {MENTIONS} mentions.",
        )
    return caption


def _check_settings(values: dict[str, Any]) -> None:
    if len(list_parameter(values, "collaborators")) > COLLABORATORS:
        raise invalid(f"param collaborators must have at most {COLLABORATORS} usernames.")
    if len(str(values.get("alt_text") or "")) > ALT_TEXT_LENGTH:
        raise invalid(f"param alt_text must have at most {ALT_TEXT_LENGTH} characters.")
    flag(values, "share_to_feed")
    if flag(values, "is_ai_generated") is not None and flag(values, "is_carousel_item"):
        raise invalid("param is_ai_generated is not allowed for an item of a carousel.")
    tags = json_parameter(values, "user_tags")
    if tags is not None and not (isinstance(tags, list) and all(_is_tag(tag) for tag in tags)):
        raise refused("Invalid parameter", 100, 2207035, "Every tag needs a username, and x and y from 0 to 1.")
    trial = json_parameter(values, "trial_params")
    if trial is not None:
        strategy = trial.get("graduation_strategy") if isinstance(trial, dict) else None
        if strategy not in ("MANUAL", "SS_PERFORMANCE"):
            raise invalid("param trial_params must have a graduation_strategy of MANUAL or SS_PERFORMANCE.")
    offset = str(values.get("thumb_offset", "0"))
    if not offset.isdecimal():
        raise refused("Invalid thumbnail offset", 1, 2207057, "The thumbnail offset must be within the video.")


def _is_tag(tag: object) -> bool:
    if not isinstance(tag, dict) or not tag.get("username"):
        return False
    return all(isinstance(tag.get(axis, 0), int | float) and 0 <= tag.get(axis, 0) <= 1 for axis in ("x", "y"))


def _check_image(item: _Item, fetched: Fetched) -> None:
    """Refuse an image that is no JPEG or does not fit the feed; stories accept every aspect ratio."""
    file_format = fetched.format
    if file_format is None:
        raise refused("Only photo or video can be accepted as media type.", 9004, 2207052, "This is no image.")
    if file_format.content_type != "image/jpeg":
        raise refused(
            "The image format is not supported.",
            36001,
            2207005,
            f"{file_format.content_type} is not supported; use JPEG.",
        )
    if fetched.content is not None and len(fetched.content) > IMAGE_BYTES:
        raise refused("The image is too large to download.", 36000, 2207004, "An image has up to 8 MiB.")
    ratio = file_format.width / file_format.height if file_format.height else 1
    if item.kind != "STORIES" and not RATIOS[0] - 0.01 <= ratio <= RATIOS[1] + 0.01:
        raise refused(
            "The submitted image does not have a valid aspect ratio.", 36003, 2207009, "Allowed are 3:4 to 1.91:1."
        )


def _video_error(item: _Item, fetched: Fetched) -> str | None:
    """Return why processing a video fails; the container's status shows it, not the answer to its creation."""
    file_format = fetched.format
    if file_format is None or file_format.is_image:
        return "Error: 2207026 - The video format is not supported. Please check spec for supported format."
    if fetched.sample is None and file_format.seconds:
        shortest, longest = STORY_SECONDS if item.kind == "STORIES" else REEL_SECONDS
        if not shortest <= file_format.seconds <= longest:
            return f"Error: 2207026 - The video must be between {shortest} and {longest} seconds long."
    return None

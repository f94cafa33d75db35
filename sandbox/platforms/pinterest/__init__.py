"""Pinterest's API v5: pins on boards, made from addresses or from a video that was uploaded to a storage before."""

import secrets
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from sandbox.accounts import Account
from sandbox.fake_platform import own, route
from sandbox.fetching import Fetched, FetchError, probe
from sandbox.platforms.pinterest.base import (
    BOARD_NOT_FOUND,
    INVALID,
    LACKS_SCOPES,
    NOT_PERMITTED,
    PIN_NOT_FOUND,
    FakePinterest,
    Video,
    refused,
)
from sandbox.posts import PublicPost, ShownMedia
from sandbox.wire import Answer, Request, storage_refused

PROCESSING_SECONDS = 5


class NewMedia(msgspec.Struct, forbid_unknown_fields=True):
    """The request that registers an upload."""

    media_type: str


Digits = Annotated[str, msgspec.Meta(pattern=r"^\d+$")]
Short = Annotated[str, msgspec.Meta(max_length=100)]
ContentType = Literal["image/jpeg", "image/png"]


class Source(msgspec.Struct, forbid_unknown_fields=True, tag_field="source_type"):
    """The media of a pin."""


class ImageUrl(Source, tag="image_url"):
    """An image by its address."""

    url: str
    is_standard: bool = True


class UrlItem(msgspec.Struct, forbid_unknown_fields=True):
    """One image of a carousel."""

    url: str
    title: str | None = None
    description: str | None = None
    link: str | None = None


class ImageUrls(Source, tag="multiple_image_urls"):
    """A carousel."""

    items: Annotated[list[UrlItem], msgspec.Meta(min_length=2, max_length=5)]
    index: Annotated[int, msgspec.Meta(ge=0)] = 0


class VideoId(Source, tag="video_id"):
    """A video that was uploaded."""

    media_id: Digits
    cover_image_url: str | None = None
    cover_image_content_type: ContentType | None = None
    cover_image_data: str | None = None
    cover_image_key_frame_time: Annotated[int, msgspec.Meta(ge=0)] | None = None
    is_standard: bool = True

    @property
    def has_cover(self) -> bool:
        """Return whether the body gives a cover in one of the three ways."""
        return any((self.cover_image_url, self.cover_image_data, self.cover_image_key_frame_time is not None))


class NewPin(msgspec.Struct, forbid_unknown_fields=True):
    """The whole body."""

    board_id: Digits
    media_source: ImageUrl | ImageUrls | VideoId
    board_section_id: Digits | None = None
    title: Short | None = None
    description: Annotated[str, msgspec.Meta(max_length=800)] | None = None
    alt_text: Annotated[str, msgspec.Meta(max_length=500)] | None = None
    link: Annotated[str, msgspec.Meta(max_length=2048)] | None = None
    dominant_color: str | None = None
    parent_pin_id: Digits | None = None


LAG_SECONDS = 180
LARGEST_IMAGE = 20 << 20
"""Unverified."""
_KINDS = {"image": "image", "carousel": "multiple_images", "video": "video"}


class Pinterest(FakePinterest):
    """The fake Pinterest, in place of https://api.pinterest.com and of its storage."""

    platform: ClassVar[str] = "pinterest"
    label: ClassVar[str] = "Pinterest"
    colour: ClassVar[str] = "#e60023"
    account_prefix: ClassVar[str] = "pi"

    @route("POST", "/v5/media", "prepare")
    async def register(self, request: Request) -> Answer:
        """Register a video."""
        account = self.account(request)
        if request.decoded(NewMedia).media_type != "video":
            raise refused(400, INVALID, "media_type must be video")
        video = Video(self.ids.next(), account.account_id, f"uploads/{secrets.token_hex(8)}:video")
        self.videos.put(video.id, video)
        parameters = {
            "x-amz-date": "20260115T100000Z",
            "x-amz-signature": secrets.token_hex(32),
            "x-amz-security-token": secrets.token_urlsafe(64),
            "x-amz-algorithm": "AWS4-HMAC-SHA256",
            "key": video.key,
            "policy": secrets.token_urlsafe(96),
            "x-amz-credential": "ASIA0000000000000000/20260115/us-east-1/s3/aws4_request",
            "Content-Type": "multipart/form-data",
        }
        answer = {
            "media_id": video.id,
            "media_type": "video",
            "upload_url": f"{request.base_url}/storage/{video.id}",
            "upload_parameters": parameters,
        }
        return Answer.json(answer, 201)

    @route("POST", "/storage/{id}", "prepare")
    async def store(self, request: Request) -> Answer:
        """Receive the file, which must be the last field of the form, after all fields of the registration."""
        video = self.videos.get(request.params["id"])
        if video is None:
            raise storage_refused(403, "AccessDenied")
        content = request.stored_file(video.key)
        if not request.header("content-length"):
            raise storage_refused(400, "InvalidArgument")
        file_format = probe(content)
        video.failed = file_format is None or file_format.is_image
        video.ready_at = self.world.now() + (PROCESSING_SECONDS if self.world.realistic else 0)
        if file_format is not None and not video.failed:
            video.src = self.keep_upload(video.id, file_format.content_type, content)
        self.videos.put(video.id, video)
        return Answer(204)

    @route("GET", "/v5/media/{id}", "prepare")
    async def status(self, request: Request) -> Answer:
        """Return the state of a video."""
        missing = refused(404, INVALID, "Media not found.")
        video = own(self.videos.get(request.params["id"]), self.account(request), missing)
        return Answer.json({"media_id": video.id, "media_type": "video", "status": video.status(self.world.now())})

    @route("POST", "/v5/pins", "publish")
    async def create(self, request: Request) -> Answer:
        """Create a pin."""
        account, body = self.account(request), request.decoded(NewPin)
        if self.holds("scopes_missing", account):
            message = "Your token does not have sufficient permissions. Missing: ['pins:write']"
            raise refused(401, LACKS_SCOPES, message)
        if self.holds("board_forbidden", account):
            raise refused(403, NOT_PERMITTED, "You are not permitted to access that resource.")
        if body.board_id.startswith("0"):  # no board's id begins so
            raise refused(404, BOARD_NOT_FOUND, "Board not found.")
        if body.link and not body.link.startswith(("http://", "https://")):
            raise refused(400, INVALID, "Invalid link: it must be a web address")
        kind, shown = await self._source(request, account, body)
        pin_id = self.ids.next()
        post = self.add_post(
            account,
            pin_id,
            body.description or "",
            kind=kind,
            url=f"https://www.pinterest.com/pin/{pin_id}/",
            media=shown,
            note=body.title,
            detail={
                "board_id": body.board_id,
                "board_section_id": body.board_section_id,
                "title": body.title,
                "link": _rewritten(body.link) if self.holds("links_rewritten", account) else body.link,
                "alt_text": body.alt_text,
            },
        )
        return Answer.json(_pin(post), 201)

    @route("GET", "/v5/pins/{id}", "confirm")
    async def read_pin(self, request: Request) -> Answer:
        """Return a pin."""
        return Answer.json(_pin(self._own(request)))

    @route("DELETE", "/v5/pins/{id}", "delete")
    async def delete(self, request: Request) -> Answer:
        """Delete a pin."""
        self.world.posts.delete(self._own(request))
        return Answer(204)

    @route("GET", "/v5/boards/{id}/pins", "confirm")
    async def of_board(self, request: Request) -> Answer:
        """List a board's pins, newest first."""
        if request.params["id"].startswith("0"):
            raise refused(404, BOARD_NOT_FOUND, "Board not found.")
        account = self.account(request)
        size, bookmark = request.query.get("page_size", "25"), request.query.get("bookmark")
        if not size.isdecimal() or not 1 <= int(size) <= 250:
            raise refused(400, INVALID, "page_size must be between 1 and 250")
        newest = self.world.now() - (LAG_SECONDS if self.holds("lists_lag", account) else 0)
        pins = [
            post
            for post in self.visible_posts(account)
            if post.created_at <= newest
            and post.detail["board_id"] == request.params["id"]
            and (bookmark is None or int(post.platform_post_id) < int(bookmark))
        ]
        shown = pins[: int(size)]
        following = shown[-1].platform_post_id if len(pins) > len(shown) else None
        return Answer.json({"items": [_pin(post) for post in shown], "bookmark": following})

    def _own(self, request: Request) -> PublicPost:
        missing = refused(404, PIN_NOT_FOUND, "Pin not found.")
        return own(self.visible_post(request.params["id"]), self.account(request), missing)

    async def _source(self, request: Request, account: Account, body: NewPin) -> tuple[str, list[ShownMedia]]:
        match body.media_source:
            case ImageUrl(url=url):
                return "image", [self._shown(await self._fetched(request, url), body.alt_text)]
            case ImageUrls(items=items):
                images = [await self._fetched(request, item.url) for item in items]
                sides = {
                    (image.format.width, image.format.height) for image in images if image.format and not image.sample
                }
                if len(sides) > 1:
                    # Pinterest's answer is unknown; other publishers refuse such pins before they send them.
                    raise refused(400, INVALID, "The images of a carousel must have the same dimensions.")
                return "carousel", [self._shown(image, body.alt_text) for image in images]
            case VideoId() as source:
                invalid = refused(400, INVALID, f"Invalid media_id {source.media_id}")
                video = own(self.videos.get(source.media_id), account, invalid)
                if video.status(self.world.now()) != "succeeded":
                    raise refused(400, INVALID, f"The upload of media_id {source.media_id} has not succeeded")
                if not source.has_cover:
                    raise refused(400, INVALID, "A cover image is required for a video pin")
                return "video", [ShownMedia("video", video.src, body.alt_text)]

    async def _fetched(self, request: Request, url: str) -> Fetched:
        try:
            return await self.fetched(request, url)
        except FetchError as problem:
            message = "Unable to reach the URL. Please check the URL is correct and try again."
            raise refused(400, INVALID, message) from problem

    def _shown(self, fetched: Fetched, alt: str | None) -> ShownMedia:
        if fetched.format is None or not fetched.format.is_image or len(fetched.content or b"") > LARGEST_IMAGE:
            raise refused(400, INVALID, "The image is invalid or too large.")
        return self.shown_file("image", fetched, alt)


def _rewritten(link: str | None) -> str | None:
    return link and "https://" + link.partition("://")[2].partition("?")[0]


def _pin(post: PublicPost) -> dict[str, Any]:
    created_at = datetime.fromtimestamp(post.created_at, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return {
        "id": post.platform_post_id,
        "created_at": created_at,
        "description": post.text or None,
        "media": {"media_type": _KINDS[post.kind]},
        **post.detail,
    }

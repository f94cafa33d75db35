"""TikTok: uploads in chunks, photos that it fetches, and a status that reports their outcome."""

import secrets
from contextlib import suppress
from typing import Any, ClassVar
from urllib.parse import urlsplit

from sandbox.accounts import Account
from sandbox.fake_platform import route
from sandbox.faults import Operation
from sandbox.fetching import FetchError, probe
from sandbox.platforms.tiktok.base import PRIVACY_OPTIONS, FakeTikTok, Publication, envelope, json_body, refused
from sandbox.posts import ShownMedia
from sandbox.wire import Answer, RefusedError, Request
from sandbox.world import World

POSTS_PER_DAY = 15
PENDING_SHARES = 5
MEGABYTE = 1024 * 1024
LEAST_CHUNK, LARGEST_CHUNK, LARGEST_LAST = 5_000_000, 64 * MEGABYTE, 128 * MEGABYTE
"""TikTok's page says megabytes; whether they are binary is unverified, so the larger size applies."""
LARGEST_VIDEO = 4096 * MEGABYTE
LARGEST_PHOTO = 20 * MEGABYTE
LARGEST_SHORTER_SIDE = 1080
"""Pixels; "1080p", according to refusals that publishers saw."""
UPLOAD_SECONDS = 3600
VIDEO_TYPES = ("video/mp4", "video/quicktime", "video/webm")

_VIDEO_INFO = {
    "title": str,
    "privacy_level": str,
    "disable_duet": bool,
    "disable_comment": bool,
    "disable_stitch": bool,
    "video_cover_timestamp_ms": int,
    "brand_content_toggle": bool,
    "brand_organic_toggle": bool,
    "is_aigc": bool,
}
_PHOTO_INFO = {
    "title": str,
    "description": str,
    "privacy_level": str,
    "disable_comment": bool,
    "auto_add_music": bool,
    "brand_content_toggle": bool,
    "brand_organic_toggle": bool,
}


def _chunk_operation(fake: "TikTok", request: Request) -> Operation:
    """Return the operation of a chunk; the last one publishes."""
    with suppress(RefusedError):
        _, end, total = _range(request)
        if end + 1 == total:
            publication = fake.by_upload.get(request.query.get("upload_id", ""))
            fake.attempted.add(publication.id if publication else "")
            return "publish"
    return "prepare"


class TikTok(FakeTikTok):
    """The fake TikTok, in place of https://open.tiktokapis.com and https://open-upload.tiktokapis.com."""

    platform: ClassVar[str] = "tiktok"
    label: ClassVar[str] = "TikTok"
    colour: ClassVar[str] = "#fe2c55"
    account_prefix: ClassVar[str] = "tt"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.by_upload = {
            publication.upload_id: publication for publication in self.publications if publication.upload_id
        }

    @route("POST", "/v2/post/publish/video/init/", "prepare")
    async def begin_video(self, request: Request) -> Answer:
        """Begin a video that is published."""
        account, body = self.account(request), json_body(request)
        info = _checked_info(body.get("post_info"), _VIDEO_INFO, title=2200)
        _check_privacy(info)
        self._count(account)
        return self._begun(request, account, body, info)

    @route("POST", "/v2/post/publish/inbox/video/init/", "prepare")
    async def begin_inbox_video(self, request: Request) -> Answer:
        """Begin a video for the inbox of the app."""
        account = self.account(request)
        if not self.count(account, PENDING_SHARES, 86_400, "pending").allowed:
            raise refused("spam_risk_too_many_pending_share", "Too many pending shares in the last 24 hours.", 403)
        return self._begun(request, account, json_body(request), None)

    @route("POST", "/v2/post/publish/content/init/", "publish")
    async def photos(self, request: Request) -> Answer:
        """Fetch photos and publish them."""
        account, body = self.account(request), json_body(request)
        if body.get("media_type") != "PHOTO" or body.get("post_mode") not in ("DIRECT_POST", "MEDIA_UPLOAD"):
            raise refused("invalid_params", "media_type and post_mode are required.")
        direct = body["post_mode"] == "DIRECT_POST"
        info = _checked_info(body.get("post_info"), _PHOTO_INFO, title=90)
        if direct:
            _check_privacy(info)
            self._count(account)
        urls = _photo_urls(body.get("source_info"))
        own = all(urlsplit(url).path.startswith("/media/") for url in urls)
        if self.holds("unverified_addresses", account) and not own:
            raise refused("url_ownership_unverified", "Please verify the ownership of the URL.", 403)
        publication = Publication(
            f"p_pub_url~v2.{self.ids.next()}",
            account.account_id,
            is_photo=True,
            to_inbox=not direct,
            text=info.get("description", ""),
            title=info.get("title", ""),
            privacy=info.get("privacy_level", ""),
            created_at=self.world.now(),
        )
        self.attempted.add(publication.id)
        photos = [await self._photo(request, url) for url in urls]
        failure = next((photo for photo in photos if isinstance(photo, str)), None)
        self.publish(account, publication, [photo for photo in photos if isinstance(photo, ShownMedia)], failure)
        return envelope({"publish_id": publication.id})

    @route("PUT", "/video/", _chunk_operation)
    async def chunk(self, request: Request) -> Answer:
        """Receive the next chunk; with the last one the video is complete."""
        publication = self.by_upload.get(request.query.get("upload_id", ""))
        now = self.world.now()
        if publication is None or publication.upload_token != request.query.get("upload_token"):
            raise refused("access_denied", "The upload is unknown.", 403)
        if now - publication.created_at > UPLOAD_SECONDS:
            raise refused("access_denied", "The upload has expired.", 403)
        start, end, total = _range(request)
        content = self.received.setdefault(publication.id, bytearray())
        whole = publication.whole_at is not None
        if (
            total != publication.size
            or end - start + 1 != len(request.body)
            or request.header("content-type") not in VIDEO_TYPES
        ):
            raise refused("invalid_params", "Content-Range, Content-Length or Content-Type is wrong.", 400)
        if whole or start != len(content):
            raise refused("range_mismatch", "The range is not the one that comes next.", 416)
        is_last = start // publication.chunk == publication.count - 1
        if not is_last and len(request.body) != publication.chunk:
            raise refused("range_mismatch", "The chunk has not the announced size.", 416)
        content += request.body
        if len(content) < publication.size:
            return Answer(206, headers=[(b"content-range", f"bytes 0-{end}/{total}".encode())])
        received = bytes(self.received.pop(publication.id))
        file_format = probe(received)
        account = self.world.accounts.get(self.platform, publication.account_id)
        if account is not None:
            if file_format is None or file_format.is_image:
                self.publish(account, publication, [], "file_format_check_failed")
            else:
                self.publish(account, publication, [self.shown_file("video", received)], None)
        return Answer(201)

    def _count(self, account: Account) -> None:
        if not self.count(account, POSTS_PER_DAY, 86_400, "posts").allowed:
            raise refused("spam_risk_too_many_posts", "The daily post cap of this user is reached.", 403)

    def _begun(self, request: Request, account: Account, body: dict[str, Any], info: dict[str, Any] | None) -> Answer:
        source = body.get("source_info")
        if not isinstance(source, dict) or source.get("source") != "FILE_UPLOAD":
            raise refused("invalid_params", "source_info.source must be FILE_UPLOAD here.")
        size, chunk, count = (source.get(name) for name in ("video_size", "chunk_size", "total_chunk_count"))
        if not (isinstance(size, int) and isinstance(chunk, int) and isinstance(count, int)):
            raise refused("invalid_params", "video_size, chunk_size and total_chunk_count are required.")
        if not _is_divided(size, chunk, count):
            raise refused("invalid_params", "The total chunk count is invalid.")
        info = info or {}
        publication = Publication(
            f"v_{'inbox' if not info else 'pub'}_file~v2.{self.ids.next()}",
            account.account_id,
            is_photo=False,
            to_inbox=not info,
            text=info.get("title", ""),
            privacy=info.get("privacy_level", ""),
            upload_id=self.ids.next(),
            upload_token=secrets.token_hex(16),
            size=size,
            chunk=chunk,
            count=count,
            created_at=self.world.now(),
        )
        self.by_upload[publication.upload_id] = self.publications.put(publication.id, publication)
        query = f"upload_id={publication.upload_id}&upload_token={publication.upload_token}"
        return envelope({"publish_id": publication.id, "upload_url": f"{request.base_url}/video/?{query}"})

    async def _photo(self, request: Request, url: str) -> ShownMedia | str:
        """Return a photo, or the reason why it cannot be fetched."""
        try:
            fetched = await self.fetched(request, url)
        except FetchError:
            return "photo_pull_failed"
        if fetched.format is None or fetched.format.content_type not in ("image/jpeg", "image/webp"):
            return "file_format_check_failed"
        shorter_side = min(fetched.format.width, fetched.format.height)
        if len(fetched.content or b"") > LARGEST_PHOTO or shorter_side > LARGEST_SHORTER_SIDE:
            return "picture_size_check_failed"
        return self.shown_file("image", fetched)


def _is_divided(size: int, chunk: int, count: int) -> bool:
    """Return whether a video is divided as TikTok requires."""
    if not 0 < size <= LARGEST_VIDEO or not 1 <= count <= 1000 or not 0 < chunk <= size or size // chunk != count:
        return False
    if count == 1:
        return (chunk == size and size <= LARGEST_CHUNK) or (chunk >= LEAST_CHUNK and size <= LARGEST_LAST)
    return LEAST_CHUNK <= chunk <= LARGEST_CHUNK


def _range(request: Request) -> tuple[int, int, int]:
    unit, _, written = request.header("content-range").partition(" ")
    bounds, _, total = written.partition("/")
    start, _, end = bounds.partition("-")
    if unit != "bytes" or not (start.isdecimal() and end.isdecimal() and total.isdecimal()):
        raise refused("invalid_params", "Content-Range is missing or wrong.")
    return int(start), int(end), int(total)


def _checked_info(info: object, known: dict[str, type], *, title: int) -> dict[str, Any]:
    if not isinstance(info, dict):
        raise refused("invalid_params", "post_info is required.")
    for name, value in info.items():
        # Whether TikTok refuses unknown names is unverified; the sandbox does, so that a misspelt name is found.
        if name not in known or not isinstance(value, known[name]):
            raise refused("invalid_params", f"post_info.{name} is unknown or of the wrong type.")
    for name, limit in (("title", title), ("description", 4000)):
        if len(str(info.get(name, "")).encode("utf-16-le")) // 2 > limit:
            raise refused("invalid_params", f"post_info.{name} is too long.")
    return info


def _check_privacy(info: dict[str, Any]) -> None:
    level = info.get("privacy_level")
    if level not in PRIVACY_OPTIONS:
        raise refused("privacy_level_option_mismatch", "Privacy level is not among the creator's options.", 403)
    if level == "SELF_ONLY" and info.get("brand_content_toggle"):
        raise refused("invalid_params", "Branded content cannot be private.")


def _photo_urls(source: object) -> list[str]:
    if not isinstance(source, dict) or source.get("source") != "PULL_FROM_URL":
        raise refused("invalid_params", "Photos are only taken by PULL_FROM_URL.")
    urls, cover = source.get("photo_images"), source.get("photo_cover_index", 0)
    if not isinstance(urls, list) or not 1 <= len(urls) <= 35 or not isinstance(cover, int) or cover >= len(urls):
        raise refused("invalid_params", "photo_images or photo_cover_index is wrong.")
    return [str(url) for url in urls]

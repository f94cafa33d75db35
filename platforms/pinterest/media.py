"""The upload of a video to Pinterest, and the request body that makes a pin."""

from datetime import timedelta
from typing import Any

import httpx

from platforms.base import Draft
from platforms.errors import ErrorKind, PlatformError
from platforms.http.multipart import FilePart, MultipartForm, post_form
from platforms.http.wire import segment
from platforms.pinterest import rules
from platforms.pinterest.access import PinterestConnection, PinterestContext, call
from platforms.pinterest.rules import PinterestSettings

NEXT_CHECK = timedelta(seconds=5)


class Video:
    """The upload of the one video of a pin."""

    def __init__(self, connection: PinterestConnection, context: PinterestContext) -> None:
        self._connection = connection
        self._context = context

    @property
    def media_id(self) -> str:
        """Return Pinterest's id of the uploaded video."""
        return str(self._context.handles["video"]["id"])

    async def run(self) -> None:
        """Upload the video until a pin may use it. Raises PlatformError: `not_ready` while Pinterest processes it."""
        item, handles = self._context.draft.media[0], self._context.handles
        if handles.get("video", {}).get("url") != item.url:
            # An incomplete upload is not saved, because the storage takes a file in one piece only.
            media_id = await self._upload()
            await self._keep({"id": media_id, "url": item.url, "ready": False})
        if not handles["video"]["ready"]:
            await self._check_processing()

    async def drop(self) -> None:
        """Forget the video, so that the next attempt uploads it again."""
        self._context.handles.pop("video", None)
        await self._context.save(self._context.handles)

    async def _upload(self) -> str:
        registered = await call(self._connection, "POST", "/v5/media", json={"media_type": "video"})
        media_id, url, fields = (registered.get(name) for name in ("media_id", "upload_url", "upload_parameters"))
        if not (isinstance(media_id, str) and isinstance(url, str) and isinstance(fields, dict)):
            raise PlatformError(ErrorKind.TRANSIENT, "Pinterest registered no upload.", code="unreadable_answer")
        async with self._context.media.open(self._context.draft.media[0]) as file:
            form = MultipartForm(
                {name: str(value) for name, value in fields.items()}, [FilePart("file", "video", file)]
            )
            self._context.heartbeat("uploading")
            try:
                await post_form(self._connection.wire, url, form)
            except PlatformError as error:
                if error.status != httpx.codes.FORBIDDEN:
                    raise
                # The storage answers so if an upload was registered too long ago; the next attempt registers another.
                message = "Pinterest's storage did not take the video any more."
                raise PlatformError(ErrorKind.TRANSIENT, message, code="upload_expired", status=error.status) from error
        self._context.heartbeat("100%")
        return media_id

    async def _check_processing(self) -> None:
        state = (await call(self._connection, "GET", f"/v5/media/{segment(self.media_id)}")).get("status")
        if state == "failed":
            await self.drop()
            message = "Pinterest could not process the video. Export it again as MP4 (H.264)."
            raise PlatformError(ErrorKind.REJECTED, message, code="media_failed")
        if state != "succeeded":
            message = "Pinterest is still processing the video."
            raise PlatformError(ErrorKind.NOT_READY, message, code=f"media_{state}", retry_after=NEXT_CHECK)
        await self._keep({**self._context.handles["video"], "ready": True})

    async def _keep(self, video: dict[str, Any]) -> None:
        self._context.handles["video"] = video
        await self._context.save(self._context.handles)


def pin_body(draft: Draft[PinterestSettings], media_id: str | None) -> dict[str, Any]:
    """Return the body of the request that makes the pin; source: Pinterest's OpenAPI document v5, PinCreate."""
    settings = draft.settings
    body = {
        "board_id": settings.board_id,
        "board_section_id": settings.board_section_id,
        "title": settings.title,
        "description": draft.text or None,
        "alt_text": rules.joined_alt_text(draft),
        "link": settings.link,
        "media_source": _media_source(draft, media_id),
    }
    return {name: value for name, value in body.items() if value is not None}


def _media_source(draft: Draft[PinterestSettings], media_id: str | None) -> dict[str, Any]:
    settings = draft.settings
    if media_id is not None:
        cover: dict[str, Any] = {"cover_image_key_frame_time": settings.cover_image_key_frame_time or 0}
        if settings.cover_image_url:
            cover = {"cover_image_url": settings.cover_image_url}
        return {"source_type": "video_id", "media_id": media_id, **cover}
    if len(draft.media) > 1:
        return {"source_type": "multiple_image_urls", "items": [{"url": item.url} for item in draft.media], "index": 0}
    return {"source_type": "image_url", "url": draft.media[0].url}

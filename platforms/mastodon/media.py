"""Uploads of media to an account's server, and the request body that makes a status of them."""

import asyncio
import mimetypes
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from domain.post import Media
from platforms.base import Draft
from platforms.errors import ErrorKind, PlatformError
from platforms.files import MediaFile
from platforms.http.multipart import FilePart, MultipartForm, post_form
from platforms.http.wire import segment
from platforms.mastodon.access import (
    ENGLISH,
    MastodonConnection,
    MastodonContext,
    authorization,
    entity,
    is_missing,
    read_limits,
    require_id,
    send,
)
from platforms.mastodon.errors import ATTACHMENT_GONE, MEDIA_NOT_READY
from platforms.mastodon.limits import DEFAULTS, ServerLimits
from platforms.mastodon.rules import MastodonSettings

LIFETIME = timedelta(hours=20)
"""How long an upload may wait for its post; servers delete unused ones after about a day (unverified)."""
CHECK_PAUSES = (0.5, 1, 2)
"""Seconds before each check, in one step, of what a server processes."""
NEXT_CHECK = timedelta(seconds=5)

Handle = dict[str, Any]
"""One item as it is stored: url, id, whether the server is ready to show it, and time of the upload (at)."""


def media_ids(handles: dict[str, Any]) -> list[str]:
    """Return the ids of the uploaded media in the order of the draft."""
    uploads: dict[str, Handle] = handles.get("media", {})
    return [uploads[name]["id"] for name in sorted(uploads, key=int)]


class Uploads:
    """The uploads of one post."""

    def __init__(self, connection: MastodonConnection, context: MastodonContext) -> None:
        self._connection = connection
        self._context = context
        self._known: dict[str, Handle] = context.handles.setdefault("media", {})

    async def run(self) -> None:
        """Upload every item until a post may use it. Raises PlatformError: `not_ready` while one is processed."""
        limits = await read_limits(self._connection)
        items = self._context.draft.media
        for name in [name for name in self._known if int(name) >= len(items)]:
            del self._known[name]
        for index, item in enumerate(items):
            known = self._known.get(str(index), {})
            if known.get("url") != item.url or _age(known) > LIFETIME:
                await self._upload(str(index), item, limits)
        # The server processes the first items while the next are uploaded.
        for index in range(len(items)):
            await self._wait(str(index))

    async def explain(self, refusal: PlatformError) -> PlatformError:
        """Return `not_ready` if the server refused a post because it still processes its media; else `refusal`.

        Mastodon says so only in its message, which may be in any language.
        """
        kind = (refusal.claim or refusal).kind
        if kind is not ErrorKind.REJECTED or refusal.status != httpx.codes.UNPROCESSABLE_ENTITY:
            return refusal
        for known in self._known.values():
            try:
                answer = await send(self._connection, "GET", f"/api/v1/media/{segment(known['id'])}")
            except PlatformError:
                continue
            if answer.status_code == httpx.codes.PARTIAL_CONTENT:
                known["ready"] = False
                await self._save()
                return _not_ready()
        return refusal

    async def forget(self) -> None:
        """Forget the uploads, which the server no longer has."""
        self._known.clear()
        await self._save()

    async def _upload(self, name: str, item: Media, limits: ServerLimits) -> None:
        async with self._context.media.open(item) as file:
            _check(item, file, limits)
            # Some servers keep the name with which a file is sent.
            filename = f"{secrets.token_hex(12)}{mimetypes.guess_extension(file.content_type) or ''}"
            described = {"description": item.alt_text} if item.alt_text else {}
            answer = await self._post(lambda: MultipartForm(described, [FilePart("file", filename, file)]))
        # The item is ready unless the status is 202; servers without the second API version never send 202.
        ready = answer.status_code != httpx.codes.ACCEPTED
        self._known[name] = {
            "url": item.url,
            "id": require_id(entity(answer)),
            "ready": ready,
            "at": datetime.now(UTC).isoformat(),
        }
        await self._save()
        self._context.heartbeat(f"uploaded {len(self._known)} of {len(self._context.draft.media)}")

    async def _post(self, form: Callable[[], MultipartForm]) -> httpx.Response:
        for path in ("/api/v2/media", "/api/v1/media"):
            try:
                headers = {"Accept": "application/json", **authorization(self._connection)}
                return await post_form(self._connection.wire, path, form(), headers=headers, params=ENGLISH)
            except PlatformError as error:
                if path == "/api/v1/media" or not is_missing(error):
                    raise
        raise AssertionError

    async def _wait(self, name: str) -> None:
        known = self._known[name]
        for pause in CHECK_PAUSES:
            if known["ready"]:
                return
            await asyncio.sleep(pause)
            await self._check_processing(name, known)
        if not known["ready"]:
            raise _not_ready()

    async def _check_processing(self, name: str, known: Handle) -> None:
        try:
            answer = await send(self._connection, "GET", f"/api/v1/media/{segment(known['id'])}")
        except PlatformError as error:
            if error.kind is not ErrorKind.REJECTED and error.code != ATTACHMENT_GONE:
                raise
            del self._known[name]
            await self._save()
            if is_missing(error):
                message = "The server no longer has the uploaded media."
                raise PlatformError(ErrorKind.TRANSIENT, message, code=ATTACHMENT_GONE, status=error.status) from error
            raise
        if answer.status_code != httpx.codes.PARTIAL_CONTENT:
            known["ready"] = True
            await self._save()

    async def _save(self) -> None:
        await self._context.save(self._context.handles)


def _not_ready() -> PlatformError:
    message = "The server is still processing the media."
    return PlatformError(ErrorKind.NOT_READY, message, code=MEDIA_NOT_READY, retry_after=NEXT_CHECK)


def _age(known: Handle) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(known["at"])


def _check(item: Media, file: MediaFile, limits: ServerLimits) -> None:
    """Reject what the server says it does not take, before the whole file is sent."""
    if limits.types and file.content_type not in limits.types:
        message = f"This Mastodon server takes no {file.content_type}."
        raise PlatformError(ErrorKind.REJECTED, message, code="media_type")
    most = limits.most_bytes(item.type)
    if file.size > most:
        message = f"This Mastodon server takes {item.type}s of up to {most:,} bytes; this has {file.size:,}."
        raise PlatformError(ErrorKind.REJECTED, message, code="media_too_large")


def status_body(draft: Draft[MastodonSettings], uploads: list[str], limits: ServerLimits = DEFAULTS) -> dict[str, Any]:
    """Return the body of the request that makes the status; source: docs.joinmastodon.org/methods/statuses."""
    settings = draft.settings
    body: dict[str, Any] = {"status": draft.text}
    if uploads:
        body["media_ids"] = uploads
    if settings.poll:
        body["poll"] = settings.poll.model_dump()
    chosen = settings.model_dump(exclude={"poll"}, exclude_none=True)
    if limits.is_of_pleroma:
        chosen |= _pleroma_fields(settings)
    return body | chosen


def depends_on_server(settings: MastodonSettings) -> bool:
    """Return whether the body depends on the server."""
    return settings.quoted_status_id is not None or "-" in (settings.language or "")


def _pleroma_fields(settings: MastodonSettings) -> dict[str, str]:
    """Return the parameters that differ for Pleroma and Akkoma; source: Akkoma's own code.

    Both name a quoted status by `quote_id`. Akkoma refuses a language of more than two letters.
    """
    fields = {"quote_id": settings.quoted_status_id} if settings.quoted_status_id else {}
    return fields | ({"language": settings.language.partition("-")[0]} if settings.language else {})

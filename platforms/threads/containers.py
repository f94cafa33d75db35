"""The containers of a post and of the thread behind it: built once, remembered in the handles, watched until ready."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from domain.post import Media, MediaType
from platforms.base import Sending
from platforms.errors import Kind, NetworkError
from platforms.threads import errors, line
from platforms.threads.line import Fields, Line
from platforms.threads.settings import ThreadsSettings

LIFETIME = timedelta(hours=23)
"""Threads forgets an unpublished container after 24 hours; an hour is left for publishing it."""
LOOKS = (0, 0.5, 1, 1.5)
"""Seconds before each look in one step; a text is ready at the first."""
SOONEST, LATEST = timedelta(seconds=5), timedelta(minutes=1)
"""Between steps: Threads' guide advises to wait 30 seconds, and to look once a minute."""
STUCK_AFTER = timedelta(hours=1)
REBUILD_AFTER = (timedelta(seconds=5), timedelta(seconds=30))
"""Waits before media that Threads could not take in are given to it again; then they are at fault. Our choice."""


class State(StrEnum):
    """Where a container stands; `gone` is ours, for one that Threads does not know (any more)."""

    IN_PROGRESS = "IN_PROGRESS"
    FINISHED = "FINISHED"
    PUBLISHED = "PUBLISHED"
    ERROR = "ERROR"
    EXPIRED = "EXPIRED"
    GONE = "GONE"

    @classmethod
    def _missing_(cls, value: object) -> "State":  # noqa: ARG003
        return cls.IN_PROGRESS


class Containers:
    """Build and watch containers. The items of a carousel are named by the name of its own container and a number."""

    def __init__(self, connection: Line, sending: Sending[ThreadsSettings]) -> None:
        self._connection = connection
        self._sending = sending
        self._known: dict[str, dict[str, str]] = sending.handles.setdefault("containers", {})

    def get(self, name: str) -> str | None:
        """Return the id of a container that was built."""
        return self._known[name]["id"] if name in self._known else None

    def made_at(self, name: str) -> datetime:
        """Return when a container was built, by our clock."""
        return datetime.fromisoformat(self._known[name]["madeAt"])

    async def bring(self, name: str, text: str, media: tuple[Media, ...], more: Fields) -> None:
        """Bring what is published, a carousel with all its items, to where it can be published.

        Raises NetworkError: `not_ready` while Threads works on it.
        """
        if any(self._age(known) > LIFETIME for known in self._known if known.partition("/")[0] == name):
            await self.drop(name)
        if self.get(name) is None:
            items = await self._items(name, media) if len(media) > 1 else []
            await self._build(name, {**_content(media, items), **({"text": text} if text else {}), **more})
        await self._ready(name)

    async def drop(self, name: str) -> None:
        """Forget a container that cannot be published, and its items with it."""
        for known in [known for known in self._known if known == name or known.startswith(f"{name}/")]:
            del self._known[known]
        await self._save()

    async def state(self, name: str) -> tuple[State, str]:
        """Read where a container stands and what Threads says about it."""
        try:
            answer = await line.get(self._connection, f"/{self.get(name)}", fields="id,status,error_message")
        except NetworkError as error:
            if errors.is_gone(error):
                return State.GONE, ""
            raise
        return State(str(answer.get("status"))), str(answer.get("error_message") or "")

    async def _items(self, name: str, media: tuple[Media, ...]) -> list[str]:
        for index, item in enumerate(media):
            if self.get(f"{name}/{index}") is None:
                self._sending.heartbeat(f"item {index}")
                await self._build(f"{name}/{index}", {"is_carousel_item": "true", **_content((item,), [])})
        # What one item still needs passes while the others are looked at.
        return [await self._ready(f"{name}/{index}") for index in range(len(media))]

    async def _build(self, name: str, fields: Fields) -> None:
        try:
            container = await line.post(self._connection, "/me/threads", fields)
        except NetworkError as error:
            # An address that cannot be fetched is told at once or by the container, as Threads likes.
            if errors.could_not_fetch(error):
                raise await self._rebuild(name, error) from error
            raise
        self._known[name] = {"id": container, "madeAt": datetime.now(UTC).isoformat()}
        await self._save()

    async def _ready(self, name: str) -> str:
        for pause in LOOKS:
            await asyncio.sleep(pause)
            state, said = await self.state(name)
            match state:
                case State.FINISHED | State.PUBLISHED:
                    return self._known[name]["id"]
                case State.ERROR:
                    raise await self._rebuild(name, errors.processing_error(said))
                case State.EXPIRED | State.GONE:
                    await self.drop(name)
                    raise errors.expired()
        if self._age(name) > STUCK_AFTER:
            raise await self._rebuild(name, errors.stuck())
        raise errors.in_progress(min(max(self._age(name) / 2, SOONEST), LATEST))

    async def _rebuild(self, name: str, error: NetworkError) -> NetworkError:
        """Drop a failed container; returns its error, `rejected` once that happened too often."""
        await self.drop(name)
        failures: dict[str, int] = self._sending.handles.setdefault("failures", {})
        failures[name] = failures.get(name, 0) + 1
        await self._save()
        if error.kind is Kind.TRANSIENT:
            if failures[name] > len(REBUILD_AFTER):
                return error.as_rejected()
            error.retry_after = REBUILD_AFTER[failures[name] - 1]
        return error

    def _age(self, name: str) -> timedelta:
        return datetime.now(UTC) - self.made_at(name)

    async def _save(self) -> None:
        await self._sending.save(self._sending.handles)


def of_root(settings: ThreadsSettings) -> Fields:
    """Return what the first post of a thread says beside its text and media."""
    poll = settings.poll
    fields = {
        "reply_control": settings.reply_control,
        "topic_tag": settings.topic_tag,
        "quote_post_id": settings.quote_post_id,
        "link_attachment": settings.link_attachment,
        "poll_attachment": json.dumps(
            {f"option_{letter}": option for letter, option in zip("abcd", poll.options, strict=False)}
        )
        if poll
        else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _content(media: tuple[Media, ...], items: list[str]) -> Fields:
    if not media:
        return {"media_type": "TEXT"}
    if items:
        return {"media_type": "CAROUSEL", "children": ",".join(items)}
    [item] = media
    video = item.type is MediaType.VIDEO
    described = {"alt_text": item.alt_text} if item.alt_text else {}
    return {
        "media_type": "VIDEO" if video else "IMAGE",
        "video_url" if video else "image_url": item.url,
        **described,
    }

"""One post's containers at Instagram: built at most once, remembered in the target's handles, watched until ready."""

import asyncio
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from platforms.base import Sending
from platforms.errors import NetworkError
from platforms.instagram import errors, line
from platforms.instagram.fields import Fields
from platforms.instagram.line import Line
from platforms.instagram.settings import InstagramSettings

LIFETIME = timedelta(hours=23)
"""Instagram forgets an unpublished container after 24 hours; an hour is left for publishing it."""
LOOKS = (0, 0.5, 1, 1.5)
"""Seconds before each look in one step; an image is ready at the first."""
SOONEST, LATEST = timedelta(seconds=5), timedelta(minutes=1)
"""Between steps: young containers are looked at often, older ones once a minute as Instagram's guide asks."""
STUCK_AFTER = timedelta(hours=1)
"""Instagram's guide looks for five minutes; long videos take longer, none this long."""
REBUILD_AFTER = (timedelta(seconds=5), timedelta(seconds=30))
"""Waits before media that Instagram could not take in are given to it again; then they are at fault. The number of
tries is from the page of error codes (once or twice), the waits are ours."""

POST = "post"
"""The name of the container that is published; a carousel's items are named by their index."""


class State(StrEnum):
    """Where a container stands; `gone` is ours, for one that Instagram does not know any more."""

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
    """Build and watch the containers of one post."""

    def __init__(self, connection: Line, sending: Sending[InstagramSettings]) -> None:
        self._connection = connection
        self._sending = sending
        self._known: dict[str, dict[str, str]] = sending.handles.setdefault("containers", {})
        self._saving = asyncio.Lock()

    def get(self, name: str) -> str | None:
        """Return the id of a container that was built."""
        return self._known[name]["id"] if name in self._known else None

    def made_at(self, name: str) -> datetime:
        """Return when a container was built, by our clock."""
        return datetime.fromisoformat(self._known[name]["madeAt"])

    async def build(self, name: str, fields: Fields) -> None:
        """Build a container and remember it at once, so that a crash does not build it twice."""
        try:
            container = await line.post(self._connection, f"/{self._connection.account.user_id}/media", fields)
        except NetworkError as error:
            if errors.needs_new_container(error):
                raise await self._rebuild(name, error) from error
            raise
        self._known[name] = {"id": container, "madeAt": datetime.now(UTC).isoformat()}
        await self._save()

    async def drop(self, name: str) -> None:
        """Forget a container that cannot be published, and with the post's own all its items."""
        if name == POST:
            self._known.clear()
        else:
            self._known.pop(name, None)
        await self._save()

    async def drop_old(self) -> None:
        """Forget everything as soon as one container is too old to be published."""
        if any(self._age(name) > LIFETIME for name in self._known):
            await self.drop(POST)

    async def state(self, name: str) -> tuple[State, str]:
        """Read where a container stands and what Instagram says about it."""
        try:
            answer = await line.get(self._connection, f"/{self.get(name)}", fields="status_code,status")
        except NetworkError as error:
            if errors.is_gone(error):
                return State.GONE, ""
            raise
        return State(str(answer.get("status_code"))), str(answer.get("status", ""))

    async def ready(self, name: str) -> str:
        """Return the id of a container that is processed.

        Raises NetworkError: `not_ready` while Instagram works on it; one that failed is dropped, so that the next call
        builds it anew.
        """
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
        if failures[name] > len(REBUILD_AFTER):
            return error.as_rejected()
        error.retry_after = REBUILD_AFTER[failures[name] - 1]
        return error

    def _age(self, name: str) -> timedelta:
        return datetime.now(UTC) - self.made_at(name)

    async def _save(self) -> None:
        async with self._saving:
            await self._sending.save(self._sending.handles)

"""The containers of a post: built at most once, saved in the target's handles, checked until they are ready.

Instagram and Threads publish them, each with its own names for what a container reports.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from platforms.base import Absent, Connection, Finding, PublishContext, Published, Unknown, Unlisted
from platforms.errors import PASSING, ErrorKind, PlatformError, require_same
from platforms.http.wire import segment
from platforms.meta.errors import UNKNOWN_CHILDREN
from platforms.meta.graph import Fields, Graph, required_text

LIFETIME = timedelta(hours=23)
"""An unpublished container expires after 24 hours; one hour is reserved for publishing it."""
CHECK_PAUSES = (0, 0.5, 1, 1.5)
"""Seconds before each check in one step; a text or an image is ready at the first."""
SOONEST, LATEST = timedelta(seconds=5), timedelta(minutes=1)
"""Between steps: new containers are checked often, older ones once a minute as both platforms' guides ask."""
UNREADABLE_FOR = timedelta(minutes=2)
"""How long a new container may read as one that does not exist before it is published anyway. For days Meta has
answered reads of existing objects like that, while publishing them worked (gitroomhq/postiz-app#1562)."""
UNSEEN_FOR = timedelta(minutes=1)
"""How long some of the platform's servers may not know a carousel's items, although these read as finished."""
REFUSED_FOR = timedelta(minutes=1)
"""How long a refusal to publish is doubted if it is not trusted, or if the container's state cannot be read: posts
became public although the response said that Meta had blocked them (gitroomhq/postiz-app PR#1681)."""
UNLISTED_FOR = timedelta(minutes=10)
"""How long a post that its container reports as published is looked for among the account's posts. No documentation
says whether Instagram lists trial reels, and reels that are not shared to the feed."""
STUCK_AFTER = timedelta(hours=1)
"""Instagram's guide checks for five minutes; long videos take longer, but none this long."""
REBUILD_AFTER = (timedelta(seconds=5), timedelta(seconds=30))
"""Waits before media that could not be processed are sent again; after the last one they are at fault. The number of
tries is from Instagram's page of error codes (once or twice), the waits are ours."""
CONCURRENCY = 4
"""How many items of a carousel are built at the same time; our choice, no platform names a number."""

NO_SUCH_FIELD = "100"
"""The Graph API's code for an existing id whose object has no such field."""
POST = "post"
"""The name of the container that is published; a carousel's items are named by it and their index."""

Built = Callable[[list[str]], Fields]
"""Returns the fields that make a container, given the ids of its finished items."""


class ContainerState(StrEnum):
    """The state of a container.

    Two are ours: `gone` if the platform does not know it (any more), `unreadable` if its object has no state.
    """

    IN_PROGRESS = "IN_PROGRESS"
    FINISHED = "FINISHED"
    PUBLISHED = "PUBLISHED"
    ERROR = "ERROR"
    EXPIRED = "EXPIRED"
    GONE = "GONE"
    UNREADABLE = "UNREADABLE"

    @classmethod
    def _missing_(cls, value: object) -> "ContainerState":  # noqa: ARG003
        return cls.IN_PROGRESS


@dataclass(frozen=True, slots=True)
class ContainerDialect:
    """One platform's names and errors for containers."""

    graph: Graph
    edge: str
    """The edge at which containers are made; `{user}` is the account's own id."""
    publishing: str
    """The edge at which they are published."""
    state: str
    """The field of a container's state."""
    message: str
    """The field of a container's message."""
    is_gone: Callable[[PlatformError], bool]
    """Returns whether a refusal says that the platform does not know the container."""
    needs_new: Callable[[PlatformError], bool]
    """Returns whether a refusal to build says that only another attempt can help."""
    failed: Callable[[str], PlatformError]
    """Returns the error for the message of a failed container."""


class Containers:
    """The containers of one post and of the thread after it: built, checked and published."""

    def __init__(self, dialect: ContainerDialect, connection: Connection[Any], context: PublishContext[Any]) -> None:
        self._dialect = dialect
        self._connection = connection
        self._context = context
        self._known: dict[str, dict[str, str]] = context.handles.setdefault("containers", {})
        self._saving = asyncio.Lock()

    async def prepare(self, name: str, items: Sequence[Fields], built: Built) -> None:
        """Build the container that is published, in a carousel with all its items, until it can be published.

        Raises PlatformError: `not_ready` while the platform processes it. A failed container is dropped, so that the
        next call builds it again.
        """
        if any(self._age(known) > LIFETIME for known in self._known if _belongs(known, name)):
            await self.drop(name)
        if name not in self._known:
            await self._build(name, built(await self._items(name, items)))
        await self._ready(name)

    async def publish(self, name: str) -> str:
        """Publish a container and return the post's id. Each is published only once: a repeat makes no duplicate."""
        if name not in self._known:
            raise self._error(ErrorKind.TRANSIENT, "must be given the post again.", "no_container")
        connection, fields = self._connection, {"creation_id": self._known[name]["id"]}
        try:
            answer = await self._dialect.graph.post_public(connection, self._path(self._dialect.publishing), fields)
        except PlatformError as error:
            raise await self._refused(name, error) from error
        return required_text(connection, answer, "id", public=True)

    async def _refused(self, name: str, error: PlatformError) -> PlatformError:
        """Return what a refusal to publish means.

        The refusal of a repeat is not documented. So a refusal counts only if the container's state agrees, and one
        that is not trusted only after a while.
        """
        refusal, gone = error.claim or error, self._dialect.is_gone(error)
        if refusal.kind not in {ErrorKind.REJECTED, ErrorKind.NOT_READY, ErrorKind.AUTH} and not gone:
            return error
        try:
            state = (await self._state(name))[0]
        except PlatformError:
            # The container is read before the next send.
            return (
                error if refusal.kind is ErrorKind.AUTH else refusal.as_unconfirmed(claims=refusal.kind not in PASSING)
            )
        if state is ContainerState.PUBLISHED:
            return error.as_unconfirmed()
        if gone and state is ContainerState.GONE and self._age(name) > UNREADABLE_FOR:
            # It can be neither read nor published, so it does not exist. An earlier send with a lost response is
            # confirmed first.
            await self.drop(name)
            return self._error(ErrorKind.TRANSIENT, "must be given the post again.", "expired")
        if (error.claim or state is ContainerState.UNREADABLE) and await self._is_new_refusal(name):
            return refusal.as_unconfirmed(claims=refusal.kind not in PASSING)
        return error if state is ContainerState.UNREADABLE else refusal

    async def _is_new_refusal(self, name: str) -> bool:
        """Return whether a container was refused for the first time less than REFUSED_FOR ago."""
        refused = self._context.handles.setdefault("refusedAt", {})
        if name not in refused:
            refused[name] = datetime.now(UTC).isoformat()
            await self._save()
        return not self._was_refused_long_ago(name)

    def _was_refused_long_ago(self, name: str) -> bool:
        refused_at = self._context.handles.get("refusedAt", {}).get(name)
        return bool(refused_at) and datetime.now(UTC) - datetime.fromisoformat(refused_at) >= REFUSED_FOR

    async def confirm(
        self,
        name: str,
        find: Callable[[datetime], Awaitable[Finding]],
        *,
        sent_at: datetime | None = None,
    ) -> Finding:
        """Read from a container whether it was published, then `find` the post among those since it was made.

        The search does not begin at the last attempt, because an earlier one may have been published late. A published
        post that is not found is Unlisted if its first send, `sent_at`, is long ago.
        """
        if name not in self._known:
            return Absent()
        state = (await self._state(name))[0]
        match state:
            case ContainerState.FINISHED:
                return Absent()
            case ContainerState.ERROR | ContainerState.EXPIRED:
                await self.drop(name)
                return Absent()
            case ContainerState.IN_PROGRESS:
                return Unknown()
        finding = await find(datetime.fromisoformat(self._known[name]["madeAt"]))
        match state, finding:
            case _, Published():
                return finding
            case ContainerState.PUBLISHED, _ if sent_at and datetime.now(UTC) - sent_at > UNLISTED_FOR:
                return Unlisted()
            case ContainerState.UNREADABLE, Absent() if self._was_refused_long_ago(name):
                # It may be tried again: the same container makes no duplicate.
                return Absent()
        # A container that is gone may exist all the same, and may have been published.
        return Unknown()

    async def drop(self, name: str) -> None:
        """Forget a container that cannot be published, with its items."""
        for known in [known for known in self._known if _belongs(known, name)]:
            del self._known[known]
        await self._save()

    async def _items(self, name: str, items: Sequence[Fields]) -> list[str]:
        """Return the ids of a carousel's finished items."""
        gate = asyncio.Semaphore(CONCURRENCY)

        async def build_item(index: int, fields: Fields) -> str:
            item = f"{name}/{index}"
            if item not in self._known:
                async with gate:
                    self._context.heartbeat(f"item {index}")
                    await self._build(item, fields)
            return await self._ready(item)

        # If one item fails, the others still finish, so that the next attempt finds them.
        outcomes = await asyncio.gather(*(build_item(*part) for part in enumerate(items)), return_exceptions=True)
        if failures := [outcome for outcome in outcomes if isinstance(outcome, BaseException)]:
            raise max(failures, key=_is_final)
        return [outcome for outcome in outcomes if isinstance(outcome, str)]

    async def _build(self, name: str, fields: Fields) -> None:
        """Build a container and save it immediately, so that a crash does not build it twice."""
        try:
            answer = await self._dialect.graph.post(self._connection, self._path(self._dialect.edge), fields)
        except PlatformError as error:
            # Media that cannot be processed are reported either here or later by the container, as the platform
            # chooses.
            if self._dialect.needs_new(error):
                raise await self._rebuild(name, error) from error
            if error.code == UNKNOWN_CHILDREN:
                await self._forget_unseen_children(name)
            raise
        self._known[name] = {
            "id": required_text(self._connection, answer, "id"),
            "madeAt": datetime.now(UTC).isoformat(),
        }
        await self._save()

    async def _forget_unseen_children(self, name: str) -> None:
        """Forget a carousel's items that some of the platform's servers still do not know; they are built again."""
        if any(self._age(child) > UNSEEN_FOR for child in self._known if child.startswith(f"{name}/")):
            await self.drop(name)

    async def _ready(self, name: str) -> str:
        """Return the id of a container that is processed."""
        for pause in CHECK_PAUSES:
            await asyncio.sleep(pause)
            state, message = await self._state(name)
            match state:
                case ContainerState.FINISHED | ContainerState.PUBLISHED:
                    return self._known[name]["id"]
                case ContainerState.ERROR:
                    raise await self._rebuild(name, self._dialect.failed(message))
                case ContainerState.GONE | ContainerState.UNREADABLE if self._age(name) < LIFETIME:
                    if self._age(name) > UNREADABLE_FOR:
                        return self._known[name]["id"]
                case ContainerState.EXPIRED | ContainerState.GONE | ContainerState.UNREADABLE:
                    await self.drop(name)
                    expired = "let what was prepared expire before it was published."
                    raise self._error(ErrorKind.TRANSIENT, expired, "expired")
        if self._age(name) > STUCK_AFTER:
            stuck = self._error(ErrorKind.TRANSIENT, "did not finish processing the media.", "stuck")
            raise await self._rebuild(name, stuck)
        busy = self._error(ErrorKind.NOT_READY, "is still processing the media.", "in_progress")
        busy.retry_after = min(max(self._age(name) / 2, SOONEST), LATEST)
        raise busy

    async def _state(self, name: str) -> tuple[ContainerState, str]:
        """Read a container's state and the platform's message about it."""
        dialect = self._dialect
        try:
            answer = await dialect.graph.get(
                self._connection, f"/{segment(self._known[name]['id'])}", fields=f"{dialect.state},{dialect.message}"
            )
        except PlatformError as error:
            if dialect.is_gone(error):
                return ContainerState.GONE, ""
            if error.kind is ErrorKind.REJECTED and error.code == NO_SUCH_FIELD:
                return ContainerState.UNREADABLE, ""
            raise
        require_same(self._connection.wire.label, answer.get("id"), self._known[name]["id"])
        state, message = ContainerState(str(answer.get(dialect.state))), str(answer.get(dialect.message) or "")
        if state is ContainerState.IN_PROGRESS and message.startswith("Error"):
            return ContainerState.ERROR, message
        return state, message

    async def _rebuild(self, name: str, error: PlatformError) -> PlatformError:
        """Drop a failed container; return its error, `rejected` once that happened too often."""
        await self.drop(name)
        failures: dict[str, int] = self._context.handles.setdefault("failures", {})
        failures[name] = failures.get(name, 0) + 1
        await self._save()
        if error.kind not in {ErrorKind.TRANSIENT, ErrorKind.NOT_READY}:
            return error
        if failures[name] > len(REBUILD_AFTER):
            return error.as_rejected()
        error.retry_after = REBUILD_AFTER[failures[name] - 1]
        return error

    def _path(self, edge: str) -> str:
        return edge.format(user=segment(self._connection.account.user_id))

    def _age(self, name: str) -> timedelta:
        return datetime.now(UTC) - datetime.fromisoformat(self._known[name]["madeAt"])

    def _error(self, kind: ErrorKind, predicate: str, code: str) -> PlatformError:
        return PlatformError(kind, f"{self._connection.wire.label} {predicate}", code=code)

    async def _save(self) -> None:
        async with self._saving:
            await self._context.save(self._context.handles)


def _belongs(known: str, name: str) -> bool:
    return known == name or known.startswith(f"{name}/")


def _is_final(failure: BaseException) -> bool:
    """Return whether waiting is useless: of several failures the author should see this one."""
    return not isinstance(failure, PlatformError) or failure.kind in {ErrorKind.REJECTED, ErrorKind.AUTH}

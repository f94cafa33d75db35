"""The context of a step that sends requests to a platform: the account's connection, the draft, the media, and handles.

Handles are ids that a platform returned before a post was public, saved in the target's row.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from accounts.credentials.connections import AccountConnections, not_connected
from domain.attempts import AttemptState
from domain.plan import KEY_MISSING
from media.changes import ChangeRecord
from media.hosted import cover_rules, host_files, unchecked, with_hosted_urls
from media.step_media import MediaTools, StepMedia
from platforms.base import AnyPlatform, Connection, Handles, PublishContext
from platforms.drafts import fingerprint, read_draft
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import Exchange
from platforms.registry import platforms
from store.database import Database
from store.failures import persist
from store.models import Account
from store.publishing.sending import VERSION, save_handles
from store.publishing.targets import EARLIER, UNSENT, LoadedTarget, content_to_send
from store.secrets.vault import VaultError

_FINGERPRINT = "contentFingerprint"
"""The key of the fingerprint of the content that the handles belong to: changed content is uploaded again."""

_ADDRESSES = "checkedMedia"
"""The key of the addresses, by media URL, from which a platform that fetches media itself fetches them."""

_OWN_KEYS = frozenset({_FINGERPRINT, _ADDRESSES, VERSION, EARLIER, UNSENT})
_AT_LEAST_EVERY_S = 1.0


class HandleKeeper:
    """A keeper that saves a target's handles as they come, each time as the next version in the row.

    While a target is prepared, saves within a second become one, and the last of them is part of the statement that
    begins the send. Losing one would cost an upload, never a double post. Everything after that is saved immediately.
    """

    def __init__(self, database: Database, target_id: str, stored: Handles, fingerprint: str) -> None:
        self._database = database
        self._target_id = target_id
        self._fingerprint = fingerprint
        self._version = int(stored.get(VERSION, 0))
        self._usable = stored.get(_FINGERPRINT) == fingerprint
        self._stored = self._saved = stored
        self.addresses: dict[str, str] = dict(stored.get(_ADDRESSES, {})) if self._usable else {}
        self._unwritten: Handles | None = None
        self._written_at = time.monotonic()
        self._writing = asyncio.Lock()
        self._deferring = False
        self.going_public = False
        """Whether a post whose handles could not be saved may be public already."""

    def usable(self) -> Handles:
        """Return the platform's handles, if they were made for this content."""
        return _platforms(self._stored) if self._usable else {}

    def last_sent(self) -> Handles:
        """Return the platform's handles of the last send, also if the target was prepared again since."""
        current = self.usable()
        if current and UNSENT not in self._stored:
            return current
        return _platforms(self._stored.get(EARLIER) or self._stored)

    async def save(self, handles: Handles) -> None:
        """Save the handles. Raises PlatformError if another run has saved since they were read.

        The error is `transient`, or `unconfirmed` once the request that makes the post public may have been sent.
        """
        own = {_FINGERPRINT: self._fingerprint, **({_ADDRESSES: self.addresses} if self.addresses else {})}
        earlier = {EARLIER: self._stored[EARLIER]} if EARLIER in self._stored else {}
        if earlier and not self.going_public:
            earlier[UNSENT] = True
        self._unwritten = self._saved = {**handles, **own, **earlier}
        if not self._deferring or time.monotonic() - self._written_at >= _AT_LEAST_EVERY_S:
            await self.flush()

    async def flush(self) -> None:
        """Write the handles that are not written yet."""
        async with self._writing:
            if self._unwritten is None:
                return
            handles, self._unwritten = self._unwritten, None
            answers, version = self._database.answers, self._version
            if not await persist(lambda: save_handles(answers, self._target_id, handles, version)):
                raise self.overtaken()
            self._version += 1
            self._written_at = time.monotonic()

    @asynccontextmanager
    async def deferring(self) -> AsyncIterator[None]:
        """Defer saves in the block to the statement that begins the send. If the block fails, they are written."""
        self._deferring = True
        try:
            yield
        except BaseException:
            await self.flush()
            raise
        finally:
            self._deferring = False

    def hand_over(self) -> tuple[int, dict[str, Any] | None]:
        """Return the version that the row must have, and the handles to be sent, None if it has them already."""
        version = self._version
        if self._unwritten is None and UNSENT not in self._saved:
            return version, None
        self._unwritten, self._version = None, version + 1
        return version, {**_without(self._saved, UNSENT), VERSION: version + 1}

    async def take_back(self, handles: dict[str, Any] | None) -> None:
        """Write the handles that were handed over, because the statement that was to write them did not."""
        if handles is not None:
            self._version -= 1
            self._unwritten = self._saved
            await self.flush()

    def overtaken(self) -> PlatformError:
        """Return the error of a step that another run has overtaken: `unconfirmed` once it may have been sent."""
        # A run that Temporal gave up on may still work: the row belongs to it, and must be read again.
        kind = ErrorKind.UNCONFIRMED if self.going_public else ErrorKind.TRANSIENT
        return PlatformError(kind, "Another run is preparing this post.", code="overtaken")


def _platforms(stored: Handles) -> Handles:
    return _without(stored, *_OWN_KEYS)


def _without(handles: Handles, *names: str) -> Handles:
    return {name: value for name, value in handles.items() if name not in names}


@dataclass(slots=True)
class StepContext:
    """The context of a running step: platform, connection, draft and media."""

    platform: AnyPlatform
    connection: Connection[Any]
    context: PublishContext[Any]
    keeper: HandleKeeper
    media: StepMedia
    server: str
    """Host and port of the account's server."""
    account: Account
    """The account's row; `credentials` are those in use, also after a renewal."""
    exchanges: list[Exchange] = field(default_factory=list)
    """The requests and responses of this step, oldest first."""
    last_send_id: int = 0
    """The id of the attempt of the target's last send, 0 if there was none."""
    last_send_code: str | None = None
    """The code of the error of that send."""
    slot_taken_at: float = 0
    """When it acquired its slot to publish, by the monotonic clock."""

    def refusal_applies(self, code: str) -> bool:
        """Return whether a refusal of the operator's app, by its code, applies to this send."""
        return self.platform.refusal_applies(code, self.connection.credentials, self.context.draft)

    @property
    def shows_posts(self) -> bool:
        """Return whether the platform can show whether this send was published."""
        return self.platform.shows_posts(self.connection.credentials, self.context.draft)

    def for_confirmation(self) -> PublishContext[Any]:
        """Return the context of the last send. If the target is prepared again since, it saves nothing."""
        handles = self.keeper.last_sent()
        if handles and handles == self.keeper.usable():
            return self.context
        return replace(self.context, handles=handles, save=_save_nothing)

    async def check_media(self) -> None:
        """Fetch media that preparing does not upload, before any request to the platform. Raises PlatformError."""
        if media := unchecked(self.platform, self.context.draft, self.keeper.addresses):
            self.keeper.addresses |= await host_files(self.platform, media, self.media)
            self.context.draft = with_hosted_urls(self.platform, self.context.draft, self.keeper.addresses)
            await self.keeper.save(self.context.handles)
        if not self.platform.prepares(self.context.draft):
            # The request that makes the post public carries the files: it must not wait for them once it has begun.
            pulled_kinds = self.platform.pulls.kinds
            await self.media.fetch(item for item in self.context.draft.media if item.type not in pulled_kinds)


async def _save_nothing(_: Handles) -> None:
    """Save nothing: the handles of an earlier send only serve to confirm it."""


class StepContextFactory:
    """The factory of step contexts of one worker."""

    def __init__(self, database: Database, accounts: AccountConnections, media: MediaTools) -> None:
        self._database = database
        self._accounts = accounts
        self._media = media

    def create(self, loaded: LoadedTarget, progress: Callable[[str], None] = lambda _: None) -> StepContext:
        """Return the context of a step on a target. Raises PlatformError if its account or its settings forbid it."""
        platform = platforms()[loaded.target.platform]
        if loaded.account is None:
            raise not_connected(platform)
        draft = read_draft(platform, *content_to_send(loaded.post, loaded.target))
        exchanges: list[Exchange] = []
        keeper = HandleKeeper(self._database, loaded.target.id, loaded.target.handles, fingerprint(draft))
        try:
            connection = self._accounts.connection(loaded.account, exchanges.append)
        except VaultError as error:
            message = "The service cannot read the account's credentials at the moment."
            raise PlatformError(ErrorKind.TRANSIENT, message, code=KEY_MISSING) from error
        record = ChangeRecord(self._database, loaded.target.id, loaded.target.media_changes)
        media = StepMedia(
            self._media,
            loaded.post.workspace_id,
            loaded.post.id,
            platform,
            platform.file_rules(draft, connection.account),
            record,
            progress,
            cover_rules(platform, draft),
            loaded.target.id,
        )
        context = PublishContext(
            draft=with_hosted_urls(platform, draft, keeper.addresses),
            handles=keeper.usable(),
            save=keeper.save,
            media=media,
            target_id=loaded.target.id,
            started_at=loaded.sent_since,
            is_refused=loaded.sent is not None and loaded.sent.state == AttemptState.REFUSED,
            heartbeat=progress,
        )
        server = urlsplit(connection.wire.base_url).netloc
        return StepContext(
            platform,
            connection,
            context,
            keeper,
            media,
            server,
            loaded.account,
            exchanges,
            last_send_id=loaded.sent.id if loaded.sent else 0,
            last_send_code=loaded.sent.code if loaded.sent else None,
        )

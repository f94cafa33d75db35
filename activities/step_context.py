"""The context of a step that sends requests to a platform: the account's connection, the draft, the media."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from accounts.credentials.connections import AccountConnections, not_connected
from activities.handles import HandleKeeper
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
from store.models import Account
from store.publishing.targets import LoadedTarget, content_to_send
from store.secrets.vault import VaultError


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

"""The context of a step that sends requests to a platform: the account's connection, the draft, the media."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from activities.account_facts import account_facts
from activities.apps import Apps
from activities.credentials.app_secrets import with_app_secret, with_stored_secret
from activities.credentials.new_account import NewAccount
from activities.credentials.renewal import CALL_S, CredentialsChange, Guard, Renewals
from activities.credentials.token_times import at_renewal, is_due, platform_can_renew, rules_for
from activities.fence import Stopwatch
from activities.handles import HandleKeeper
from activities.meters import Meters
from domain.bounds import MOST_ACCOUNTS
from domain.content import merge_settings
from domain.post import Media, media_in_effect, text_in_effect
from domain.waits import KEY_MISSING
from media.change_record import ChangeRecord, NoChangeRecord
from media.hosted import covers_of, host_files, unchecked, with_hosted_urls
from media.shared_files import SharedFiles
from media.step_media import MediaTools, StepMedia
from platforms.access.registered_apps import RegisteredApps
from platforms.access.renewal import Lifetimes, Renewed, TokenRules
from platforms.base import AccountFacts, Connection, Draft, Identity, Platform, PublishContext
from platforms.errors import DUPLICATE, ErrorKind, PlatformError
from platforms.http.wire import Exchange, Wire
from platforms.registry import platforms
from platforms.servers.reach import Servers
from store.accounts.connected import open_credentials
from store.accounts.renewals import ChangedCredentials
from store.database import Database
from store.models import Account, MediaCheck, Post, Target
from store.publishing.targets import LoadedTarget
from store.secrets.vault import Vault, VaultError


@dataclass(slots=True)
class StepContext:
    """The context of a running step: platform, connection, draft and media."""

    platform: Platform[Any, Any]
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
    last_send_was_duplicate: bool = False
    """Whether the platform called that send a duplicate."""
    slot_taken_at: float = 0
    """When it acquired its slot to publish, by the monotonic clock."""

    def refusal_applies(self, code: str) -> bool:
        """Return whether a refusal of the operator's app, by its code, applies to this send."""
        return self.platform.refusal_applies(code, self.connection.credentials, self.context.draft)

    async def check_media(self) -> None:
        """Fetch media that preparing does not upload, before any request to the platform. Raises PlatformError."""
        if media := unchecked(self.platform, self.context.draft, self.keeper.addresses):
            self.keeper.addresses |= await host_files(self.platform, media, self.media)
            self.context.draft = with_hosted_urls(self.platform, self.context.draft, self.keeper.addresses)
            await self.keeper.save(self.context.handles)
        if not self.platform.prepares(self.context.draft):
            # The request that makes the post public carries the files: it must not wait for them once it has begun.
            await self.media.fetch(self.context.draft.media)


def not_connected(platform: Platform[Any, Any]) -> PlatformError:
    """Return the error of a target whose account is no longer connected."""
    return PlatformError(
        ErrorKind.AUTH,
        f"This {platform.label} account is not connected. Connect it again.",
        code="account_not_connected",
    )


def draft_of(platform: Platform[Any, Any], post: Post, target: Target) -> Draft[Any]:
    """Return a target's post as it would be sent. Raises PlatformError(rejected) for settings that no longer parse."""
    settings = merge_settings(target.platform, target.settings, post.tiktok_settings, post.facebook_settings)
    try:
        parsed = platform.settings.model_validate(settings)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise PlatformError(
            ErrorKind.REJECTED, f"{platform.label} does not take the setting {where}.", code="invalid_settings"
        ) from error
    own_media = None if target.custom_media is None else [Media.model_validate(item) for item in target.custom_media]
    media = media_in_effect([Media.model_validate(item) for item in post.media_items], own_media)
    return Draft(text_in_effect(post.content, target.custom_content), tuple(media), parsed)


def _fingerprint(draft: Draft[Any]) -> str:
    parts = [draft.text, [item.model_dump() for item in draft.media], draft.settings.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


RENEWAL_S = CALL_S + 2.0
"""How long a renewal that runs when a worker stops may take until its result is saved."""
_LAST_RENEWALS_S = 3.0
"""Together with the time for saving a response, this is what `worker.STOP_MARGIN_S` leaves once all workers ended."""


class StepContextFactory:
    """The factory of step contexts. One per worker.

    Each platform has a transport of its own, so that one which does not respond uses up no connections of the others.
    Servers that accounts name have a separate transport.
    """

    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        platforms_at: Mapping[str, httpx.AsyncBaseTransport],
        named_servers: httpx.AsyncBaseTransport,
        media: MediaTools,
        servers: Servers,
        platform_rate_limits: bool = True,
        meters: Meters | None = None,
        registered_apps: RegisteredApps | None = None,
        renews: bool = True,
        redirect_urls: Sequence[str] = (),
        most_accounts: int = MOST_ACCOUNTS,
    ) -> None:
        self.database = database
        self.registered_apps = registered_apps or RegisteredApps()
        self.redirect_urls = redirect_urls
        self.most_accounts = most_accounts
        self.platform_rate_limits = platform_rate_limits
        self.meters = meters or Meters()
        self.apps = Apps(database)
        self._vault = vault
        self._stopping: Stopwatch | None = None
        self.renews = renews
        self._renewals = Renewals(database, vault, self.meters, on=renews)
        self._platforms_at = platforms_at
        self._named_servers = named_servers
        self._media = media
        self._servers = servers

    def create(self, loaded: LoadedTarget, progress: Callable[[str], None] = lambda _: None) -> StepContext:
        """Return the context of a step on a target. Raises PlatformError if its account or its settings forbid it."""
        platform = platforms()[loaded.target.platform]
        if loaded.account is None:
            raise not_connected(platform)
        draft = draft_of(platform, loaded.post, loaded.target)
        exchanges: list[Exchange] = []
        keeper = HandleKeeper(self.database, loaded.target.id, loaded.target.handles, _fingerprint(draft))
        try:
            connection = self._connect(platform, loaded.account, exchanges)
        except VaultError as error:
            message = "The service cannot read the account's credentials at the moment."
            raise PlatformError(ErrorKind.TRANSIENT, message, code=KEY_MISSING) from error
        record = ChangeRecord(self.database, loaded.target.id, loaded.target.media_changes)
        media = StepMedia(
            self._media,
            loaded.post.workspace_id,
            loaded.post.id,
            platform,
            platform.file_rules(draft, connection.account),
            record,
            progress,
            covers_of(platform, draft),
            loaded.target.id,
        )
        context = PublishContext(
            draft=with_hosted_urls(platform, draft, keeper.addresses),
            handles=keeper.usable(),
            save=keeper.save,
            media=media,
            target_id=loaded.target.id,
            started_at=loaded.unconfirmed_since,
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
            last_send_was_duplicate=loaded.sent is not None and loaded.sent.code == DUPLICATE,
        )

    def files_of_check(
        self,
        check: MediaCheck,
        platform: Platform[Any, Any],
        draft: Draft[Any],
        account: AccountFacts,
        progress: Callable[[str], None],
    ) -> StepMedia:
        """Return the files of a validation as a step would have them; no request is sent and nothing is recorded."""
        rules = platform.file_rules(draft, account)
        covers = covers_of(platform, draft)
        return StepMedia(
            self._media, check.workspace_id, check.id, platform, rules, NoChangeRecord(), progress, covers, check.id
        )

    @property
    def files(self) -> SharedFiles:
        """Return the files of posts."""
        return self._media.files

    def server_of(self, account: Account) -> str:
        """Return the base URL of an account's server. Raises VaultError."""
        platform = platforms()[account.platform]
        return self._servers.reach(platform, self._credentials(platform, account)).url

    def credentials_of(self, account: Account) -> Any:
        """Return an account's credentials for requests, the app's secret filled in. Raises VaultError."""
        return self._credentials(platforms()[account.platform], account)

    def connect(self, account: Account) -> Connection[Any]:
        """Return an account's connection to its platform, for requests of no post. Raises VaultError, PlatformError."""
        return self._connect(platforms()[account.platform], account, [])

    async def whoami(self, account: Account) -> Identity:
        """Ask an account's platform whether it accepts its credentials. Raises PlatformError."""
        platform = platforms()[account.platform]
        return await platform.whoami(self._connect(platform, account, []))

    def wire_for(
        self,
        platform: Platform[Any, Any],
        credentials: BaseModel,
        workspace_id: str,
        error_of: Callable[[httpx.Response], PlatformError] | None = None,
    ) -> Wire:
        """Return a wire to the server that credentials name, for requests that belong to no account yet."""
        server = self._servers.reach(platform, credentials)
        return Wire(
            transport=self._named_servers if server.named else self._platforms_at[platform.name],
            base_url=server.url,
            label=platform.label,
            error_of=error_of or platform.error_of,
            request_id_header=platform.request_id_header,
            workspace=workspace_id,
            domains=platform.own_domains,
            elsewhere=server.elsewhere,
        )

    def new_account(self, platform: Platform[Any, Any], credentials: Any, workspace_id: str) -> NewAccount:
        """Return the connection of an account that is being connected."""
        is_trusted = self._servers.reach(platform, credentials).is_trusted
        wire = self.wire_for(platform, credentials, workspace_id)
        return NewAccount(platform, wire, credentials, self.registered_apps, is_trusted=is_trusted)

    @property
    def vault(self) -> Vault:
        """Return the vault."""
        return self._vault

    def forget_files(self, post_id: str) -> None:
        """Fetch a post's media again from now on."""
        self._media.files.forget(post_id)

    async def renew(self, account: Account) -> bool:
        """Renew an account's tokens now, even shortly after a failure; return whether they have changed.

        Raises VaultError, PlatformError.
        """
        platform, before = platforms()[account.platform], account.credentials
        if platform_can_renew(platform, self._credentials(platform, account)):
            await self._renew(platform, account, force=True)
        return account.credentials != before

    def stop_renewing(self) -> None:
        """Begin no further renewals: this worker stops."""
        self._stopping = Stopwatch()
        self._renewals.stop()

    def renewing_for_s(self) -> float:
        """Return how many more seconds those renewals may need that were running when this worker began to stop."""
        passed = self._stopping.passed.total_seconds() if self._stopping else RENEWAL_S
        return max(RENEWAL_S - passed, 0) if self._renewals.are_running else 0

    async def close(self) -> None:
        """Wait for running renewals: if a response were lost, its account would be disconnected."""
        await self._renewals.close(max(self.renewing_for_s(), _LAST_RENEWALS_S))

    def _credentials(self, platform: Platform[Any, Any], account: Account) -> Any:
        stored = platform.credentials.model_validate(open_credentials(self._vault, account))
        return with_app_secret(self.registered_apps, platform, stored)

    async def _renew(self, platform: Platform[Any, Any], account: Account, *, force: bool = False) -> Any:
        """Return renewed credentials for requests."""

        async def change(stored: dict[str, Any], guard: Guard) -> ChangedCredentials:
            own = platform.credentials.model_validate(stored)
            connection = self._connection(
                platform, account, with_app_secret(self.registered_apps, platform, own), guard=guard
            )
            renewed: Renewed[Any] = await platform.renew(connection)  # type: ignore[attr-defined]
            reported, now = renewed.lifetimes or Lifetimes(), datetime.now(UTC)
            tokens = at_renewal(platform, renewed.credentials, reported, account.refresh_expires_at, now)
            return ChangedCredentials(plain(with_stored_secret(renewed.credentials, own)), tokens)

        rules = rules_for(platform, self._credentials(platform, account))
        return await self._changed(platform, account, change, rules, force=force)

    async def _keep(self, platform: Platform[Any, Any], account: Account, edit: Callable[[Any], Any]) -> Any:
        async def change(stored: dict[str, Any], _: Guard) -> ChangedCredentials:
            return ChangedCredentials(plain(edit(platform.credentials.model_validate(stored))), None)

        return await self._changed(platform, account, change, None)

    async def _changed(
        self,
        platform: Platform[Any, Any],
        account: Account,
        change: CredentialsChange,
        rules: TokenRules | None,
        *,
        force: bool = False,
    ) -> Any:
        server = self.server_of(account)
        newest = await self._renewals.renewed(account, change, rules, server=server, force=force)
        if newest is None:
            raise not_connected(platform)
        account.credentials = newest
        return self._credentials(platform, account)

    def _connect(self, platform: Platform[Any, Any], account: Account, exchanges: list[Exchange]) -> Connection[Any]:
        return self._connection(platform, account, self._credentials(platform, account), exchanges.append)

    def _connection(
        self,
        platform: Platform[Any, Any],
        account: Account,
        credentials: Any,
        on_exchange: Callable[[Exchange], None] = lambda _: None,
        *,
        guard: Guard | None = None,
    ) -> Connection[Any]:
        """Return an account's connection. With a `guard`, for renewing, it awaits the guard before its first byte."""
        server = self._servers.reach(platform, credentials)
        rules = rules_for(platform, credentials) if platform_can_renew(platform, credentials) else None
        return Connection(
            wire=Wire(
                transport=self._named_servers if server.named else self._platforms_at[platform.name],
                base_url=server.url,
                label=platform.label,
                error_of=platform.error_of,
                request_id_header=platform.request_id_header,
                on_exchange=on_exchange,
                quota_in=platform.quota_in,
                workspace=account.workspace_id,
                fence=guard,
                fences_all=guard is not None,
                waits=guard is not None,
                domains=platform.own_domains,
                elsewhere=server.elsewhere,
            ),
            account=account_facts(account),
            credentials=credentials,
            refresh=lambda: self._renew(platform, account),
            keep=lambda edit: self._keep(platform, account, edit),
            is_due=lambda: is_due(rules, account, datetime.now(UTC)),
            is_trusted=server.is_trusted,
        )


def plain(credentials: BaseModel) -> dict[str, Any]:
    """Return credentials as JSON with their secrets in clear text; only the vault may get this."""
    dumped: dict[str, Any] = {}
    for name, value in credentials:
        if value is not None:
            dumped[name] = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    return dumped

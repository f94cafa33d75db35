"""The parts of which the activities and background tasks of one worker are made."""

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
from temporalio.common import MetricMeter

from accounts.credentials.connections import AccountConnections
from activities.account import AccountSteps, Choosing, Connecting
from activities.apps import Apps, RefusedAccounts
from activities.campaigns import CampaignActivities
from activities.check_media import Checking
from activities.complete import Completing, Editing
from activities.confirm import Confirming
from activities.meters import Meters
from activities.posts import PostActivities
from activities.prepare import Preparing
from activities.publish import Publishing
from activities.rate_limiting import RateLimiter
from activities.step_context import StepContextFactory
from activities.step_results import StepResults
from activities.webhook_requests import WebhookSender
from activities.webhooks import WebhookSteps
from media.admission import Admission, MediaDisk
from media.decoder_pool import DecoderPool
from media.fetch import MediaFetcher
from media.own_uploads import OwnUploads
from media.public_files import PublicFiles
from media.shared_files import SharedFiles
from media.step_media import MediaTools
from media.thumbnails import ThumbnailMaker
from media.upload_fetching import UploadFetcher
from platforms.http.addresses import AllowedHosts
from platforms.registry import platforms
from platforms.servers.outgoing import Outgoing
from platforms.servers.reach import Servers
from runtime.settings import Settings, VaultSettings
from storage.base import Storage
from storage.opening import open_storage
from store.database import Database
from store.secrets.vault import Vault


def servers(settings: Settings) -> Servers:
    """Return the addresses at which the operator lets platforms be reached."""
    return Servers(
        settings.base_urls, settings.sandbox_url, settings.private_account_hosts, settings.forbidden_networks
    )


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """The parts of one worker. An activity or background task gets only those that it uses."""

    database: Database
    accounts: AccountConnections
    apps: Apps
    contexts: StepContextFactory
    media: MediaTools
    meters: Meters
    rate_limiter: RateLimiter
    refused_accounts: RefusedAccounts
    redirect_urls: Sequence[str]
    most_accounts: int
    bulk_starts_per_s: int
    most_open_posts: int
    webhook_sender: WebhookSender
    storage: Storage | None
    """The store of uploads; None if the operator has set none."""
    upload_quota: int

    @property
    def upload_fetcher(self) -> UploadFetcher | None:
        """Return what fetches uploads that clients name by addresses; None without a store."""
        if self.storage is None:
            return None
        return UploadFetcher(self.database, self.storage, self.media.files, self.upload_quota)

    @property
    def thumbnail_maker(self) -> ThumbnailMaker | None:
        """Return what makes thumbnails of uploads; None without a store."""
        if self.storage is None:
            return None
        return ThumbnailMaker(self.database, self.storage, self.media.admission, self.media.decoder_pool)

    def webhooks(self, publishing: Callable[[], int]) -> WebhookSteps:
        """Return the step that delivers events to clients' endpoints, and gives way to steps that publish."""
        return WebhookSteps(self.database, self.accounts.vault, self.webhook_sender, self.meters, publishing)

    def posts(self) -> PostActivities:
        """Return the activities that change only rows."""
        return PostActivities(self.database, self.meters)

    def campaigns(self) -> CampaignActivities:
        """Return the activities of campaigns' workflows."""
        return CampaignActivities(self.database)

    def publishing(self) -> Publishing:
        """Return the step that makes targets public."""
        results = StepResults(
            self.database, self.rate_limiter, self.refused_accounts, self.apps, self.media.files, self.meters
        )
        return Publishing(self.database, self.contexts, self.rate_limiter, self.apps, self.meters, results)

    def preparing(self) -> Preparing:
        """Return the step that prepares targets ahead of their time."""
        return Preparing(self.database, self.contexts, self.rate_limiter, self.refused_accounts, self.apps)

    def confirming(self) -> Confirming:
        """Return the step that confirms targets."""
        return Confirming(self.database, self.contexts, self.refused_accounts, self.meters)

    def completing(self) -> Completing:
        """Return the step that does what needs a public post."""
        return Completing(self.database, self.contexts)

    def editing(self) -> Editing:
        """Return the step that edits public targets."""
        return Editing(self.database, self.contexts)

    def towards_platforms(self) -> list[Callable[..., Any]]:
        """Return the activities that ask platforms or fetch files, except publishing."""
        accounts = AccountSteps(self.database, self.accounts)
        return [
            self.preparing().prepare,
            self.confirming().confirm,
            self.completing().complete,
            self.editing().edit,
            Checking(self.database, self.media).check_media,
            Connecting(self.database, self.accounts, self.most_accounts).connect,
            Choosing(self.database, self.accounts).list_choices,
            accounts.check_account,
            accounts.remove_account,
        ]


@contextlib.asynccontextmanager
async def open_parts(
    settings: VaultSettings, database: Database, meter: MetricMeter = MetricMeter.noop
) -> AsyncIterator[WorkerParts]:
    """Open the parts of a worker: the HTTP transports, the vault, the media tools, the metrics."""
    reachable = servers(settings)
    outgoing = Outgoing(reachable)
    storage = open_storage(settings.storage) if settings.storage else None
    media = _media_tools(settings, database, outgoing, storage)
    async with contextlib.AsyncExitStack() as stack:
        transports: dict[str, httpx.AsyncBaseTransport] = {
            name: await stack.enter_async_context(outgoing.to_platform(platform))
            for name, platform in platforms().items()
        }
        named_servers = await stack.enter_async_context(outgoing.to_named_servers())
        meters = Meters(meter)
        accounts = AccountConnections(
            database=database,
            vault=Vault(settings.encryption_keys),
            servers=reachable,
            platforms_at=transports,
            named_servers=named_servers,
            registered_apps=settings.registered_apps,
            record_renewal=meters.record_renewal,
            renews=settings.renewals,
        )
        webhook_transport = outgoing.to_named_hosts(AllowedHosts(settings.private_webhook_hosts))
        webhook_sender = WebhookSender(await stack.enter_async_context(webhook_transport))
        try:
            yield WorkerParts(
                database,
                accounts,
                Apps(database),
                StepContextFactory(database, accounts, media),
                media,
                meters,
                RateLimiter(database, on=settings.platform_rate_limits),
                RefusedAccounts(database, accounts),
                settings.redirect_urls,
                settings.max_accounts,
                settings.bulk_starts_per_s,
                settings.max_open_posts,
                webhook_sender,
                storage,
                settings.max_media_mb * 2**20,
            )
        finally:
            await webhook_sender.close()
            await accounts.close()
            await media.close()
            if storage:
                await storage.close()


def _media_tools(settings: Settings, database: Database, outgoing: Outgoing, storage: Storage | None) -> MediaTools:
    limit = None if settings.media_disk_mb is None else settings.media_disk_mb * 2**20
    admission = Admission(MediaDisk(limit), fetches=settings.media_fetches)
    fetcher = MediaFetcher(
        private_hosts=settings.private_media_hosts,
        samples_url=settings.sandbox_url or None,
        transport=outgoing.to_named_hosts,
    )
    public_files = PublicFiles(database, settings.public_url) if settings.public_url else None
    uploads = OwnUploads(database, storage, settings.own_addresses, settings.uploads_base)
    decoder_pool = DecoderPool(memory=settings.media_memory_mb * 2**20)
    return MediaTools(SharedFiles(fetcher, admission, uploads), decoder_pool, public_files, admission)

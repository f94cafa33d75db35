"""Put together what a step needs to talk to a network: the account's line, the draft, the media."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from activities.apps import Apps
from activities.handles import HandleKeeper
from activities.media.offer import addressed, covers_of, offer, unchecked
from activities.media.record import ChangeRecord, Unrecorded
from activities.media.source import MediaTools, StepMedia
from activities.meters import Meters
from activities.renewal import Renewals
from activities.servers import Servers
from domain.content import merge_settings
from domain.post import Media, media_in_effect, text_in_effect
from platforms.base import AccountFacts, Connection, Draft, Identity, Network, Sending
from platforms.errors import Kind, NetworkError
from platforms.registered_apps import RegisteredApps
from platforms.registry import networks
from platforms.wire import Exchange, Wire
from store.accounts import open_credentials
from store.database import Database
from store.models import Account, MediaCheck, Post, Target
from store.publishing import Job
from store.vault import Vault


@dataclass(slots=True)
class Step:
    """Hold one target's step: its network, its line and what is sent; `last` ends with the newest exchange."""

    network: Network[Any, Any]
    connection: Connection[Any]
    sending: Sending[Any]
    keeper: HandleKeeper
    media: StepMedia
    server: str
    """Host and port at which the account is reached."""
    vouched: bool
    """Whether that server is the network's own or the operator's."""
    account: Account
    """Its row; `credentials` are those in use, also after they were renewed."""
    last: list[Exchange] = field(default_factory=list)
    called_double: bool = False
    """Whether the network called the last send a duplicate."""
    last_send: int = 0
    """The id of the attempt that was its last send, 0 where there was none."""
    turn_taken: float = 0
    """When it was given its turn to publish, by the monotonic clock."""

    def refusal_applies(self, code: str) -> bool:
        """Return whether a refusal of the operator's app, by its code, stops what is to be sent."""
        return self.network.refusal_applies(code, self.connection.credentials, self.sending.draft)

    async def check_media(self) -> None:
        """Fetch what is not uploaded while preparing, before the network is told of it. Raises NetworkError."""
        if media := unchecked(self.network, self.sending.draft, self.keeper.addresses):
            self.keeper.addresses |= await offer(self.network, media, self.media)
            self.sending.draft = addressed(self.network, self.sending.draft, self.keeper.addresses)
            await self.keeper.save(self.sending.handles)
        if not self.network.prepares(self.sending.draft):
            # The request that makes the post public carries the files: it must not wait for them once it has begun.
            await self.media.fetch(self.sending.draft.media)


def not_connected(network: Network[Any, Any]) -> NetworkError:
    """Return the error of a target whose account is no longer connected."""
    return NetworkError(
        Kind.AUTH, f"This {network.label} account is not connected. Connect it again.", code="account_not_connected"
    )


def draft_of(network: Network[Any, Any], post: Post, target: Target) -> Draft[Any]:
    """Return a target's post as it would be sent. Raises NetworkError(rejected) for settings that no longer parse."""
    settings = merge_settings(target.platform, target.settings, post.tiktok_settings, post.facebook_settings)
    try:
        parsed = network.settings.model_validate(settings)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise NetworkError(
            Kind.REJECTED, f"{network.label} does not take the setting {where}.", code="invalid_settings"
        ) from error
    own_media = None if target.custom_media is None else [Media.model_validate(item) for item in target.custom_media]
    media = media_in_effect([Media.model_validate(item) for item in post.media_items], own_media)
    return Draft(text_in_effect(post.content, target.custom_content), tuple(media), parsed)


def _fingerprint(draft: Draft[Any]) -> str:
    parts = [draft.text, [item.model_dump() for item in draft.media], draft.settings.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


_LAST_RENEWALS_S = 3.0
"""With the time in which an answer in hand is written down, what `worker.WIND_UP_S` leaves once all workers ended."""


class Desk:
    """Open steps. One per worker.

    Each network has a transport of its own, so that one which does not answer uses up no connections of the others;
    what accounts name themselves is reached by one for such servers.
    """

    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        networks_at: Mapping[str, httpx.AsyncBaseTransport],
        named_servers: httpx.AsyncBaseTransport,
        media: MediaTools,
        servers: Servers,
        paced: bool = True,
        meters: Meters | None = None,
        registered_apps: RegisteredApps | None = None,
    ) -> None:
        self.database = database
        self.registered_apps = registered_apps or RegisteredApps()
        self.paced = paced
        self.meters = meters or Meters()
        self.apps = Apps(database)
        self._vault = vault
        self._renewals = Renewals(database, vault)
        self._networks_at = networks_at
        self._named_servers = named_servers
        self._media = media
        self._servers = servers

    def open(self, job: Job, progress: Callable[[str], None] = lambda _: None) -> Step:
        """Open a step on a target. Raises NetworkError where its account or its settings stand against it."""
        network = networks()[job.target.platform]
        if job.account is None:
            raise not_connected(network)
        draft = draft_of(network, job.post, job.target)
        last: list[Exchange] = []
        keeper = HandleKeeper(self.database, job.target.id, job.target.handles, _fingerprint(draft))
        connection = self._connect(network, job.account, last)
        record = ChangeRecord(self.database, job.target.id, job.target.media_changes)
        media = StepMedia(
            self._media,
            job.post.workspace_id,
            job.post.id,
            network,
            network.file_rules(draft, connection.account),
            record,
            progress,
            covers_of(network, draft),
            job.target.id,
        )
        sending = Sending(
            draft=addressed(network, draft, keeper.addresses),
            handles=keeper.usable(),
            save=keeper.save,
            media=media,
            target_id=job.target.id,
            started_at=job.unclear_since,
            heartbeat=progress,
        )
        last_send = job.sent.id if job.sent else 0
        server = urlsplit(connection.wire.base_url).netloc
        return Step(
            network,
            connection,
            sending,
            keeper,
            media,
            server,
            connection.vouched,
            job.account,
            last,
            last_send=last_send,
        )

    def look_at_files(
        self,
        check: MediaCheck,
        network: Network[Any, Any],
        draft: Draft[Any],
        account: AccountFacts,
        progress: Callable[[str], None],
    ) -> StepMedia:
        """Return the files of a validation as a step would have them; no network is asked and nothing is noted."""
        rules = network.file_rules(draft, account)
        covers = covers_of(network, draft)
        return StepMedia(
            self._media, check.workspace_id, check.id, network, rules, Unrecorded(), progress, covers, check.id
        )

    def server_of(self, account: Account) -> str:
        """Return the base URL at which an account is reached. Raises VaultError."""
        network = networks()[account.platform]
        return self._servers.reach(network, self._credentials(network, account)).url

    def connect(self, account: Account) -> Connection[Any]:
        """Return an account's line to its network, outside of any post. Raises VaultError, NetworkError."""
        return self._connect(networks()[account.platform], account, [])

    async def asks_about(self, account: Account) -> Identity:
        """Ask an account's network whether it accepts its credentials. Raises NetworkError."""
        network = networks()[account.platform]
        return await network.whoami(self._connect(network, account, []))

    def forget_files(self, post_id: str) -> None:
        """Have a post's media fetched again from now on."""
        self._media.files.forget(post_id)

    async def close(self) -> None:
        """Wait for renewals that are running: an answer that is lost disconnects its account."""
        await self._renewals.close(_LAST_RENEWALS_S)

    def _credentials(self, network: Network[Any, Any], account: Account) -> Any:
        return network.credentials.model_validate(open_credentials(self._vault, account))

    def _connect(self, network: Network[Any, Any], account: Account, last: list[Exchange]) -> Connection[Any]:
        credentials = self._credentials(network, account)
        server = self._servers.reach(network, credentials)

        async def refresh(renew: Callable[[Any], Awaitable[Any]]) -> Any:
            async def renewed(stored: dict[str, Any]) -> dict[str, Any]:
                return plain(await renew(network.credentials.model_validate(stored)))

            newest = await self._renewals.renewed(account, renewed)
            if newest is None:
                raise not_connected(network)
            account.credentials = newest
            return self._credentials(network, account)

        return Connection(
            wire=Wire(
                transport=self._named_servers if server.named else self._networks_at[network.platform],
                base_url=server.url,
                label=network.label,
                error_of=network.error_of,
                request_id_header=network.request_id_header,
                on_exchange=last.append,
                allowance_in=network.allowance_in,
                workspace=account.workspace_id,
                domains=network.own_domains,
                elsewhere=server.elsewhere,
            ),
            account=AccountFacts(
                account.id, account.user_id, account.username, account.premium, account.limits, account.allowed
            ),
            credentials=credentials,
            refresh=refresh,
            vouched=server.vouched,
        )


def plain(credentials: BaseModel) -> dict[str, Any]:
    """Return credentials as JSON with their secrets in clear; only the vault may be given this."""
    dumped: dict[str, Any] = {}
    for name, value in credentials:
        if value is not None:
            dumped[name] = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    return dumped

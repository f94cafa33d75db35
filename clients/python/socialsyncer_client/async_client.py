"""The client for asyncio."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Literal

import httpx

from socialsyncer_client.calling import new_key
from socialsyncer_client.connecting import TIMEOUT_S, ApiKey, Connections, http_options
from socialsyncer_client.errors import SocialSyncerError
from socialsyncer_client.feed import LONG_POLL_S, AsyncFollowedEvents
from socialsyncer_client.generated.api import AsyncOperations
from socialsyncer_client.generated.client import AuthenticatedClient
from socialsyncer_client.generated.models import CreateCampaign, EventType, Import, MediaFile, Post
from socialsyncer_client.generated.types import UNSET
from socialsyncer_client.imports import CampaignImport, campaign_body, import_request, require_external_ids
from socialsyncer_client.retries import LONGEST_WAIT_S, Retries
from socialsyncer_client.transports import AsyncRetryingTransport
from socialsyncer_client.uploading import Step, advance, fetch_body, upload_steps
from socialsyncer_client.waiting import Waiting


class AsyncClient(Connections, AsyncOperations):
    """A client of SocialSyncer for asyncio, to be used by `async with` or closed by `await aclose()`.

    Its arguments and methods are those of `Client`.
    """

    def __init__(
        self,
        api: str | None = None,
        key: str | None = None,
        *,
        timeout: float = TIMEOUT_S,
        attempts: int = 4,
        max_wait: float = LONGEST_WAIT_S,
        allow_http: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        secret, key = ApiKey(key), None
        options = http_options(api, secret, timeout, allow_http=allow_http)
        wrapped = AsyncRetryingTransport(transport, Retries(attempts, max_wait))
        self._http = httpx.AsyncClient(transport=wrapped, **options)
        # For bytes of files: other servers must not get the key.
        self._files = httpx.AsyncClient(transport=wrapped, base_url=options["base_url"], timeout=options["timeout"])
        self._generated = AuthenticatedClient(self._http)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def wait_for(self, post: Post | str, *, timeout: float = 300) -> Post:
        """Return the post as soon as it is published, partial or failed. Raises as `Client.wait_for`."""
        waiting = Waiting(timeout)
        latest = await self.get_post(post) if isinstance(post, str) else post
        while (seconds := waiting.seconds_before_next_look(latest)) is not None:
            await asyncio.sleep(seconds)
            latest = await self.get_post(latest.id)
        return latest

    def follow_events(self, *, after: str | None = None, types: Sequence[EventType] = ()) -> AsyncFollowedEvents:
        """Return an endless iterator of the workspace's events, which waits for the next one."""
        kinds = list(types) or UNSET
        return AsyncFollowedEvents(lambda cursor: self.list_events(after=cursor, type_=kinds, wait=LONG_POLL_S), after)

    async def upload(
        self, path: str | os.PathLike[str], *, content_type: str | None = None, resume: str | None = None
    ) -> MediaFile:
        """Upload a file of a post, in parts. Arguments and exceptions are those of `Client.upload`."""
        steps = upload_steps(path, content_type, resume)
        outcome: httpx.Response | SocialSyncerError | None = None
        while isinstance(step := await asyncio.to_thread(advance, steps, outcome), Step):
            http = self._http if step.has_key else self._files
            try:
                outcome = await http.request(step.method, step.url, **step.options)
            except SocialSyncerError as error:
                outcome = error
        return step

    async def upload_from_url(
        self, url: str, *, filename: str | None = None, timeout: float = 300, idempotency_key: str | None = None
    ) -> MediaFile:
        """Let the service fetch a file. Arguments and exceptions are those of `Client.upload_from_url`."""
        waiting = Waiting(timeout)
        file = await self.fetch_media(fetch_body(url, filename), idempotency_key=new_key(idempotency_key))
        while (seconds := waiting.seconds_before_file(file)) is not None:
            await asyncio.sleep(seconds)
            file = await self.get_media(file.id)
        return file

    async def import_file(
        self,
        path: str | os.PathLike[str],
        *,
        campaign_id: str | None = None,
        timezone: str | None = None,
        on_existing: Literal["refuse", "keep", "update"] = "refuse",
        on_conflict: Literal["refuse", "keep", "overwrite"] = "refuse",
        on_error: Literal["refuse", "skip"] = "refuse",
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Import:
        """Create the posts of a CSV or NDJSON file, all or none. Raises as `Client.import_file`."""
        request = await asyncio.to_thread(
            import_request,
            path,
            campaign_id=campaign_id,
            timezone=timezone,
            on_existing=on_existing,
            on_conflict=on_conflict,
            on_error=on_error,
            dry_run=dry_run,
            idempotency_key=new_key(idempotency_key),
        )
        return Import.from_dict((await self._http.request(**request)).json())

    async def campaign_from_csv(
        self,
        path: str | os.PathLike[str],
        campaign: CreateCampaign | Mapping[str, Any],
        *,
        on_existing: Literal["refuse", "keep", "update"] = "update",
        on_conflict: Literal["refuse", "keep", "overwrite"] = "refuse",
    ) -> CampaignImport:
        """Create a campaign with the posts of a CSV file, or bring it up to date: see `Client.campaign_from_csv`."""
        await asyncio.to_thread(require_external_ids, path)
        body, key = campaign_body(campaign)
        created = await self.create_campaign(body, idempotency_key=key)
        result = await self.import_file(path, campaign_id=created.id, on_existing=on_existing, on_conflict=on_conflict)
        return CampaignImport(await self.get_campaign(created.id), result)

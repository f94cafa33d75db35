"""The two clients: every operation of the API as a method, and what takes several requests."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from time import sleep
from types import TracebackType
from typing import Any, Literal

import httpx

from socialsyncer_client.calling import new_key
from socialsyncer_client.connecting import TIMEOUT_S, ApiKey, Connections, http_options
from socialsyncer_client.errors import SocialSyncerError
from socialsyncer_client.feed import LONG_POLL_S, FollowedEvents
from socialsyncer_client.generated.api import Operations
from socialsyncer_client.generated.client import AuthenticatedClient
from socialsyncer_client.generated.models import CreateCampaign, EventType, Import, MediaFile, Post
from socialsyncer_client.generated.types import UNSET
from socialsyncer_client.imports import CampaignImport, campaign_body, import_request, require_external_ids
from socialsyncer_client.retries import LONGEST_WAIT_S, Retries
from socialsyncer_client.transports import RetryingTransport
from socialsyncer_client.uploading import Step, advance, fetch_body, upload_steps
from socialsyncer_client.waiting import Waiting


class Client(Connections, Operations):
    """A client of SocialSyncer, to be used by `with` or closed by `close()`. Threads may share it.

    Args:
        api: The API's address; by default that of the environment variable SOCIALSYNCER_API_URL.
        key: An API key; by default that of SOCIALSYNCER_API_KEY.
        timeout: Seconds for one attempt. The API itself waits up to 60 for the outcome of a post.
        attempts: The most attempts of a request that may be repeated.
        max_wait: The most seconds that it waits before a request or a repeat, because the API says so. With one
            attempt it never waits.
        allow_http: Whether the key may go over http, where others can read it. This machine may always be called so.
        transport: The transport below, for tests. By default the proxies of the environment are used.
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
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        secret, key = ApiKey(key), None
        options = http_options(api, secret, timeout, allow_http=allow_http)
        wrapped = RetryingTransport(transport, Retries(attempts, max_wait))
        self._http = httpx.Client(transport=wrapped, **options)
        # For bytes of files: other servers must not get the key.
        self._files = httpx.Client(transport=wrapped, base_url=options["base_url"], timeout=options["timeout"])
        self._generated = AuthenticatedClient(self._http)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def wait_for(self, post: Post | str, *, timeout: float = 300) -> Post:
        """Return the post as soon as it is published, partial or failed.

        Raises:
            ValueError: The post is a draft, which nothing publishes by itself.
            WaitTimeout: `timeout` seconds are over, or the post is due later.
        """
        waiting = Waiting(timeout)
        latest = self.get_post(post) if isinstance(post, str) else post
        while (seconds := waiting.seconds_before_next_look(latest)) is not None:
            sleep(seconds)
            latest = self.get_post(latest.id)
        return latest

    def follow_events(self, *, after: str | None = None, types: Sequence[EventType] = ()) -> FollowedEvents:
        """Return an endless iterator of the workspace's events, which waits for the next one.

        Without `after` it begins with the oldest event that is kept. The first call of a workspace lets it listen:
        only what happens from then on has events.
        """
        kinds = list(types) or UNSET
        return FollowedEvents(lambda cursor: self.list_events(after=cursor, type_=kinds, wait=LONG_POLL_S), after)

    def upload(
        self, path: str | os.PathLike[str], *, content_type: str | None = None, resume: str | None = None
    ) -> MediaFile:
        """Upload a file of a post, in parts; name its `public_url` in `mediaItems`.

        Args:
            path: The file.
            content_type: Its type, by default that of its name.
            resume: The `media_id` of an upload that was interrupted.

        Raises:
            UploadInterrupted: The connection has failed; `media_id` continues it.
            InvalidRequest: The file is too large, or no media file.
        """
        steps = upload_steps(path, content_type, resume)
        outcome: httpx.Response | SocialSyncerError | None = None
        while isinstance(step := advance(steps, outcome), Step):
            http = self._http if step.has_key else self._files
            try:
                outcome = http.request(step.method, step.url, **step.options)
            except SocialSyncerError as error:
                outcome = error
        return step

    def upload_from_url(
        self, url: str, *, filename: str | None = None, timeout: float = 300, idempotency_key: str | None = None
    ) -> MediaFile:
        """Let the service fetch a file, and return it once posts can name its `public_url`.

        Raises:
            UploadFailed: The file could not be fetched; `code` and the message say why.
            WaitTimeout: It was not fetched within `timeout` seconds; the service continues.
        """
        waiting = Waiting(timeout)
        file = self.fetch_media(fetch_body(url, filename), idempotency_key=new_key(idempotency_key))
        while (seconds := waiting.seconds_before_file(file)) is not None:
            sleep(seconds)
            file = self.get_media(file.id)
        return file

    def import_file(
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
        """Create the posts of a CSV or NDJSON file, all or none.

        Raises:
            InvalidRequest: Rows are wrong; `errors` has each problem with its `row`.
        """
        request = import_request(
            path,
            campaign_id=campaign_id,
            timezone=timezone,
            on_existing=on_existing,
            on_conflict=on_conflict,
            on_error=on_error,
            dry_run=dry_run,
            idempotency_key=new_key(idempotency_key),
        )
        return Import.from_dict(self._http.request(**request).json())

    def campaign_from_csv(
        self,
        path: str | os.PathLike[str],
        campaign: CreateCampaign | Mapping[str, Any],
        *,
        on_existing: Literal["refuse", "keep", "update"] = "update",
        on_conflict: Literal["refuse", "keep", "overwrite"] = "refuse",
    ) -> CampaignImport:
        """Create a campaign with the posts of a CSV file, or bring it up to date with the file.

        It may be called again at any time: the same `campaign` finds the campaign of the first call, and a post whose
        `externalId` exists gets the cells that changed in its row, if its publishing has not begun. A field that was
        changed on the post as well, and a post that was deleted, are errors unless `on_conflict` says what they become.

        Raises:
            ValueError: The file has no column externalId.
            InvalidRequest: Rows are wrong; `errors` has each problem with its `row`. No post was created.
        """
        require_external_ids(path)
        body, key = campaign_body(campaign)
        created = self.create_campaign(body, idempotency_key=key)
        # A key of the file's bytes would answer a file that is again as it was with what was done then.
        result = self.import_file(path, campaign_id=created.id, on_existing=on_existing, on_conflict=on_conflict)
        return CampaignImport(self.get_campaign(created.id), result)

"""Bluesky's video service: it makes videos of accounts that Bluesky hosts playable before their post is public."""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

from platforms.bluesky import errors
from platforms.bluesky.connection import BlueskyConnection, call, open_session
from platforms.bluesky.did import read_document, server_in
from platforms.errors import PlatformError, unreadable
from platforms.http.body import FileBody
from platforms.http.wire import json_object

VIDEO_SERVICE = "https://video.bsky.app"
TOKEN_LIFETIME = timedelta(minutes=30)
"""How long a token for the video service is valid; source: Bluesky's guide to videos."""

_HOSTED = (".bsky.social", ".bsky.network")


def is_hosted(connection: BlueskyConnection) -> bool:
    """Return whether Bluesky itself hosts the account."""
    host = urlsplit(connection.credentials.service).hostname or ""
    return f".{host}".endswith(_HOSTED)


async def check_limits(connection: BlueskyConnection, size: int) -> None:
    """Raise PlatformError if the account may not upload a video of `size` bytes now.

    If the service does not respond, the video is uploaded anyway: the upload is refused for the same reasons. Source:
    lexicon app.bsky.video.getUploadLimits.
    """
    service = urlsplit(VIDEO_SERVICE).netloc
    try:
        token = await _token(connection, f"did:web:{service}", "app.bsky.video.getUploadLimits")
        headers = {"Authorization": f"Bearer {token}"}
        answer = await connection.wire.send("GET", _address(connection, "getUploadLimits"), headers=headers)
    except PlatformError:
        return
    limits = json_object(answer)
    if limits.get("canUpload") is False:
        raise errors.read_video_error(answer)
    if _is_below(limits.get("remainingDailyVideos"), 1) or _is_below(limits.get("remainingDailyBytes"), size):
        raise errors.video_day_used_up()


async def upload(connection: BlueskyConnection, body: FileBody, content_type: str) -> Mapping[str, Any]:
    """Upload a video to the service; return the state of the job that processes it. Raises PlatformError."""
    did = await open_session(connection)
    token = await _token(connection, f"did:web:{await _host(connection, did)}", "com.atproto.repo.uploadBlob")
    answer = await connection.wire.send(
        "POST",
        _address(connection, "uploadVideo"),
        params={"did": did, "name": f"{secrets.token_hex(12)}.mp4"},
        headers={"Authorization": f"Bearer {token}", "Content-Type": content_type, **body.headers},
        content=body,
        # The service words its own errors, and a video that was uploaded before is answered 409 with its job.
        accept=range(400, 500),
    )
    job = _job_in(answer)
    if job.get("jobId"):
        return job
    if answer.is_error or job.get("error"):
        raise errors.read_video_error(answer)
    raise unreadable("Bluesky")


async def job(connection: BlueskyConnection, job_id: str) -> Mapping[str, Any]:
    """Return the state of a job. Raises PlatformError."""
    return _job_in(await connection.wire.send("GET", _address(connection, "getJobStatus"), params={"jobId": job_id}))


async def _token(connection: BlueskyConnection, audience: str, method: str) -> str:
    allowed = {"aud": audience, "lxm": method, "exp": str(int((datetime.now(UTC) + TOKEN_LIFETIME).timestamp()))}
    answer = await call(connection, "GET", "com.atproto.server.getServiceAuth", params=allowed)
    return str(answer.get("token"))


async def _host(connection: BlueskyConnection, did: str) -> str:
    """Return the host of the account, to which the service uploads the video: a session need not name it."""
    if connection.credentials.pds:
        return connection.credentials.pds
    try:
        endpoint = server_in(await read_document(connection, did), did)
    except PlatformError:
        endpoint = None
    return urlsplit(endpoint or connection.credentials.service).netloc


def _address(connection: BlueskyConnection, method: str) -> str:
    # If this platform's requests are redirected to another host (a sandbox), those to the video service are, too.
    service = VIDEO_SERVICE if connection.wire.base_url == connection.credentials.service else connection.wire.base_url
    return f"{service}/xrpc/app.bsky.video.{method}"


def _job_in(answer: httpx.Response) -> Mapping[str, Any]:
    """Return the state of a job, which may be wrapped in `jobStatus`."""
    body = json_object(answer)
    wrapped = body.get("jobStatus")
    return wrapped if isinstance(wrapped, dict) else body


def _is_below(remaining: object, needed: int) -> bool:
    return isinstance(remaining, int) and not isinstance(remaining, bool) and remaining < needed

"""Converted files at our own public address, for platforms that fetch media themselves."""

import mimetypes
from datetime import UTC, datetime, timedelta

import structlog

from platforms.errors import ErrorKind, PlatformError
from platforms.files import MediaFile
from store.database import Database
from store.media import MOST_BYTES, MOST_FILES, TooManyFiles, keep_file

log = structlog.get_logger(__name__)

_FULL = timedelta(minutes=10)
"""How long a step waits if its workspace has as many files as it may."""
LIFETIME = timedelta(days=2)
"""Longer than a target is tried."""


class PublicFiles:
    """Files in the database that the API serves under `public_url`."""

    def __init__(self, database: Database, public_url: str) -> None:
        self._database = database
        self._public_url = public_url.rstrip("/")

    async def put(self, workspace_id: str, file: MediaFile) -> str:
        """Store a small file of a workspace and return its public address.

        Raises PlatformError, `transient`, if the workspace has as many files here as it may.
        """
        content = await file.read()
        try:
            async with self._database.transaction() as session:
                expires_at = datetime.now(UTC) + LIFETIME
                token = await keep_file(session, workspace_id, file.content_type, content, expires_at)
        except TooManyFiles as full:
            log.warning("media.too_many_kept", workspace_id=workspace_id)
            message = (
                f"This workspace has {MOST_FILES:,} converted files or {MOST_BYTES // 2**30} GiB of them, the most "
                "that are kept at a time. They expire within two days; images that need no conversion are not kept."
            )
            raise PlatformError(ErrorKind.TRANSIENT, message, code="too_many_media", retry_after=_FULL) from full
        return f"{self._public_url}/media/{token}{mimetypes.guess_extension(file.content_type) or ''}"

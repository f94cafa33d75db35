"""Put converted files where networks that fetch media themselves can reach them: at our own public address."""

import mimetypes
from datetime import UTC, datetime, timedelta

from platforms.files import MediaFile
from store.database import Database
from store.media_files import keep_file

LIFETIME = timedelta(days=2)
"""Longer than a target is tried."""


class Shelf:
    """Keep files in the database; the api serves them under `public_url`."""

    def __init__(self, database: Database, public_url: str) -> None:
        self._database = database
        self._public_url = public_url.rstrip("/")

    async def put(self, file: MediaFile) -> str:
        """Keep a small file and return its public address."""
        content = await file.read()
        async with self._database.transaction() as session:
            token = await keep_file(session, file.content_type, content, datetime.now(UTC) + LIFETIME)
        return f"{self._public_url}/media/{token}{mimetypes.guess_extension(file.content_type) or ''}"

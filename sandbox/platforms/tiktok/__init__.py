"""TikTok: uploads in chunks, photos that it fetches, and a status that reports their outcome."""

from typing import ClassVar

from sandbox.platforms.tiktok.posting import PostingRoutes
from sandbox.platforms.tiktok.reads import ReadRoutes


class TikTok(PostingRoutes, ReadRoutes):
    """The fake TikTok, in place of https://open.tiktokapis.com and https://open-upload.tiktokapis.com."""

    without_effect: ClassVar[frozenset[str]] = frozenset({"client_key", "client_secret"})
    platform: ClassVar[str] = "tiktok"
    label: ClassVar[str] = "TikTok"
    colour: ClassVar[str] = "#fe2c55"
    account_prefix: ClassVar[str] = "tt"

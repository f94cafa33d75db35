"""YouTube: resumable uploads, and the resources of a video."""

from typing import ClassVar

from sandbox.platforms.youtube.resources import ResourceRoutes
from sandbox.platforms.youtube.uploads import UploadRoutes


class YouTube(UploadRoutes, ResourceRoutes):
    """The fake YouTube, in place of https://youtube.googleapis.com and https://oauth2.googleapis.com."""

    without_effect: ClassVar[frozenset[str]] = frozenset({"part", "uploadType", "client_id", "client_secret"})
    platform: ClassVar[str] = "youtube"
    label: ClassVar[str] = "YouTube"
    colour: ClassVar[str] = "#ff0033"
    account_prefix: ClassVar[str] = "yt"

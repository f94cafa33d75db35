"""Media at the reserved example hosts in development: the sandbox's samples."""

from pathlib import PurePosixPath
from urllib.parse import quote, unquote

import httpx

from domain.post import MediaType

EXAMPLE_HOSTS = ("example.com", "example.net", "example.org")
"""Names that RFC 2606 reserves for documents; they never serve media."""

_SERVED = {".jpg", ".png", ".gif", ".mp4", ".pdf", ".vtt", ".srt"}
_USUAL = {MediaType.IMAGE: ".jpg", MediaType.GIF: ".gif", MediaType.VIDEO: ".mp4", MediaType.DOCUMENT: ".pdf"}
_FOLDER = "/_/media/"


class Samples:
    """The sandbox's samples in place of example addresses; `base_url` may be a private address."""

    def __init__(self, base_url: str) -> None:
        self._base = httpx.URL(base_url.rstrip("/"))

    @property
    def origin(self) -> str:
        """Return host:port of the sandbox."""
        port = self._base.port or (443 if self._base.scheme == "https" else 80)
        return f"[{self._base.host}]:{port}" if ":" in self._base.host else f"{self._base.host}:{port}"

    def sample_url(self, url: httpx.URL, kind: MediaType | None) -> httpx.URL:
        """Return the sample's URL where the host is an example, else the URL as it is.

        The file's name is kept, so that samples differ; its ending becomes one that the sandbox serves.
        """
        if not any(url.host == name or url.host.endswith(f".{name}") for name in EXAMPLE_HOSTS):
            return url
        name = PurePosixPath(unquote(url.path).rsplit("/", 1)[-1] or "sample")
        ending = name.suffix.lower()
        file = f"{name.stem}{ending if ending in _SERVED else _USUAL[kind or MediaType.IMAGE]}"
        return httpx.URL(f"{self._base}".rstrip("/") + _FOLDER + quote(file, safe=""))

    def hides(self, url: httpx.URL) -> bool:
        """Return whether a URL points at the sandbox but not at a sample."""
        same = (url.scheme, url.host, url.port) == (self._base.scheme, self._base.host, self._base.port)
        return same and not url.path.startswith(_FOLDER)

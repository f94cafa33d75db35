"""The download of a media answer's body: decoded, checked by its first bytes, counted, and written to disk."""

import zlib
from collections.abc import Callable, Iterator

from domain.post import MediaType
from media.refusals import Refusals
from media.sniff import HEAD, HTML, SUBTITLES, is_accepted, recognize, sniff
from media.spool import Spool

MAX_IMAGE_BYTES = 100 * 2**20
"""Most bytes of an image or GIF: ten times the largest limit of a platform here."""
MAX_DECODED_BYTES = 100 * 2**20
"""Most bytes out of a compressed answer. Media does not compress, so what unpacks to more is no media."""
_PIECE = 2**20

_EXPECTED = {
    MediaType.IMAGE: {
        "image/jpeg", "image/png", "image/gif", "image/webp", "image/heic", "image/avif", "image/bmp", "image/tiff",
    },
    MediaType.GIF: {"image/gif"},
    MediaType.VIDEO: {
        "video/mp4", "video/quicktime", "video/webm", "video/x-matroska", "video/x-msvideo", "video/3gpp",
    },
    # Word and PowerPoint files are archives by their first bytes, or the older compound files.
    # Subtitles are no document of a post: each rule for documents names the types that it takes.
    MediaType.DOCUMENT: {"application/pdf", "application/zip", "application/x-ole-storage", *SUBTITLES},
}  # fmt: skip


def most_media_bytes(kind: MediaType | None, most_bytes: int) -> int:
    """Return how many bytes a file of a kind, None for any, may have if at most `most_bytes` are wanted."""
    return most_bytes if kind in (MediaType.VIDEO, None) else min(most_bytes, MAX_IMAGE_BYTES)


def media_type(kind: MediaType | None, head: bytes, refusals: Refusals, hosts: tuple[str, ...] = ()) -> str:
    """Return the media type that the first bytes of a file show.

    Raises PlatformError if it is not of this kind; if that is None, if such a file may not be uploaded.
    """
    content_type = recognize(head) if kind in (MediaType.DOCUMENT, None) else sniff(head)
    if content_type == HTML and hosts:
        raise refusals.is_html(hosts)
    if content_type is None or content_type == HTML:
        raise refusals.unknown_type()
    if kind is None and not is_accepted(content_type):
        raise refusals.unknown_type()
    if kind and content_type not in _EXPECTED[kind]:
        raise refusals.wrong_type(content_type)
    return content_type


class Download:
    """The download of one response body to a spool. Its methods block and raise PlatformError and Exhausted.

    `most_bytes` returns up to which size the file is wanted; it may return more later, while the body still comes.
    """

    def __init__(
        self,
        spool: Spool,
        kind: MediaType | None,
        encoding: str,
        most_bytes: Callable[[], int],
        refusals: Refusals,
        hosts: tuple[str, ...],
    ) -> None:
        self._spool = spool
        self._kind = kind
        self._refusals = refusals
        self._hosts = hosts
        self._most_bytes = most_bytes
        self._unzip = None
        if encoding not in {"", "identity"}:
            if encoding not in {"gzip", "x-gzip", "deflate"}:
                raise refusals.unreachable(f"its server compresses it as {encoding[:20]}, unasked")
            self._unzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
        self.content_type: str | None = None

    @property
    def limit(self) -> int:
        """Return how many bytes the file may have."""
        most = most_media_bytes(self._kind, self._most_bytes())
        return most if self._unzip is None else min(most, MAX_DECODED_BYTES)

    def announce(self, length: int) -> None:
        """Refuse a file whose length, as the server names it, is too large; otherwise reserve its disk space."""
        if self._unzip is not None:
            return
        if length > self.limit:
            raise self._refusals.too_large(self.limit)
        self._spool.reserve(length)

    def most_decoded(self, received: int) -> int:
        """Return how many bytes a number of received bytes may decode to."""
        return received if self._unzip is None else self.limit

    def feed(self, data: bytes) -> None:
        """Take the next bytes as they came over the wire."""
        for piece in self._decoded(data):
            if self._spool.size + len(piece) > self.limit:
                raise self._refusals.too_large(self.limit)
            self._spool.append(piece)
            if self.content_type is None and self._spool.size >= HEAD:
                self.content_type = self._sniffed_type()

    def beginning(self) -> str:
        """Return the media type that the first bytes show; more are not fed."""
        if not self._spool.size:
            raise self._refusals.empty()
        return self.content_type or self._sniffed_type()

    def finish(self) -> str:
        """Return the media type after all bytes were fed."""
        if self._unzip is not None and self._spool.size and not self._unzip.eof:
            raise self._refusals.broken_off()
        if not self._spool.size:
            raise self._refusals.empty()
        return self.content_type or self._sniffed_type()

    def _decoded(self, data: bytes) -> Iterator[bytes]:
        if self._unzip is None:
            yield data
            return
        try:
            while data and not self._unzip.eof:
                yield self._unzip.decompress(data, _PIECE)
                data = self._unzip.unconsumed_tail
        except zlib.error as error:
            raise self._refusals.broken_off() from error

    def _sniffed_type(self) -> str:
        return media_type(self._kind, self._spool.read_at(0, HEAD), self._refusals, self._hosts)

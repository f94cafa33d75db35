"""One sentence for each reason why a media file cannot be used, with what its owner can do.

Sentences name the host and never the whole URL: signed URLs carry keys.
"""

from http import HTTPStatus

from domain.post import Media, MediaType
from media.stored import AnyFile
from platforms.errors import ErrorKind, PlatformError

NOUNS = {MediaType.IMAGE: "image", MediaType.VIDEO: "video", MediaType.GIF: "GIF", MediaType.DOCUMENT: "document"}
"""What people call media."""
_ANY_NOUN = "file"

_TRY_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}

TOO_LARGE = "media_too_large"
MEDIA_GONE = "media_gone"
MEDIA_NOT_PUBLIC = "media_not_public"
MEDIA_NOT_UPLOADED = "media_not_uploaded"

_SHARE_PAGES = (
    (("drive.google.com", "docs.google.com", "drive.usercontent.google.com"), "Google Drive", ""),
    (("photos.google.com", "photos.app.goo.gl"), "Google Photos", ""),
    (("dropbox.com",), "Dropbox", " With dl=1 in place of dl=0 at its end, this link gives the file."),
    (("onedrive.live.com", "1drv.ms", "sharepoint.com"), "OneDrive", ""),
    (("icloud.com",), "iCloud", ""),
    (("wetransfer.com", "we.tl"), "WeTransfer", ""),
    (("box.com",), "Box", ""),
)


def damaged(content_type: str) -> PlatformError:
    """Refuse a file that does not keep to its own format."""
    return _rejected(f"The file ({content_type}) is damaged or incomplete. Export it again and post the new file.")


def too_costly(content_type: str) -> PlatformError:
    """Refuse a file that takes its decoder more time than any file may."""
    return _rejected(
        f"The file ({content_type}) takes too long to decode. Export it again, smaller or in another format."
    )


def no_decoder() -> PlatformError:
    """Report that no decoding process could be made at the moment, or that the machine is too slow for it."""
    sentence = "Media files cannot be decoded at the moment; it is tried again."
    return PlatformError(ErrorKind.TRANSIENT, sentence, code="decoder_unavailable")


def too_many_pixels(limit: int) -> PlatformError:
    """Refuse a picture that would fill the memory."""
    sentence = f"The picture has more than {limit // 1_000_000} megapixels, which is the limit. Make it smaller."
    return _rejected(sentence, TOO_LARGE)


def too_much_memory(content_type: str) -> PlatformError:
    """Refuse a file that takes its decoder more memory than any file may."""
    sentence = f"The file ({content_type}) needs more memory to decode than is allowed. Make the picture smaller."
    return _rejected(sentence, TOO_LARGE)


def cannot_shrink(limit: int) -> PlatformError:
    """Refuse a picture that stays above a platform's limit of bytes whatever is done."""
    return _rejected(f"The picture cannot be made smaller than {limit:,} bytes. Use another.", TOO_LARGE)


def _rejected(sentence: str, code: str = "media_invalid") -> PlatformError:
    return PlatformError(ErrorKind.REJECTED, sentence, code=code)


class Refusals:
    """The errors about one media item."""

    def __init__(self, media: Media | AnyFile, host: str) -> None:
        self.host = host
        self._noun = _ANY_NOUN if media.type is None else NOUNS[media.type]
        self._item = f"The {self._noun} at {host}" if host else f"The {self._noun}"

    def _rejected(self, code: str, sentence: str, *, status: int | None = None) -> PlatformError:
        return PlatformError(ErrorKind.REJECTED, sentence, code=code, status=status)

    def _transient(self, code: str, sentence: str, *, status: int | None = None) -> PlatformError:
        return PlatformError(ErrorKind.TRANSIENT, sentence, code=code, status=status)

    def of_status(self, status: int) -> PlatformError:
        """Refuse an answer that is not 200."""
        phrase = f"{status} {HTTPStatus(status).phrase}" if status in set(HTTPStatus) else str(status)
        if status >= 500 or status in _TRY_AGAIN:
            return self._transient(
                "media_unavailable", f"{self.host} could not deliver the {self._noun} ({phrase}).", status=status
            )
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return self._rejected(
                MEDIA_NOT_PUBLIC,
                f"{self._item} is not public ({phrase}). Use a URL that opens without signing in.",
                status=status,
            )
        return self._rejected(
            "media_unreachable",
            f"{self._item} could not be fetched ({phrase}). Check that its URL is right and public.",
            status=status,
        )

    def is_html(self, hosts: tuple[str, ...]) -> PlatformError:
        """Refuse a web page; `hosts` are those that the URL led through."""
        for names, service, hint in _SHARE_PAGES:
            if any(host == name or host.endswith(f".{name}") for host in hosts for name in names):
                return self._rejected(
                    "media_is_html",
                    f"The URL of the {self._noun} is a sharing page of {service}, not the file itself.{hint} "
                    f"Use a direct link that answers with the {self._noun}'s own bytes.",
                )
        return self._rejected(
            "media_is_html",
            f"{self.host} answered with a web page instead of the {self._noun}. "
            "Use a direct link to the file, one that opens without signing in.",
        )

    def unknown_type(self) -> PlatformError:
        """Refuse a file of an unknown type."""
        return self._rejected(
            "media_unsupported", f"{self._item} is no image or video in a known format. Check the file behind the URL."
        )

    def wrong_type(self, content_type: str) -> PlatformError:
        """Refuse a file that is not what the post says."""
        return self._rejected(
            "media_type_mismatch",
            f"{self._item} is a file of type {content_type}. Correct the type of the media item, or its URL.",
        )

    def too_large(self, limit: int) -> PlatformError:
        """Refuse a file above `limit` bytes."""
        return self._rejected(
            TOO_LARGE, f"{self._item} is larger than {limit // 2**20:,} MiB, which is the limit. Make it smaller."
        )

    def empty(self) -> PlatformError:
        """Refuse a file without a byte."""
        return self._rejected("media_empty", f"{self._item} is an empty file. Check the file behind the URL.")

    def not_uploaded(self) -> PlatformError:
        """Refuse an address to which nothing was uploaded."""
        return self._rejected(
            MEDIA_NOT_UPLOADED, f"No file was uploaded for the {self._noun}. Upload it, and publish the post again."
        )

    def not_fetched(self, why: str) -> PlatformError:
        """Refuse an upload whose file could not be fetched, for a reason that is a sentence."""
        return self._rejected(MEDIA_NOT_UPLOADED, f"{why} Upload the {self._noun}, and publish the post again.")

    def gone(self) -> PlatformError:
        """Refuse an upload that is not there any more."""
        return self._rejected(
            MEDIA_GONE, f"The uploaded {self._noun} is not there any more: it was deleted. Upload it again."
        )

    def no_public_address(self, label: str) -> PlatformError:
        """Refuse an upload that its platform fetches, while this service has no public address."""
        return self._rejected(
            MEDIA_NOT_PUBLIC,
            f"{label} fetches the {self._noun} itself, and this service has no public address for uploads. Use a "
            "public URL, or ask the operator to set SOCIALSYNCER_PUBLIC_URL.",
        )

    def storage_unavailable(self) -> PlatformError:
        """Report that the storage of uploads cannot be read at the moment."""
        return self._transient(
            "storage_unavailable", f"The uploaded {self._noun} cannot be read at the moment; it is tried again."
        )

    def forbidden(self, why: str) -> PlatformError:
        """Refuse an address that is never requested, such as a private one."""
        return self._rejected("media_address_forbidden", f"{self._item} is not fetched: {why}.")

    def unreachable(self, why: str) -> PlatformError:
        """Refuse a URL that cannot work."""
        return self._rejected("media_unreachable", f"{self._item} could not be fetched: {why}.")

    def broken_off(self) -> PlatformError:
        """Report an answer that ended early or could not be read."""
        return self._transient("media_truncated", f"{self.host} broke off while the {self._noun} was fetched.")

    def no_answer(self) -> PlatformError:
        """Report a host that could not be reached at the moment."""
        return self._transient("media_unavailable", f"{self.host} could not be reached for the {self._noun}.")

    def too_slow(self) -> PlatformError:
        """Report a host that delivers too slowly."""
        return self._transient("media_timeout", f"{self.host} took too long to deliver the {self._noun}.")

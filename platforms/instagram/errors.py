"""The mapping of Instagram's error responses to kinds of PlatformError and messages for people."""

import re
from datetime import timedelta

from platforms.errors import ACCOUNT_LOCKED, ErrorKind, PlatformError
from platforms.meta.errors import GONE, ErrorMapping, Meaning

DAILY_CAP_WAIT = timedelta(hours=6)
"""Instagram counts posts over the last 24 hours but does not say when the next is allowed; the wait is our choice."""

_FETCH = "Instagram could not fetch the media from its URL. Check that it is public."
_UPLOAD = "Instagram failed while taking in the media."
_SERVER = "Instagram had an error of its own."
_TAGS = "Instagram refused the tagged people. Check their user names and their number."
_DAY = "This account has reached Instagram's number of posts for one day."

_SUBCODES = {
    2207001: Meaning(ErrorKind.TRANSIENT, _SERVER),
    2207003: Meaning(ErrorKind.TRANSIENT, "Instagram took too long to fetch the media from its URL."),
    2207006: Meaning(ErrorKind.TRANSIENT, "Instagram no longer has the uploaded media."),
    2207008: Meaning(ErrorKind.TRANSIENT, "Instagram cannot find the uploaded media yet."),
    2207020: Meaning(ErrorKind.TRANSIENT, "The upload at Instagram expired before it was published."),
    2207032: Meaning(ErrorKind.TRANSIENT, _UPLOAD),
    2207052: Meaning(ErrorKind.TRANSIENT, _FETCH),
    2207053: Meaning(ErrorKind.TRANSIENT, _UPLOAD),
    2207082: Meaning(ErrorKind.TRANSIENT, _UPLOAD),
    2207027: Meaning(ErrorKind.NOT_READY, "Instagram is still processing the media."),
    2207042: Meaning(ErrorKind.CAPPED, _DAY, wait=DAILY_CAP_WAIT),
    2207050: Meaning(ErrorKind.AUTH, "Instagram has restricted this account. Open the Instagram app to solve it."),
    2207051: Meaning(ErrorKind.REJECTED, "Instagram took this for spam and blocked it. Look into the Instagram app."),
    2207004: Meaning(ErrorKind.REJECTED, "The image is too large for Instagram (8 MB)."),
    2207005: Meaning(ErrorKind.REJECTED, "Instagram does not take this image format. Use JPEG."),
    2207009: Meaning(ErrorKind.REJECTED, "The image is too tall or too wide for Instagram (3:4 to 1.91:1)."),
    2207010: Meaning(ErrorKind.REJECTED, "The caption is too long for Instagram."),
    2207023: Meaning(ErrorKind.REJECTED, "Instagram does not know this type of media."),
    2207026: Meaning(
        ErrorKind.REJECTED, "Instagram does not take this video format. Use MP4 or MOV with H.264 and AAC."
    ),
    2207085: Meaning(
        ErrorKind.REJECTED, "Instagram does not take this video format. Use MP4 or MOV with H.264 and AAC."
    ),
    2207028: Meaning(ErrorKind.REJECTED, "An Instagram carousel takes 2 to 10 items."),
    2207035: Meaning(ErrorKind.REJECTED, _TAGS),
    2207036: Meaning(ErrorKind.REJECTED, _TAGS),
    2207037: Meaning(ErrorKind.REJECTED, _TAGS),
    2207040: Meaning(ErrorKind.REJECTED, _TAGS),
    2207057: Meaning(ErrorKind.REJECTED, "thumbOffset lies outside the video."),
    2207081: Meaning(ErrorKind.REJECTED, "This account cannot publish trial reels."),
}
_CODES: dict[int | str, Meaning] = {
    -2: Meaning(ErrorKind.TRANSIENT, _UPLOAD),
    24: Meaning(ErrorKind.TRANSIENT, _UPLOAD),
    9004: Meaning(ErrorKind.TRANSIENT, _FETCH),
    9007: Meaning(ErrorKind.NOT_READY, "Instagram is still processing the media."),
    9: Meaning(ErrorKind.CAPPED, _DAY, wait=DAILY_CAP_WAIT),
}
_WORDS = {
    "instagram business": Meaning(
        ErrorKind.AUTH,
        "Instagram publishes only for professional (business or creator) accounts. Switch the account in the app.",
        ACCOUNT_LOCKED,
    )
}


_MAPPING = ErrorMapping("Instagram", subcodes=_SUBCODES, codes=_CODES, words=_WORDS)
read_error = _MAPPING.read_error
REFUSALS = _MAPPING.refusals(untrusted={2207051})

_GONE = {"24/2207006", GONE}
_NEEDS_NEW = {"2207003", "2207006", "2207020", "2207032", "2207052", "2207053", "2207082", "unexplained"}
"""Subcodes after which only a rebuilt container can help; source: the page of error codes."""


def processing_error(status: str) -> PlatformError:
    """Return the error that a failed container reports."""
    subcode = re.search(r"\b2207\d{3}\b", status)
    code = subcode[0] if subcode else "unexplained"
    meaning = _SUBCODES.get(int(code) if subcode else 0, Meaning(ErrorKind.TRANSIENT, _UPLOAD))
    return PlatformError(meaning.kind, meaning.sentence, code=code)


def is_gone(error: PlatformError) -> bool:
    """Return whether Instagram does not know the container (any more)."""
    return error.code in _GONE


def needs_new(error: PlatformError) -> bool:
    """Return whether only a rebuilt container can help."""
    return error.code.rpartition("/")[2] in _NEEDS_NEW

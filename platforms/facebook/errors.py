"""The mapping of Facebook's error responses to kinds of PlatformError and messages for people."""

from datetime import timedelta
from typing import Any

import httpx

from platforms.errors import DUPLICATE, ErrorKind, PlatformError
from platforms.http.wire import error_object
from platforms.meta.errors import GONE, ErrorMapping, Meaning, number

SLOW_DOWN = timedelta(minutes=30)
"""The wait after "posting too fast"; Facebook names no time, the number is ours."""


_SERVER = Meaning(ErrorKind.TRANSIENT, "Facebook had an error of its own.")
_TOO_FAST = Meaning(ErrorKind.RATE_LIMITED, "Facebook says this Page is posting too fast.", wait=SLOW_DOWN)
_IDENTITY = Meaning(
    ErrorKind.AUTH, "Facebook wants the Page's owner to confirm who they are. Open Facebook to solve it."
)
_LOG_IN = Meaning(
    ErrorKind.AUTH,
    "Facebook has locked the session of the person who connected this Page. Log in at facebook.com with that person's "
    "account, and do what Facebook asks. Reconnect the account if it stays refused.",
)
_NO_ROLE = Meaning(
    ErrorKind.AUTH,
    "The person who connected this Page may no longer publish to it. Give that person full access to the Page, then "
    "reconnect the account and select the Page.",
)
_LINK = Meaning(
    ErrorKind.REJECTED, "Facebook could not read the link. Check that it is public and no facebook.com address."
)
_STANDARDS = Meaning(ErrorKind.REJECTED, "Facebook took this for a breach of its standards and refused it.")
_REEL = "The video does not fit a Facebook reel"

_SUBCODES = {
    1363019: _SERVER,
    1363030: _SERVER,
    1363033: _SERVER,
    1363047: _SERVER,
    1609010: _SERVER,
    1390008: _TOO_FAST,
    1609005: _LINK,
    1609008: _LINK,
    2061006: _LINK,
    1366046: Meaning(ErrorKind.REJECTED, "Facebook takes photos as JPEG or PNG of up to 4 MB."),
    1366051: Meaning(ErrorKind.REJECTED, "These photos were posted before.", DUPLICATE),
    2069019: Meaning(ErrorKind.REJECTED, "Facebook cannot read this file."),
    1349125: _STANDARDS,
    1346003: _STANDARDS,
    1404102: _STANDARDS,
    1363040: Meaning(ErrorKind.REJECTED, f"{_REEL}: it must be upright, 9:16."),
    1363127: Meaning(ErrorKind.REJECTED, f"{_REEL}: it needs at least 540 x 960 pixels."),
    1363128: Meaning(ErrorKind.REJECTED, f"{_REEL}: it must last 3 to 90 seconds."),
    1363129: Meaning(ErrorKind.REJECTED, f"{_REEL}: it needs 24 to 60 frames per second."),
    1404078: Meaning(
        ErrorKind.AUTH, "Facebook wants this Page to be authorised for publishing. Open the Page to solve it."
    ),
    459: _LOG_IN,
    464: _LOG_IN,
    492: _NO_ROLE,
    4854002: _IDENTITY,
    1404112: _IDENTITY,
    1404006: _IDENTITY,
}
"""459, 464 and 492 come with code 190; source: the Graph API's page on errors."""
_CODES: dict[int | str, Meaning] = {
    1390008: _TOO_FAST,
    389: Meaning(ErrorKind.REJECTED, "Facebook could not fetch the video from its URL. Check that it is public."),
    382: Meaning(ErrorKind.REJECTED, "The video is too small for Facebook."),
    6000: Meaning(ErrorKind.REJECTED, "Facebook cannot take in this video. Use MP4 or MOV with H.264 and AAC."),
    6001: Meaning(ErrorKind.REJECTED, "Facebook cannot take in this video. Use MP4 or MOV with H.264 and AAC."),
    506: Meaning(ErrorKind.REJECTED, "Facebook refuses a post that repeats the Page's last one.", DUPLICATE),
}

WRONG_OFFSET = 1363037
"""The subcode for a piece that is not the next one; source: github.com/facebookarchive/php-graph-sdk."""

_REFUSALS = ErrorMapping(
    "Facebook",
    owner="Page",
    subcodes=_SUBCODES,
    codes=_CODES,
    # A token without rights to the Page; the words are quoted from gitroomhq/postiz-app PR#1912.
    words={"before impersonating a user's page": _NO_ROLE},
)


class WrongOffsetError(PlatformError):
    """Error: Facebook wants the bytes of a video from `start` to `end`. It has other bytes than we know of."""

    def __init__(self, start: int, end: int, status: int) -> None:
        message = "Facebook wants other bytes of the video."
        super().__init__(ErrorKind.TRANSIENT, message, code="upload_offset", status=status)
        self.start, self.end = start, end


REFUSALS = _REFUSALS.refusals()


def read_error(response: httpx.Response) -> PlatformError:
    """Map an error response to a PlatformError."""
    body = error_object(response)
    if number(body, "error_subcode") == WRONG_OFFSET and (span := _requested_range(body)):
        return WrongOffsetError(*span, response.status_code)
    return _REFUSALS.read_error(response)


def is_gone(error: PlatformError) -> bool:
    """Return whether Facebook does not know the id (any more)."""
    return error.code == GONE


def processing_failed(message: str) -> PlatformError:
    """Return the error for a video that Facebook could not process."""
    reason = f" It says: {message}" if message else ""
    return PlatformError(
        ErrorKind.REJECTED, f"Facebook could not process the video.{reason}", code="video_processing_failed"
    )


def kept_as_draft() -> PlatformError:
    """Return the error for a video that was to be public but that Facebook keeps as a draft."""
    message = "Facebook keeps this video as a draft instead of publishing it. Publish it in Meta Business Suite."
    return PlatformError(ErrorKind.REJECTED, message, code="kept_as_draft")


def still_processing() -> PlatformError:
    """Return the error for a video that was accepted but is not public yet."""
    return PlatformError(ErrorKind.UNCONFIRMED, "Facebook is still processing the video.", code="video_processing")


def _requested_range(body: dict[str, Any]) -> tuple[int, int] | None:
    data = body.get("error_data")
    try:
        return (int(data["start_offset"]), int(data["end_offset"])) if isinstance(data, dict) else None
    except (KeyError, TypeError, ValueError):
        return None

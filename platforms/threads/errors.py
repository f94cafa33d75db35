"""What the refusals of Threads mean, in the few kinds that every network shares and in sentences for people."""

from datetime import timedelta

from platforms.errors import ErrorKind, PlatformError
from platforms.meta.errors import GONE, UNKNOWN_CHILDREN, Meaning, Refusals

QUOTA_WAIT = timedelta(hours=6)
"""Threads counts posts over the last 24 hours and does not say when the next slot frees; how long to wait is ours."""
PROPAGATION_WAIT = timedelta(seconds=3)
"""A container that is finished may not be known yet where it is published; clients that work wait 2 to 8 seconds."""

NOT_THERE = 24
"""The code for what does not exist, or not yet."""

_FETCH = "Threads could not fetch the media from its URL. Check that it is public."

_UNFETCHED = Meaning(ErrorKind.TRANSIENT, _FETCH)
_SUBCODES = {
    2207051: Meaning(ErrorKind.REJECTED, "Threads took this for spam and blocked it. Look into the Threads app."),
    2207052: _UNFETCHED,
    4279004: Meaning(
        ErrorKind.NOT_READY,
        "Threads does not find an item of the carousel yet.",
        UNKNOWN_CHILDREN,
        wait=timedelta(seconds=7),
    ),
    4279047: Meaning(ErrorKind.REJECTED, "Threads does not take the link. Give the address that it redirects to."),
    4279067: Meaning(ErrorKind.OPERATOR, "Threads has not granted this service's app the access that this needs."),
    4279013: Meaning(ErrorKind.AUTH, "Threads has restricted this account. Open the Threads app to solve it."),
}
"""The first and the last are from clients that work, not from documentation."""
_CODES: dict[int | str, Meaning] = {
    NOT_THERE: Meaning(ErrorKind.NOT_READY, "Threads does not find the prepared post yet.", wait=PROPAGATION_WAIT),
    "THREADS_API__LINK_LIMIT_EXCEEDED": Meaning(ErrorKind.REJECTED, "This post has more links than Threads takes."),
}
error_of = Refusals("Threads", subcodes=_SUBCODES, codes=_CODES, words={"could not be fetched": _UNFETCHED}).error_of

_PROCESSING = {
    "DOWNLOADING": (ErrorKind.TRANSIENT, _FETCH),
    "ASPEC": (ErrorKind.REJECTED, "The media is too tall or too wide for Threads."),
    "BIT_RATE": (ErrorKind.REJECTED, "The video has more data per second than Threads takes (100 Mbps)."),
    "DURATION": (ErrorKind.REJECTED, "The video is too long for Threads (5 minutes)."),
    "FRAME_RATE": (ErrorKind.REJECTED, "The video has too few or too many pictures per second for Threads (23 to 60)."),
    "AUDIO": (ErrorKind.REJECTED, "Threads does not take the video's sound. Use AAC with one or two channels."),
    "PROCESSING_VIDEO": (ErrorKind.REJECTED, "Threads does not take this video. Use MP4 or MOV with H.264 or HEVC."),
}
"""By a part of a failed container's error_message, whose spelling changes; source: the page on troubleshooting."""


def processing_error(said: str) -> PlatformError:
    """Map what a failed container says of itself."""
    for part, (kind, sentence) in _PROCESSING.items():
        if part in said.upper():
            return PlatformError(kind, sentence, code=said[:64])
    return PlatformError(
        ErrorKind.TRANSIENT, "Threads failed while taking in the media.", code=said[:64] or "unexplained"
    )


def quota_used(what: str) -> PlatformError:
    """Say that the account's posts or replies of the day are used up, for which Threads has no code."""
    message = f"This account has reached Threads' number of {what} for one day."
    return PlatformError(ErrorKind.CAPPED, message, code="quota", retry_after=QUOTA_WAIT)


def token_ended() -> PlatformError:
    """Say that the token is no longer accepted: Threads has said so as if nothing existed (trypostit/trypost#230)."""
    message = "Threads no longer accepts this account's connection. Reconnect the account."
    return PlatformError(ErrorKind.AUTH, message, code=str(NOT_THERE))


def nothing_there(setting: str) -> PlatformError:
    """Say that a named post is not there; Threads has the same code for a container that it does not find yet."""
    message = f"Threads does not have the post that {setting} names. Check that it is still there."
    return PlatformError(ErrorKind.REJECTED, message, code=str(NOT_THERE))


def forbids_reply(error: PlatformError) -> bool:
    """Tell whether Threads refuses a reply for want of access: an app needs more for others' posts than for its own."""
    return error.code.partition("/")[0] == "10"


def may_not_answer(error: PlatformError) -> PlatformError:
    """Say that this app may answer only below the account's own posts."""
    message = "Threads lets this app answer or quote only the account's own posts. Check replyToId and quotePostId."
    return PlatformError(ErrorKind.REJECTED, message, code=error.code, status=error.status)


def is_gone(error: PlatformError) -> bool:
    """Tell whether Threads does not know a container (any more)."""
    return error.code.partition("/")[0] == str(NOT_THERE) or error.code == GONE


def needs_new(error: PlatformError) -> bool:
    """Tell whether only a container built again can help: the media's own server did not give them to Threads."""
    return error.message == _FETCH

"""The mapping of error responses of Threads to kinds of PlatformError and messages for people."""

from datetime import timedelta

from platforms.errors import ErrorKind, PlatformError
from platforms.meta.errors import GONE, UNKNOWN_CHILDREN, ErrorMapping, Meaning

QUOTA_WAIT = timedelta(hours=6)
"""Threads counts posts over the last 24 hours but does not say when the next is allowed; the wait is our choice."""
PROPAGATION_WAIT = timedelta(seconds=3)
"""A finished container may not be known yet when it is published; working clients wait 2 to 8 seconds."""

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
"""The first and the last are from working clients, not from documentation."""
_CODES: dict[int | str, Meaning] = {
    NOT_THERE: Meaning(ErrorKind.NOT_READY, "Threads does not find the prepared post yet.", wait=PROPAGATION_WAIT),
    "THREADS_API__LINK_LIMIT_EXCEEDED": Meaning(ErrorKind.REJECTED, "This post has more links than Threads takes."),
}


_MAPPING = ErrorMapping("Threads", subcodes=_SUBCODES, codes=_CODES, words={"could not be fetched": _UNFETCHED})
read_error = _MAPPING.read_error
_OF_APPS = 10
"""The code of a missing access of the app. Threads has reported it for replies that it had published
(tirthpatell/threads-go#30)."""
REFUSALS = _MAPPING.refusals(untrusted={2207051, _OF_APPS})

_PROCESSING = {
    "DOWNLOADING": (ErrorKind.TRANSIENT, _FETCH),
    "ASPEC": (ErrorKind.REJECTED, "The media is too tall or too wide for Threads."),
    "BIT_RATE": (ErrorKind.REJECTED, "The video has more data per second than Threads takes (100 Mbps)."),
    "DURATION": (ErrorKind.REJECTED, "The video is too long for Threads (5 minutes)."),
    "FRAME_RATE": (ErrorKind.REJECTED, "The video has too few or too many pictures per second for Threads (23 to 60)."),
    "AUDIO": (ErrorKind.REJECTED, "Threads does not take the video's sound. Use AAC with one or two channels."),
    "PROCESSING_VIDEO": (ErrorKind.REJECTED, "Threads does not take this video. Use MP4 or MOV with H.264 or HEVC."),
}
"""Parts of a failed container's error_message, whose spelling changes; source: the page on troubleshooting."""


def processing_error(message: str) -> PlatformError:
    """Return the error that a failed container reports."""
    for part, (kind, sentence) in _PROCESSING.items():
        if part in message.upper():
            return PlatformError(kind, sentence, code=message[:64])
    return PlatformError(
        ErrorKind.TRANSIENT, "Threads failed while taking in the media.", code=message[:64] or "unexplained"
    )


def quota_used(what: str) -> PlatformError:
    """Return the error that the account's posts or replies of the day are used up; Threads has no code for it."""
    message = f"This account has reached Threads' number of {what} for one day."
    return PlatformError(ErrorKind.CAPPED, message, code="quota", retry_after=QUOTA_WAIT)


def token_ended() -> PlatformError:
    """Return the error that the token has ended: Threads reported it as a missing object (trypostit/trypost#230)."""
    message = "Threads no longer accepts this account's connection. Reconnect the account."
    return PlatformError(ErrorKind.AUTH, message, code=str(NOT_THERE))


def nothing_there(setting: str) -> PlatformError:
    """Return the error that a named post is missing; Threads uses the same code for a container it cannot find yet."""
    message = f"Threads does not have the post that {setting} names. Check that it is still there."
    return PlatformError(ErrorKind.REJECTED, message, code=str(NOT_THERE))


def forbids_reply(error: PlatformError) -> bool:
    """Return whether Threads refuses a reply for lack of access: an app needs more for others' posts than its own."""
    return error.code.partition("/")[0] == "10"


def may_not_answer(error: PlatformError) -> PlatformError:
    """Return the error that this app may reply only to the account's own posts."""
    message = "Threads lets this app answer or quote only the account's own posts. Check replyToId and quotePostId."
    return PlatformError(ErrorKind.REJECTED, message, code=error.code, status=error.status)


def is_gone(error: PlatformError) -> bool:
    """Return whether Threads does not know a container (any more)."""
    return error.code.partition("/")[0] == str(NOT_THERE) or error.code == GONE


def needs_new(error: PlatformError) -> bool:
    """Return whether only a rebuilt container can help: the media's own server did not deliver them to Threads."""
    return error.message == _FETCH

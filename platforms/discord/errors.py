"""The mapping of Discord's error responses to kinds of PlatformError and messages for people."""

from collections.abc import Iterator
from typing import Any

import httpx

from domain.request_limits import Quota
from platforms.errors import ErrorKind, Meaning, Meanings, PlatformError
from platforms.http.refusals import Refusals, alternatives, codes, fields, is_number
from platforms.http.untrusted import quota_from_headers, wait
from platforms.http.wire import json_object

_MEANINGS = Meanings("Discord")
_WEBHOOK = "Discord does not know this webhook any more. Make a new one and connect it."
_ACCESS = "The bot may not publish in this channel. Let it view the channel, send messages and attach files."

_CODES: dict[int, Meaning] = {
    10003: (ErrorKind.AUTH, "Discord does not know this channel, or the bot cannot see it."),
    10015: (ErrorKind.AUTH, _WEBHOOK),
    20016: (ErrorKind.RATE_LIMITED, "The channel's slow mode does not let the bot publish yet."),
    20028: _MEANINGS.throttled,
    20029: _MEANINGS.throttled,
    40002: (ErrorKind.AUTH, "Discord wants this account to be verified first."),
    40004: (ErrorKind.REJECTED, "Sending messages is switched off at Discord for now."),
    40005: (ErrorKind.REJECTED, "The files are too large for Discord (10 MB each, 25 MB together)."),
    40006: (ErrorKind.TRANSIENT, "Discord has switched this off for a while."),
    50001: (ErrorKind.AUTH, _ACCESS),
    50006: (ErrorKind.REJECTED, "Discord publishes no empty message."),
    50008: (ErrorKind.REJECTED, "Discord takes no messages in this kind of channel."),
    50013: (ErrorKind.AUTH, _ACCESS),
    50014: _MEANINGS.reconnect,
    50024: (ErrorKind.REJECTED, "Discord cannot do this in this kind of channel."),
    50027: (ErrorKind.AUTH, _WEBHOOK),
    130000: (ErrorKind.TRANSIENT, "Discord is overloaded."),
    220001: (ErrorKind.REJECTED, "A forum channel needs threadName or threadId."),
    240000: (ErrorKind.REJECTED, "Discord refuses a link in this post as harmful."),
}
"""Source: discord.com/developers/docs/topics/opcodes-and-status-codes#json."""

INVALID_FORM = 50035
UNKNOWN_MESSAGE = "10008"
"""The code for a repeat whose first message was deleted in the meantime; reported by clients."""
OF_THE_PLACE = frozenset({"10003", "50001", "50013"})
"""Codes about a channel or about permissions in it: the post's fault if it names the channel or asks for more."""

_NOT_BEFORE = frozenset({130000})
"""Codes after which a message may have been made: the platform is overloaded."""
_LEAST_CODE = 10_000
"""The smallest code of Discord's, except 0, whose message repeats the status: `401: Unauthorized`."""
REFUSALS = Refusals(
    alternatives(
        fields(
            *("message", "code"),
            optional=("errors", "retry_after", "global"),
            code=lambda code: isinstance(code, int) and code >= _LEAST_CODE,
        ),
        lambda body, status: (
            body.keys() == {"message", "code"}
            and body["code"] == 0
            and str(body["message"]).startswith(f"{status}: ")
            and status != httpx.codes.TOO_MANY_REQUESTS
        ),
        fields(
            *("message", "retry_after", "global"),
            optional=("code",),
            retry_after=is_number,
            **{"global": lambda value: isinstance(value, bool)},
        ),
    ),
    codes(*(str(code) for code in _CODES.keys() - _NOT_BEFORE), str(INVALID_FORM)),
)
"""Source: discord.com/developers/docs/reference#error-messages; the page on rate limits for a 429 without a code."""


def read_error(response: httpx.Response) -> PlatformError:
    """Map an error response to a PlatformError."""
    body, status = json_object(response), response.status_code
    code = body["code"] if isinstance(body.get("code"), int) else 0
    message = str(body.get("message") or "")
    if code == INVALID_FORM:
        message = "; ".join(_faults(body.get("errors"))) or message
    known = _CODES[40005] if status == httpx.codes.REQUEST_ENTITY_TOO_LARGE else None
    kind, sentence = _CODES.get(code) or known or _MEANINGS.by_status(status, message)
    wait_for = wait(body.get("retry_after", response.headers.get("retry-after")))
    return PlatformError(
        kind,
        sentence,
        code=str(code or f"http_{status}"),
        status=status,
        retry_after=wait_for if kind is ErrorKind.RATE_LIMITED else None,
    )


def _faults(tree: Any, path: str = "") -> Iterator[str]:
    """Yield the errors of a form with their places; Discord nests them by field."""
    if not isinstance(tree, dict):
        return
    for fault in tree.get("_errors") or []:
        if isinstance(fault, dict):
            yield f"{path}: {fault.get('message')}" if path else str(fault.get("message"))
    for name, below in tree.items():
        if name != "_errors":
            yield from _faults(below, f"{path}.{name}" if path else str(name))


def quota_in(response: httpx.Response) -> Quota | None:
    """Return what remains of the route's bucket; Discord's limits are known from its responses only."""
    return quota_from_headers(response, "x-ratelimit-remaining", wait(response.headers.get("x-ratelimit-reset-after")))

"""The mapping of error responses of Mastodon servers to kinds of PlatformError."""

from datetime import timedelta

import httpx

from domain.request_limits import Quota
from platforms.errors import ErrorKind, Meaning, Meanings, PlatformError
from platforms.http.refusals import Body, Refusals, fields, matches
from platforms.http.untrusted import quota_from_headers, wait, wait_until
from platforms.http.wire import json_object

SHORTEST_WAIT = timedelta(seconds=1)

ATTACHMENT_GONE = "attachment_gone"
MEDIA_NOT_READY = "media_not_ready"

_NO_SERVER = (
    ErrorKind.REJECTED,
    "There is no Mastodon server at the account's address. Check it and reconnect the account.",
)
_OF_THE_ACCOUNT = ("pending", "disabled", "suspended", "authorized scopes", "invalid credentials", "confirm")
"""Parts of a 403's message about an account or its token; others are about a post: empty, too large, wrong type."""
_BY_WORDS = (
    ("have not finished processing", ErrorKind.NOT_READY, MEDIA_NOT_READY, "The server is still processing the media."),
    # One wording is that of current servers, the other is unverified.
    (
        "not found or already attached",
        ErrorKind.TRANSIENT,
        ATTACHMENT_GONE,
        "The server no longer has the uploaded media.",
    ),
    (
        "requires an authenticated user",
        ErrorKind.AUTH,
        "app_token",
        "This token is an app's own. Connect with a user's.",
    ),
    ("could not be found", ErrorKind.TRANSIENT, ATTACHMENT_GONE, "The server no longer has the uploaded media."),
)
"""Parts of the message of a 404 or 422; source: github.com/mastodon/mastodon config/locales/en.yml."""

_TOO_LARGE = (ErrorKind.REJECTED, "The file is too large for this Mastodon server.")
_MEANINGS = Meanings("Mastodon", others={413: _TOO_LARGE})

_BEFORE_ALL = {
    404: ("the post you are trying to reply to", "the post you are trying to quote"),
    422: (
        *("validation failed", "the post you are trying to reply to", "the post you are trying to quote"),
        *("cannot attach", "the status is over the character limit", "cannot post an empty status"),
    ),
    400: ("bad request: ",),
    403: ("forbidden: you do not have permission to reply",),
}
"""How messages begin that a server reports before it saves a status, by the response's status.

Source: for 404 and 422 Mastodon's app/services/post_status_service.rb, and Pleroma's and Akkoma's
lib/pleroma/web/common_api/activity_draft.ex; for 400 and 403 GoToSocial's internal/processing/status/create.go. No
message of snac or Pixelfed is trusted. "Duplicate record" is not one of them: Mastodon says that whenever its database
finds a row twice (app/controllers/concerns/api/error_handling.rb), and has said it of a status that was public
(NicolasConstant/sengi#289).
"""


def _trusts(body: Body, error: PlatformError) -> bool:
    message = str(body.get("error") or "").lower()
    if error.code in {ATTACHMENT_GONE, MEDIA_NOT_READY, "app_token"}:
        return True
    return message.startswith(_BEFORE_ALL.get(error.status or 0, ())) or (
        error.status == 403 and any(words in message for words in _OF_THE_ACCOUNT)
    )


_WORDS = {
    401: ("The access token", "Unauthorized: ", "Invalid credentials", "Invalid token", "Unauthenticated"),
    429: ("Too many requests", "Throttled"),
}
"""How servers word what gateways refuse in the same form; from the sources of those that are named here, unverified for
their older versions."""
_worded = fields("error", optional=("error_description", "details"), error=matches(".*"))


def _is_error(body: Body, status: int) -> bool:
    words = str(body.get("error_description") or body.get("error") or "")
    return _worded(body, status) and words.startswith(_WORDS.get(status, ""))


REFUSALS = Refusals(_is_error, _trusts, is_plain=True)
"""Source: docs.joinmastodon.org/entities/Error; for `details` Mastodon's app/lib/validation_error_formatter.rb."""


def read_error(response: httpx.Response) -> PlatformError:
    """Return the error of an error response; the server's own message is used if it gives the reason."""
    message = read_message(response)
    status = response.status_code
    if status in {404, 422}:
        for part, kind, code, sentence in _BY_WORDS:
            if part in message:
                return PlatformError(kind, sentence, code=code, status=status)
    kind, sentence = _by_status(response, message)
    wait_for = _wait(response) if kind is ErrorKind.RATE_LIMITED else None
    return PlatformError(kind, sentence, code=f"http_{status}", status=status, retry_after=wait_for)


def is_known_key(error: PlatformError) -> bool:
    """Return whether a server has seen the idempotency key before but does not report its outcome (Pixelfed)."""
    return error.status == httpx.codes.BAD_REQUEST and "idempotency key" in error.message.lower()


def not_accepted(status: int) -> PlatformError:
    """Return the error that a server does not know the account's token."""
    return PlatformError(*_MEANINGS.reconnect, code=f"http_{status}", status=status)


def read_message(response: httpx.Response) -> str:
    """Return the message of an error response; empty if it is no JSON (gateways answer in HTML)."""
    body = json_object(response)
    words = (body.get("error_description"), body.get("error"))
    return next((word.strip() for word in words if isinstance(word, str) and word.strip()), "")


def _by_status(response: httpx.Response, message: str) -> Meaning:
    status = response.status_code
    if status == 403:
        if message and any(words in message.lower() for words in _OF_THE_ACCOUNT):
            return ErrorKind.AUTH, f"The Mastodon server does not allow this account to do that: {message}"
        # A 403 without a message in the API's own form comes from a gateway before the server.
        return (ErrorKind.REJECTED, f"Mastodon refused: {message}") if message else _MEANINGS.server
    return (
        _NO_SERVER if response.is_redirect or (status == 404 and not message) else _MEANINGS.by_status(status, message)
    )


def quota_in(response: httpx.Response) -> Quota | None:
    """Return what remains of the limit that the server reports, as the most posts that it allows.

    GoToSocial counts all requests from an address together, including reads and those of other accounts.
    """
    return quota_from_headers(response, "x-ratelimit-remaining", _wait(response))


def _wait(response: httpx.Response) -> timedelta | None:
    # Mastodon writes a time; servers that imitate other platforms write Unix seconds.
    asked = wait(response.headers.get("retry-after", ""))
    delay = wait_until(response.headers.get("x-ratelimit-reset", "")) if asked is None else asked
    return None if delay is None else max(delay, SHORTEST_WAIT)

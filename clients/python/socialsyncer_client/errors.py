"""The exceptions of this package.

SocialSyncerError
├── ConnectionFailed            no answer has come
├── ResponseError               the API has refused a request, or has failed
│   ├── InvalidRequest          400, 413, 415, 422 and others: change the request
│   ├── AuthenticationFailed    401: the key is missing, unknown, expired or revoked
│   ├── PermissionDenied        403: the key lacks a scope
│   ├── NotFound                404
│   ├── Conflict                409: the state of the post or campaign does not allow it
│   ├── CursorExpired           410: read the feed again without a cursor
│   ├── RateLimited             429: repeat it after `retry_after` seconds
│   └── ServerFailed            5xx
├── UploadFailed                a file could not be fetched from its address
├── UploadInterrupted           a file has not arrived whole: continue with its id
├── WaitTimeout                 a post has not come to rest, or a file has not been fetched, in time
└── WebhookVerificationError    a webhook's request is not signed by the secret, or is too old
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx


class SocialSyncerError(Exception):
    """The base of this package's exceptions."""


class ConnectionFailed(SocialSyncerError):
    """No answer has come; the cause is the exception of httpx.

    Attributes:
        sent: Whether the request may have been carried out. Repeat it with the same Idempotency-Key.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class ResponseError(SocialSyncerError):
    """An answer of the API that reports an error, in the API's one shape.

    Attributes:
        status: The HTTP status.
        type: The kind of error.
        code: The first problem, for a program; see docs/errors.md.
        param: The dotted path of the field at fault, if there is one.
        errors: All problems, as the API has listed them.
        post_id: The existing post, if the code is `external_id_taken`.
        retry_after: Seconds after which the request may be repeated, if the API names them.
        request_id: The id of the request in the logs of the service.
    """

    def __init__(self, response: httpx.Response) -> None:
        body = _read_body(response)
        message = body.get("error")
        super().__init__(message if isinstance(message, str) else f"The API has answered {response.status_code}.")
        self.status = response.status_code
        self.type: str = body.get("type") or "api_error"
        self.code: str = body.get("code") or ""
        self.param: str | None = body.get("param")
        self.errors: list[dict[str, Any]] = body.get("errors") or []
        self.post_id: str | None = body.get("postId")
        self.retry_after = read_retry_after(response.headers)
        self.request_id: str | None = response.headers.get("X-Request-Id")


class InvalidRequest(ResponseError):
    """A request that is malformed, or that a platform or an account does not allow."""


class AuthenticationFailed(ResponseError):
    """A request without a valid key."""


class PermissionDenied(ResponseError):
    """A request that the key's scopes do not allow."""


class NotFound(ResponseError):
    """A request for something that does not exist in this workspace."""


class Conflict(ResponseError):
    """A request that the present state does not allow."""


class CursorExpired(ResponseError):
    """A cursor that is older than the events that are kept."""


class RateLimited(ResponseError):
    """A request too many."""


class ServerFailed(ResponseError):
    """A failure of the service, or a part of it that is down."""


class UploadFailed(SocialSyncerError):
    """A file that the service could not fetch.

    Attributes:
        media_id: The upload.
        code: The reason, for a program; see docs/errors.md.
    """

    def __init__(self, message: str, media_id: str, code: str) -> None:
        super().__init__(message)
        self.media_id = media_id
        self.code = code


class UploadInterrupted(SocialSyncerError):
    """A file that has not arrived whole.

    Attributes:
        media_id: Continue with `upload(path, resume=media_id)`, within two days.
    """

    def __init__(self, message: str, media_id: str) -> None:
        super().__init__(message)
        self.media_id = media_id


class WaitTimeout(SocialSyncerError):
    """A post that has not come to rest in time, or a file that has not been fetched.

    Attributes:
        post: The post, or the file, as it was read last.
    """

    def __init__(self, message: str, post: Any) -> None:
        super().__init__(message)
        self.post = post


class WebhookVerificationError(SocialSyncerError):
    """A webhook's request that is not signed by the secret, or that is too old."""


_BY_STATUS: dict[int, type[ResponseError]] = {
    401: AuthenticationFailed,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    410: CursorExpired,
    429: RateLimited,
}


def response_error(response: httpx.Response) -> ResponseError:
    """Return the exception for an answer whose body has been read."""
    by_class = ServerFailed if response.status_code >= 500 else InvalidRequest
    return _BY_STATUS.get(response.status_code, by_class)(response)


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of Retry-After; None if the header is absent or no number."""
    try:
        return max(0.0, float(headers["Retry-After"]))
    except (KeyError, ValueError):
        return None


def _read_body(response: httpx.Response) -> dict[str, Any]:
    # A proxy in front of the API may answer with a page.
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}

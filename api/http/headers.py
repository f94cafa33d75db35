"""The headers of requests that this API reads, and entity tags (RFC 9110, section 13.1.2)."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from litestar import Request, Response
from litestar.types import HTTPScope

from domain.errors import InvalidRequest, Problem

_TAGS = re.compile(r'"[^"]*"|\*')


HttpRequest = Request[Any, Any, Any]
"""A request as handlers get it. Its state, in which `authenticate` stores the key, is `Any` to Litestar."""
DEFAULT_WAIT_S = 25
LONGEST_WAIT_S = 60
LONGEST_KEY = 255
KEY_PATTERN = "^[ -~]+$"
"""An Idempotency-Key's characters, as JSON Schema writes them: printable ASCII."""
KEY_RULE = f"1 to {LONGEST_KEY} printable ASCII characters"
_REQUEST_ID = re.compile(r"[\x20-\x7e]{1,128}")
_WAIT = re.compile(r'wait\s*=\s*"?(\d{1,9})"?', re.IGNORECASE | re.ASCII)


def first_header(scope: HTTPScope, name: bytes) -> str | None:
    """Return the first header of this name in lower case, None if there is none; the others are not read."""
    return next((value.decode("latin-1") for header_name, value in scope["headers"] if header_name == name), None)


def idempotency_key(request: HttpRequest) -> str | None:
    """Return the Idempotency-Key, None if there is none. Raises InvalidRequest."""
    keys = request.headers.getall("idempotency-key", [])
    if not keys:
        return None
    if len(keys) > 1 or not is_idempotency_key(keys[0]):
        sentence = f"Idempotency-Key must be given once, as {KEY_RULE}"
        raise InvalidRequest(Problem(sentence, "invalid_field_value", "Idempotency-Key"))
    return keys[0]


def is_idempotency_key(text: str) -> bool:
    """Return whether a text can be an Idempotency-Key."""
    return 1 <= len(text) <= LONGEST_KEY and text.isascii() and text.isprintable()


def required_key(request: HttpRequest) -> str:
    """Return the Idempotency-Key of a request that cannot be repeated safely without one. Raises InvalidRequest."""
    key = idempotency_key(request)
    if key is None:
        sentence = "Idempotency-Key is required: if the answer is lost, the same request with it is safe"
        raise InvalidRequest(Problem(sentence, "missing_required_field", "Idempotency-Key"))
    return key


def preferred_wait(request: HttpRequest) -> int | None:
    """Return the seconds of a `Prefer: wait=N` (RFC 7240), at most 60; None if there is none that can be read."""
    for preference in ",".join(request.headers.getall("prefer", [])).split(","):
        match = _WAIT.fullmatch(preference.partition(";")[0].strip())
        if match:
            return min(int(match[1]), LONGEST_WAIT_S)
    return None


def valid_request_id(request_id: str | None) -> str | None:
    """Return the caller's X-Request-Id if it can be sent back and logged as it is."""
    return request_id if request_id is not None and _REQUEST_ID.fullmatch(request_id) else None


def entity_tag(*parts: bytes) -> str:
    """Return the tag of some content."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return f'"{digest.hexdigest()[:32]}"'


def has_current(request: HttpRequest, tag: str) -> bool:
    """Return whether the caller says that it has the content of this tag."""
    tags = _TAGS.findall(request.headers.get("if-none-match", ""))
    return tag in tags or "*" in tags


def respond_tagged(request: HttpRequest, body: bytes, media_type: str, headers: Mapping[str, str]) -> Response[bytes]:
    """Write an answer with its tag; 304 without content if the caller has it."""
    tag = entity_tag(body)
    tagged = {"ETag": tag, **headers}
    if has_current(request, tag):
        return Response(b"", status_code=304, headers=tagged, media_type=media_type)
    return Response(body, headers=tagged, media_type=media_type)

"""The headers of requests that this API reads, entity tags (RFC 9110, 13.1.2), and the headers that tell limits.

`RateLimit` and `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers-11, which may still change; clients
know the older `X-RateLimit-…` and `Retry-After`.
"""

import hashlib
import re
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from litestar import Request, Response
from litestar.types import HTTPScope

from domain.errors import InvalidRequest, Problem
from domain.loop_share import Holder, served_request
from domain.request_limits import WINDOW_S, Policy, Standing

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


Header = tuple[bytes, bytes]
HEADER_NAMES = ("RateLimit-Policy", "RateLimit", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_POLICIES, _REMAINDERS, _LIMIT, _REMAINING, _RESET = (name.lower() for name in HEADER_NAMES)


class ToldLimits(Holder):
    """A request and the limits of its caller: its policies, and the remaining uses under each that counts it.

    The code in its block, and tasks that it starts, add to them.
    """

    policies: tuple[Policy, ...] = ()
    template = ""
    """That of the lines, if it is known, and the first standing is the only one."""
    standings: tuple[Standing, ...] = ()

    def lines(self) -> bytes:
        """Return the headers as lines of an answer's head.

        The older ones can tell one policy: the one that refuses, or else the requests'.
        """
        if not self.standings:
            return _policy_line(self.policies).encode()
        if self.template and len(self.standings) == 1:
            _, remaining, reset_s, _ = self.standings[0]
            return (self.template % (remaining, reset_s, remaining, time.time() + reset_s)).encode()
        first = next((item for item in self.standings if item.retry_after), self.standings[0])
        counted = tuple(item.policy for item in self.standings)
        remainders = [number for item in self.standings for number in (item.remaining, item.reset_s)]
        numbers = (*remainders, first.remaining, time.time() + first.reset_s)
        return (template(self.policies, counted, first.policy) % numbers).encode()

    def headers(self) -> list[Header]:
        """Return the same headers one by one."""
        return [(name, value) for name, _, value in (line.partition(b": ") for line in self.lines().splitlines())]


@lru_cache(maxsize=1_000)
def _policy_line(policies: tuple[Policy, ...]) -> str:
    told = ", ".join(f'"{policy.name}";q={policy.limit};w={WINDOW_S}' for policy in policies if policy.limit)
    return f"{_POLICIES}: {told}\r\n" if told else ""


@lru_cache(maxsize=1_000)
def template(policies: tuple[Policy, ...], counted: tuple[Policy, ...], policy: Policy) -> str:
    """Return all lines, with places for the numbers that differ: what is left of each policy that counts, and of one.

    Every answer has them, and to write them one by one costs three times as much.
    """
    remainders = ", ".join(f'"{item.name}";r=%d;t=%d' for item in counted)
    lines = (f"{_REMAINDERS}: {remainders}", f"{_LIMIT}: {policy.limit}", f"{_REMAINING}: %d", f"{_RESET}: %d", "")
    return _policy_line(policies) + "\r\n".join(lines)


def told_limits() -> ToldLimits:
    """Return what is to be told of the request that this code serves."""
    request = served_request()
    return request if isinstance(request, ToldLimits) else ToldLimits()

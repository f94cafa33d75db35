"""Responses that are read within bounds, whatever a server sends.

The work is bounded before it is done: the bytes of a response before they are decompressed, and the values of its JSON
before they are parsed. Parsing blocks everything else in this process, so large responses are parsed one at a time.
"""

import json
import math
import zlib
from typing import Any, cast

import httpx

from domain.loop_share import loop_share

MOST_BYTES = 4 * 2**20
"""Of one response of a platform, decompressed. The largest that platforms send are pages of 100 posts, some hundred
kilobytes."""
MOST_BYTES_OF_STRANGERS = 512 * 2**10
"""The same of a server that an account, a client or another response names. The largest that such servers send are
pages of 20 statuses of Mastodon (`platforms.mastodon.listing`), of some 5 kB each."""
MOST_VALUES = 50_000
"""Brackets and commas of one response, those in its texts included. A post of any platform has some 150 fields, with
those of its author and its files, and a page has at most 100 posts. Parsing so many takes some 30 ms."""
ENCODING = "gzip"
"""The encodings that requests ask for; other encodings are not decompressed."""
OF_PLATFORM = "of_platform"
"""The extension of a response that is true if its host is the platform's own, or set by the operator."""

_JSON = "json"
"""The extension of a response that has been parsed."""
_GZIP = 16 + zlib.MAX_WBITS
_OF_THE_WIRE = {b"content-encoding", b"content-length", b"transfer-encoding"}


class AnswerTooLarge(httpx.TransportError):
    """Error: a response has more bytes or values than are read."""


async def read(response: httpx.Response, request: httpx.Request) -> httpx.Response:
    """Return a whole response, decompressed and parsed.

    Raises httpx.HTTPError: AnswerTooLarge, DecodingError for broken gzip.
    """
    most = MOST_BYTES if response.extensions.get(OF_PLATFORM) else MOST_BYTES_OF_STRANGERS
    packed = response.headers.get("content-encoding", "").strip().lower() in {ENCODING, "x-gzip"}
    unpacker = zlib.decompressobj(_GZIP) if packed else None
    body, received = bytearray(), 0
    try:
        async for piece in cast("httpx.AsyncByteStream", response.stream):
            received += len(piece)
            body += unpacker.decompress(piece, most + 1 - len(body)) if unpacker else piece
            if max(len(body), received) > most:
                raise AnswerTooLarge(f"more than {most} bytes")
    except zlib.error as error:
        raise httpx.DecodingError(str(error)) from error
    finally:
        await response.aclose()
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _OF_THE_WIRE]
    answer = httpx.Response(response.status_code, headers=headers, content=bytes(body), request=request)
    async with loop_share(len(body)):
        if _values(answer.content) > MOST_VALUES:
            raise AnswerTooLarge(f"more than {MOST_VALUES} values")
        answer.extensions[_JSON] = _parsed(answer.content)
    return answer


def parse(response: httpx.Response) -> Any:
    """Return a response's JSON; None if it has none. All of it can be stored: no NUL, lone surrogates or infinity.

    A response that `read` returned is not parsed again: all callers share its JSON and must not change it.
    """
    if _JSON not in response.extensions:
        within = _values(response.content) <= MOST_VALUES
        response.extensions[_JSON] = _parsed(response.content) if within else None
    return response.extensions[_JSON]


def _values(content: bytes) -> int:
    return len(content) - len(content.translate(None, b"[{,"))


def _parsed(content: bytes) -> Any:
    text = content.decode(errors="replace").removeprefix("\ufeff")
    try:
        answer = json.loads(text, parse_float=_finite, parse_constant=_refuse)
        return _storable(answer) if "\\u" in text or "\0" in text else answer
    except (ValueError, RecursionError):
        return None


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "").encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_storable(name): _storable(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_storable(member) for member in value]
    return value

"""Responses that are read within bounds, whatever a server sends."""

import json
import math
import zlib
from typing import Any, cast

import httpx

MOST_BYTES = 4 * 2**20
"""Of one response, decompressed. The largest that platforms send are pages of 100 posts, some hundred kilobytes."""
ENCODING = "gzip"
"""The encodings that requests ask for; other encodings are not decompressed."""

_GZIP = 16 + zlib.MAX_WBITS
_OF_THE_WIRE = {b"content-encoding", b"content-length", b"transfer-encoding"}


class AnswerTooLarge(httpx.TransportError):
    """Error: a response has more than MOST_BYTES."""


async def read(response: httpx.Response, request: httpx.Request) -> httpx.Response:
    """Return a whole response, decompressed. Raises httpx.HTTPError: AnswerTooLarge, DecodingError for broken gzip."""
    packed = response.headers.get("content-encoding", "").strip().lower() in {ENCODING, "x-gzip"}
    unpacker = zlib.decompressobj(_GZIP) if packed else None
    body, received = bytearray(), 0
    try:
        async for piece in cast("httpx.AsyncByteStream", response.stream):
            received += len(piece)
            body += unpacker.decompress(piece, MOST_BYTES + 1 - len(body)) if unpacker else piece
            if max(len(body), received) > MOST_BYTES:
                raise AnswerTooLarge(f"more than {MOST_BYTES} bytes")
    except zlib.error as error:
        raise httpx.DecodingError(str(error)) from error
    finally:
        await response.aclose()
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _OF_THE_WIRE]
    return httpx.Response(response.status_code, headers=headers, content=bytes(body), request=request)


def parse(response: httpx.Response) -> Any:
    """Return a response's JSON; None if it has none. All of it can be stored: no NUL, lone surrogates or infinity."""
    text = response.content.decode(errors="replace").removeprefix("\ufeff")
    try:
        found = json.loads(text, parse_float=_finite, parse_constant=_refuse)
        return _storable(found) if "\\u" in text or "\0" in text else found
    except (ValueError, RecursionError):
        return None


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _storable(found: Any) -> Any:
    if isinstance(found, str):
        return found.replace("\0", "").encode(errors="replace").decode()
    if isinstance(found, dict):
        return {_storable(name): _storable(value) for name, value in found.items()}
    if isinstance(found, list):
        return [_storable(each) for each in found]
    return found

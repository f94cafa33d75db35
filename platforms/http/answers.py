"""Responses that are read within bounds, whatever a server sends.

The work is bounded before it is done: the bytes of a response before they are decompressed, and the values of its JSON
before they are parsed. Parsing blocks everything else in this process, so large responses are parsed one at a time.
"""

import json
import math
import re
import zlib
from contextlib import suppress
from functools import reduce
from typing import Any, NamedTuple, cast

import httpx

from domain.loop_share import loop_share
from domain.printable import error_words

MOST_BYTES = 4 * 2**20
"""Of one response of a platform, decompressed. The largest that platforms send are pages of 100 posts, some hundred
kilobytes."""
MOST_BYTES_OF_STRANGERS = 512 * 2**10
"""The same of a server that an account, a client or another response names. The largest that such servers send are
pages of 20 statuses of Mastodon (`platforms.mastodon.lookup`), of some 5 kB each."""
MOST_VALUES = 50_000
"""Brackets and commas of one response, those in its texts included. A post of any platform has some 150 fields, with
those of its author and its files, and a page has at most 100 posts. Parsing so many takes some 30 ms."""
ENCODING = "gzip"
"""The encodings that requests ask for; other encodings are not decompressed."""
OF_PLATFORM = "of_platform"
"""The extension of a response that is true if its host is the platform's own, or set by the operator."""
LIST_AT = "list_at"
"""The extension of a request whose response is a list that may be read in part."""
_MOST_ITEMS = 1_000
"""Items that are read of a list that is cut, ten times the largest page: a text may have an item every three bytes."""
_FIRST_LOOK = 32 * 2**10
"""Bytes of a list before it is first looked whether enough of it has arrived, and then after each doubling."""

_JSON = "json"
"""The extension of a response that has been parsed."""
_GZIP = 16 + zlib.MAX_WBITS
_OF_THE_WIRE = {b"content-encoding", b"content-length", b"transfer-encoding"}


class AnswerTooLarge(httpx.TransportError):
    """Error: a response has more bytes or values than are read."""


class FirstItems(list[Any]):
    """The first items of a list; the rest of the response was not read. There is at least one."""


class ListAt(NamedTuple):
    """A list within a response: the names that lead to it, and after how many items the rest is not needed."""

    names: tuple[str, ...] = ()
    enough: int | None = None

    @property
    def most(self) -> int:
        """How many items are read at most if the list is cut: one more says that there are enough."""
        return _MOST_ITEMS if self.enough is None else self.enough + 1


async def read(response: httpx.Response, request: httpx.Request) -> httpx.Response:
    """Return a whole response, decompressed and parsed.

    If the request has the extension LIST_AT, and the list is larger than is read or has more items than are needed,
    the response has only its FirstItems. Raises httpx.HTTPError: AnswerTooLarge, DecodingError for broken gzip.
    """
    most = MOST_BYTES if response.extensions.get(OF_PLATFORM) else MOST_BYTES_OF_STRANGERS
    packed = response.headers.get("content-encoding", "").strip().lower() in {ENCODING, "x-gzip"}
    unpacker = zlib.decompressobj(_GZIP) if packed else None
    listed: ListAt | None = request.extensions.get(LIST_AT) if response.is_success else None
    body, received, look_at, is_whole = bytearray(), 0, _FIRST_LOOK, True
    try:
        async for piece in cast("httpx.AsyncByteStream", response.stream):
            received += len(piece)
            body += unpacker.decompress(piece, most + 1 - len(body)) if unpacker else piece
            if max(len(body), received) > most:
                is_whole = False
            elif listed and listed.enough is not None and len(body) >= look_at:
                look_at *= 2
                async with loop_share(len(body)):
                    is_whole = len(_first_items(body, listed)) <= listed.enough
            if not is_whole:
                break
    except zlib.error as error:
        raise httpx.DecodingError(error_words(error)) from error
    finally:
        await response.aclose()
    if not is_whole and not listed:
        raise AnswerTooLarge(f"more than {most} bytes")
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _OF_THE_WIRE]
    answer = httpx.Response(response.status_code, headers=headers, content=bytes(body[:most]), request=request)
    async with loop_share(len(body)):
        if is_whole and _values(answer.content) <= MOST_VALUES:
            answer.extensions[_JSON] = _parsed(answer.content)
        elif listed and (items := _first_items(body[:most], listed)):
            answer.extensions[_JSON] = reduce(
                lambda value, name: {name: value}, reversed(listed.names), cast("Any", items)
            )
        else:
            raise AnswerTooLarge(f"more than {most} bytes or {MOST_VALUES} values")
    return answer


def parse(response: httpx.Response) -> Any:
    """Return a response's JSON; None if it has none. All of it can be stored: no NUL, lone surrogates or infinity.

    A response that `read` returned is not parsed again: all callers share its JSON and must not change it.
    """
    if _JSON not in response.extensions:
        within = _values(response.content) <= MOST_VALUES
        response.extensions[_JSON] = _parsed(response.content) if within else None
    return response.extensions[_JSON]


def _values(content: bytes | bytearray) -> int:
    return len(content) - len(content.translate(None, b"[{,"))


def _parsed(content: bytes) -> Any:
    text = _text(content)
    try:
        return _storable(json.loads(text, parse_float=_finite, parse_constant=_refuse), text)
    except (ValueError, RecursionError):
        return None


def _text(content: bytes | bytearray) -> str:
    return content.decode(errors="replace").removeprefix("\ufeff")


def _first_items(content: bytes | bytearray, listed: ListAt) -> FirstItems:
    """Return the first whole items of a list in a JSON text that may end early; none if it is no such text."""
    while _values(content) > MOST_VALUES:
        content = content[: len(content) // 2]
    text, items, at = _text(content), list[Any](), 0
    # The text ends in an item, or in what precedes the list.
    with suppress(ValueError, RecursionError):
        for name in listed.names:
            _, at = _sign(text, at)
            while (member := _DECODER.raw_decode(text, at))[0] != name:
                _, at = _DECODER.raw_decode(text, _sign(text, member[1])[1])
                _, at = _sign(text, at)
            _, at = _sign(text, member[1])
        sign, at = _sign(text, at)
        while sign in {"[", ","} and len(items) < listed.most:
            item, at = _DECODER.raw_decode(text, at)
            sign, at = _sign(text, at)
            if sign:
                items.append(item)
    return FirstItems(_storable(items, text))


def _sign(text: str, at: int) -> tuple[str, int]:
    """Return the sign of a list or an object at a place, empty if there is none, and where the next value begins."""
    match = cast("re.Match[str]", _SIGN.match(text, at))
    return match[1], match.end()


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(digits)
    return number


def _refuse(constant: str) -> None:
    raise ValueError(constant)


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)
_SIGN = re.compile(r"[ \t\r\n]*([\[\]{},:]?)[ \t\r\n]*")


def _storable(value: Any, text: str) -> Any:
    """Return a value without what cannot be stored; `text` is what it was parsed from."""
    return _cleaned(value) if "\\u" in text or "\0" in text else value


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "").encode(errors="replace").decode()
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_cleaned(member) for member in value]
    return value

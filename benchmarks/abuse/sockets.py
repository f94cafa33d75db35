"""Connections that stay unfinished: endless heads, half requests, bodies that never arrive, and many together."""

from benchmarks.abuse.target import Tally, Target, repeat

_HEADS: tuple[tuple[bytes, ...], ...] = (
    (b"GET / HTTP/1.1\r\n", *([b"X: " + b"a" * 8_000 + b"\r\n"] * 20)),
    (b"GET / HTTP/1.1\r\nX: ", *([b"a" * 65_536] * 20)),
    (b"GET /?", *([b"a" * 65_536] * 20)),
    (b"GET / HTTP/1.1\r\n" + b"a" * 1_000_000,),
    (b"\x00\x01\x02 / HTTP/9.9\r\n\r\n",),
    (b"POST /v1/posts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n",),
    (b"POST /v1/posts HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 300_000),
    (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",),
    (b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: " + b"a" * 60_000 + b"\r\n\r\n",),
)
_HALVES = (
    b"",
    b"G",
    b"GET / HTTP/1.1\r\nX: a",
    b"POST /v1/posts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{",
)


async def hostile_heads(target: Target, number: int, tally: Tally) -> None:
    """Send heads that are too large or not HTTP."""

    async def attack(call_number: int) -> None:
        await target.raw(tally, *_HEADS[call_number % len(_HEADS)])

    await repeat(number, attack, together=16)


async def half_requests(target: Target, number: int, tally: Tally) -> None:
    """Begin requests and abandon them, many at the same time; the API drops an unfinished head after 10 seconds."""

    async def attack(call_number: int) -> None:
        await target.raw(tally, _HALVES[call_number % len(_HALVES)], within_s=20)

    await repeat(number, attack, together=number)

"""Bodies that are expensive to read: deep, wide, with repeated names, with texts that are expensive to count."""

import json
from typing import Any

from benchmarks.abuse.target import Tally, Target, repeat
from benchmarks.abuse.texts import NAMES, text

_JSON = {"Content-Type": "application/json"}
_MIB = 1024 * 1024
_PLATFORMS = ("twitter", "mastodon", "telegram", "bluesky", "threads", "instagram")

_RAW = (
    b"[" * (_MIB - 1),
    b'{"a":' * (_MIB // 5),
    b'{"a":' + b"1" * (_MIB - 6) + b"}",
    b'{"a":1e' + b"9" * (_MIB - 8) + b"}",
    b"{" + b",".join(b'"%d":0' % number for number in range(90_000)) + b"}",
    b"{" + b'"a":0,' * 150_000 + b'"a":0}',
    b'{"tags":["' + b'\\ud800","' * 15_000 + b'"]}',
    b"\xff" * _MIB,
    b'{"content":"' + b"x" * _MIB + b'"}',
    json.dumps({f"conten{number}": 0 for number in range(15_000)}).encode(),
    json.dumps({"mediaItems": [{"type": f"i{number}", "url": "htp:/"} for number in range(9_000)]}).encode(),
)


async def hostile_texts(target: Target, number: int, tally: Tally) -> None:
    """Send the most expensive texts for 100 targets: one text that all share, and texts of single targets."""

    async def attack(call_number: int) -> None:
        name, platform = NAMES[call_number % len(NAMES)], _PLATFORMS[call_number // len(NAMES) % len(_PLATFORMS)]
        own = call_number % 2
        size = 9_000 if own else (100_000, 25_000, 5_000)[call_number % 3]
        targets: list[dict[str, Any]] = [
            {"platform": platform, "accountId": f"a{place}"}
            | ({"customContent": f"{place} {text(name, size)}"} if own else {})
            for place in range(25 if own else 100)
        ]
        body = {"content": text(name, size), "platforms": targets, "publishNow": True}
        path = "/v1/posts/validate" if call_number % 5 else "/v1/posts"
        await target.call(tally, "POST", path, content=json.dumps(body, ensure_ascii=False).encode(), headers=_JSON)

    await repeat(number, attack)


async def hostile_json(target: Target, number: int, tally: Tally) -> None:
    """Send JSON that costs the most to read or to refuse."""

    async def attack(call_number: int) -> None:
        await target.call(tally, "POST", "/v1/posts", content=_RAW[call_number % len(_RAW)], headers=_JSON)

    await repeat(number, attack)

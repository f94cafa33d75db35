"""The most expensive reads: wrong keys, pages of the largest posts, forged cursors and filters."""

import base64
import json
import secrets

from benchmarks.abuse.target import Tally, Target, repeat

_CURSORS = (
    "a" * 60_000,
    "eyJpZCI6MX0",
    base64.urlsafe_b64encode(b"[" * 3_000).decode(),
    base64.urlsafe_b64encode(json.dumps({"id": "post_" + "z" * 64}).encode()).decode(),
    "\u0000",
    "' OR 1=1 --",
)
_QUERIES = (
    "limit=100&tag=none-has-it",
    "limit=100&accountId=none-has-it",
    "fromDate=0001-01-01&toDate=9999-12-31",
    "status=draft&platform=twitter&limit=100",
    "limit=99999999999999999999",
    "&".join(f"a{number}=b" for number in range(5_000)),
    "fromDate=" + "9" * 30_000,
)


async def wrong_keys(target: Target, number: int, tally: Tally) -> None:
    """Send wrong keys, of the right form and of other forms."""

    async def attack(call_number: int) -> None:
        keys = ("sk_" + secrets.token_urlsafe(32), "sk_" + "a" * 60_000, "sk_\u00e9", "?", secrets.token_hex(16))
        headers = {b"Authorization": f"Bearer {keys[call_number % len(keys)]}".encode()}
        answer = await target.strangers.get("/v1/posts", headers=headers)
        tally.statuses[str(answer.status_code)] += 1

    await repeat(number, attack, together=16)


async def large_pages(target: Target, number: int, tally: Tally) -> None:
    """Save the largest posts that the API accepts, and read them in pages of 100."""
    body = {"content": "x" * 90_000, "isDraft": True}
    body |= {"platforms": [{"platform": "twitter", "accountId": f"a{place}"} for place in range(30)]}
    for _ in range(min(10, number // 10 + 1)):
        await target.call(tally, "POST", "/v1/posts", json=body)

    async def attack(call_number: int) -> None:
        path = "/v1/posts?limit=100" if call_number % 4 == 0 else f"/v1/posts?{_QUERIES[call_number % len(_QUERIES)]}"
        await target.call(tally, "GET", path)

    await repeat(number, attack)


async def hostile_cursors(target: Target, number: int, tally: Tally) -> None:
    """Send cursors at which no page ends, to the list and to the attempts of posts that do not exist."""

    async def attack(call_number: int) -> None:
        path = "/v1/posts" if call_number % 2 else f"/v1/posts/post_{'0' * 32}/attempts"
        await target.call(tally, "GET", path, params={"cursor": _CURSORS[call_number % len(_CURSORS)]})

    await repeat(number, attack)

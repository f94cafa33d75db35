"""Bounds of requests: texts, bodies, pages, and the work that the worst of them may cause."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from api.http.body import MAX_BYTES, check_size, parse_object
from api.http.moments import now_ms
from api.posts.bodies.parse_post import read_create
from api.posts.bodies.platform_rules import collect_platform_problems
from benchmarks.abuse.texts import NAMES, text
from domain.errors import InvalidRequest
from domain.loop_share import LoopShare
from domain.workspaces import LARGEST_ANSWER, LARGEST_POST
from platforms.registry import platforms
from store.models import Attempt, ConnectedAccount
from tests.api.conftest import Client, problems
from tests.cpu import cpu_seconds
from tests.stack import Stack

MOST_S = 0.5
"""Seconds of one core. The most expensive body takes half of that on an idle one, and a third more on one that others
share; what grows with the square of a text takes many seconds."""
TARGETS = 100
ROOM = 980_000
"""Bytes for texts in a body, beside its targets."""
SHARE = 10
"""Without `--thorough`, one of so many of a body's targets and texts. The texts are as long: what grows with the square
of a text takes many seconds for each."""
COUNTERS = ("bluesky", "googlebusiness", "linkedin", "mastodon", "telegram", "threads", "twitter", "youtube")
"""A platform for each way to read a text. YouTube stands for those that count its characters and do no more."""
_NEEDED: dict[str, dict[str, Any]] = {
    "reddit": {"subreddit": "test"},
    "pinterest": {"boardId": "1"},
    "telegram": {"parseMode": "MarkdownV2"},
}


def cost(body: dict[str, Any]) -> float:
    """Return the seconds for reading and checking a body; twice, if it was long, because the machine may be busy."""
    raw = json.dumps(body, ensure_ascii=False).encode()
    assert len(raw) <= MAX_BYTES, len(raw)
    spent = cpu_seconds(lambda: handle(raw))
    return spent if spent < MOST_S / 2 else min(spent, cpu_seconds(lambda: handle(raw)))


def handle(raw: bytes) -> None:
    """Do everything that creating and validating do with a body before the first wait."""
    try:
        payload = parse_object(raw)
        check_size(payload)
        content = read_create(payload, now_ms()).content
    except InvalidRequest:
        return
    accounts = {target.account_id: account(target.account_id, target.platform) for target in content.targets[::2]}
    asyncio.run(collect_platform_problems(content, accounts, LoopShare(heavy=False)))


def account(account_id: str, platform: str) -> ConnectedAccount:
    limits = {"characters": 10**12} if platform == "mastodon" else {}
    return ConnectedAccount(
        workspace_id="w", id=account_id, platform=platform, user_id="", username="u", premium=True, limits=limits
    )


def platform_target(platform: str, number: int, **fields: Any) -> dict[str, Any]:
    settings = {**_NEEDED.get(platform, {}), **fields.pop("settings", {})}
    return {"platform": platform, "accountId": f"a{number}", "platformSpecificData": settings, **fields}


def bodies(name: str, platform: str, share: int) -> Iterator[dict[str, Any]]:
    """Yield bodies with a text that all targets share, with a text for each target, and with threads.

    `share`: one of so many of the targets and texts that fit in a body.
    """
    targets = TARGETS // share
    for size in (100_000, 5_000):
        number = min(TARGETS, ROOM // (width(name) * size)) // share or 1
        most = min(size, ROOM // width(name))
        yield body([platform_target(platform, n) for n in range(targets)], content=text(name, most))
        yield body([platform_target(platform, n, customContent=f"{n} {text(name, most - 4)}") for n in range(number)])
    if platform in {"twitter", "threads", "bluesky"}:
        size = min(20_000, ROOM // width(name) // 24)
        items = [{"content": f"{n} {text(name, size)}"} for n in range(24 // share)]
        yield body([platform_target(platform, 0, settings={"threadItems": items})], content="x")
        size = min(1_000, ROOM // width(name) // TARGETS // 4)
        items = [{"content": f"{n} {text(name, size)}"} for n in range(4)]
        threads = [platform_target(platform, n, settings={"threadItems": items}) for n in range(targets)]
        yield body(threads, content="x")


def body(targets: list[dict[str, Any]], **fields: Any) -> dict[str, Any]:
    return {"publishNow": True, "platforms": targets, **fields}


def width(name: str) -> int:
    """Return how many bytes of a body one of these characters may take."""
    return max(1, -(-len(json.dumps(text(name, 1000), ensure_ascii=False).encode()) // 1000))


@pytest.mark.parametrize("platform", COUNTERS)
def test_checking_the_worst_texts_is_bounded(platform: str, thorough: bool) -> None:
    for name in NAMES:
        for number, worst in enumerate(bodies(name, platform, 1 if thorough else SHARE)):
            assert cost(worst) < MOST_S, (name, number)


def test_checking_the_worst_texts_for_all_platforms_is_bounded() -> None:
    names = sorted(platforms())
    for name in NAMES:
        targets = [platform_target(names[n % len(names)], n) for n in range(TARGETS)]
        assert cost(body(targets, content=text(name, min(100_000, ROOM // width(name))))) < MOST_S, name


def flood(**fields: Any) -> dict[str, Any]:
    return {"publishNow": True, "content": "x", **fields}


FLOODS: dict[str, dict[str, Any]] = {
    "unknown fields": {f"f{n}": 0 for n in range(80_000)},
    "long unknown fields": {f"{n}{'contant' * 30}": 0 for n in range(4_000)},
    "fields that are nearly known": {f"mediaItem{n}": 0 for n in range(15_000)},
    "a name of dots": {"." * 500_000: {str(n): "\0" for n in range(100)}},
    "values": flood(platforms=[0] * 300_000),
    "targets": flood(platforms=[platform_target("twitter", n) for n in range(8_000)]),
    "targets of no platform": flood(platforms=[{"platform": f"twiter{n}", "accountId": "a"} for n in range(TARGETS)]),
    "targets with unknown fields": flood(
        platforms=[{**platform_target("twitter", n), **{f"contet{m}": 0 for m in range(190)}} for n in range(TARGETS)]
    ),
    "unknown settings": flood(
        platforms=[
            platform_target("twitter", n, settings={f"threadItm{m}": 0 for m in range(190)}) for n in range(TARGETS)
        ]
    ),
    "wrong settings": flood(
        platforms=[
            platform_target("twitter", n, settings={"threadItems": [{"content": 0}] * 24}) for n in range(TARGETS)
        ]
    ),
    "root settings": flood(
        tiktokSettings={f"privacyLevl{n}": 0 for n in range(800)},
        platforms=[platform_target("tiktok", n) for n in range(TARGETS)],
    ),
    "long root settings": flood(
        tiktokSettings={"description": "\u4e2d" * 15_000},
        platforms=[platform_target("tiktok", n) for n in range(TARGETS)],
    ),
    "root settings full of values": flood(
        tiktokSettings={"draft": [0] * 7_000}, platforms=[platform_target("tiktok", n) for n in range(TARGETS)]
    ),
    "media": flood(
        platforms=[
            platform_target("twitter", n, customMedia=[{"type": "image", "url": "https://a.example/"}] * 60)
            for n in range(TARGETS)
        ]
    ),
    "media of no kind": flood(mediaItems=[{"type": f"imag{n}", "url": f"htp:/{n}"} for n in range(9_000)]),
    "addresses": flood(mediaItems=[{"type": "image", "url": "https://" + "[" * 2_000} for _ in range(100)]),
    "tags": flood(tags=[" " * 250] * 3_000),
    "time zones": flood(timezone="Amerika/New_Yrok" * 4),
    "embeds": flood(
        platforms=[
            platform_target("discord", n, settings={"embeds": [{"description": "x" * 4_096, "fields": []}] * 2})
            for n in range(TARGETS)
        ]
    ),
    "alternative texts": flood(
        mediaItems=[{"type": "image", "url": "https://a.example/", "altText": "x" * 9_000}] * 100,
        platforms=[platform_target("mastodon", n) for n in range(TARGETS)],
    ),
    "a warning": flood(
        platforms=[
            platform_target("mastodon", n, settings={"spoilerText": f"{n}{'@a.' * 3_000}"}) for n in range(TARGETS)
        ]
    ),
}


@pytest.mark.parametrize("name", FLOODS)
def test_refusing_floods_is_bounded(name: str) -> None:
    assert cost(FLOODS[name]) < MOST_S


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * MAX_BYTES,
        b'{"a":' * (MAX_BYTES // 5),
        b'{"a":' + b"1" * (MAX_BYTES - 6) + b"}",
        b'{"a":1.' + b"1" * (MAX_BYTES - 8) + b"}",
        b'{"a":1e' + b"9" * (MAX_BYTES - 8) + b"}",
        b'{"a":"' + b"\\u0000" * (MAX_BYTES // 6 - 2) + b'"}',
        b"{" + b",".join(b'"%d":0' % n for n in range(90_000)) + b"}",
        b"{" + b'"a":0,' * 150_000 + b'"a":0}',
        b'{"tags":["' + b'\\ud800","' * 15_000 + b'"]}',
        b" " * MAX_BYTES,
        b"\xff" * MAX_BYTES,
    ],
    ids=[
        "lists",
        "objects",
        "digits",
        "decimals",
        "exponent",
        "escapes",
        "names",
        "same names",
        "halves of characters",
        "spaces",
        "no text",
    ],
)
def test_refusing_hostile_json_is_bounded(raw: bytes) -> None:
    assert len(raw) <= MAX_BYTES
    assert cpu_seconds(lambda: handle(raw)) < MOST_S


LONG = "x" * 100_001
MEDIA = {"type": "image", "url": "https://example.com/photo.jpg"}


def target(number: int = 0, **fields: Any) -> dict[str, Any]:
    return {"platform": "twitter", "accountId": f"tw_{number}", **fields}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"content": LONG}, "content"),
        ({"mediaItems": [{**MEDIA, "altText": LONG}]}, "mediaItems.0.altText"),
        ({"platforms": [target(customContent=LONG)]}, "platforms.0.customContent"),
        ({"platforms": [target(customMedia=[{**MEDIA, "altText": LONG}])]}, "platforms.0.customMedia.0.altText"),
        (
            {"platforms": [target(platformSpecificData={"threadItems": [{"content": LONG}]})]},
            "platforms.0.platformSpecificData.threadItems.0.content",
        ),
    ],
)
async def test_a_text_has_at_most_100_000_characters(stranger: Client, fields: dict[str, Any], param: str) -> None:
    response = await stranger.send_post({"content": "x", "isDraft": True, **fields})
    assert response.status_code == 400
    sentence = f"{param} may be at most 100,000 characters long"
    (problem,) = problems(response)
    assert problem.items() >= {"error": sentence, "code": "invalid_field_value", "param": param}.items()
    assert ("platform" in problem) == param.startswith("platforms.")


async def test_the_text_of_an_edit_too(stranger: Client) -> None:
    response = await stranger.post(f"/v1/posts/post_{'0' * 32}/edit", json={"content": LONG})
    assert (response.status_code, response.json()["param"]) == (400, "content")


async def test_root_settings_have_at_most_16_000_characters(stranger: Client) -> None:
    response = await stranger.send_post({"content": "x", "tiktokSettings": {"description": "x" * 16_001}})
    assert response.status_code == 400
    assert response.json()["error"] == "tiktokSettings may be at most 16,000 characters of JSON"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"tags": [0] * 20_001}, "The body holds more than 20,000 values"),
        ({"x" * 256: 0}, "The body holds a name of more than 255 characters"),
    ],
)
async def test_body_size_is_limited(stranger: Client, body: dict[str, Any], sentence: str) -> None:
    response = await stranger.send_post(body)
    assert (response.status_code, response.json()["code"], response.json()["error"]) == (400, "invalid_json", sentence)


@pytest.mark.parametrize(
    "settings",
    [
        {"threadItems": [{"content": "x", "mediaItems": [MEDIA] * 34}]},
        {"thread_items": [{"media_items": [MEDIA] * 34}]},
    ],
)
async def test_a_post_has_at_most_1_000_media(stranger: Client, settings: dict[str, Any]) -> None:
    targets = [target(n, customMedia=[MEDIA] * 33) for n in range(30)]
    sound = {"content": "x", "isDraft": True, "mediaItems": [MEDIA] * 10, "platforms": targets}
    assert (await stranger.send_post(sound)).status_code == 201
    for more in ({"mediaItems": [MEDIA] * 11}, {"platforms": [*targets, target(30, platformSpecificData=settings)]}):
        response = await stranger.send_post({**sound, **more})
        assert (response.status_code, response.json()["param"]) == (400, "mediaItems")
        assert response.json()["error"].startswith("A post may hold at most 1,000 media items")


async def test_a_text_that_is_far_too_long_is_not_counted(stranger: Client) -> None:
    body = {"content": "x" * 100_000, "platforms": [{"platform": "mastodon", "accountId": "m"}], "publishNow": True}
    response = await stranger.send_post(body)
    assert response.status_code == 422
    assert problems(response)[0]["error"] == (
        "Mastodon allows 500 characters; this has 100,000 characters, more than can be counted"
    )


async def test_total_text_length_is_limited(stranger: Client) -> None:
    targets = [target(n, customContent=f"{n} {'x' * 24_000}") for n in range(9)]
    response = await stranger.send_post({"platforms": targets, "publishNow": True})
    assert response.status_code == 422
    assert problems(response)[0]["param"] == "content"
    assert "may have 200,000 characters in all" in problems(response)[0]["error"]
    fitting = await stranger.send_post({"platforms": targets[:8], "publishNow": True})
    assert {problem["code"] for problem in problems(fitting)} == {"account_not_found"}


def small(number: int) -> list[dict[str, Any]]:
    return [target(n) for n in range(number)]


async def test_a_post_is_no_larger_than_its_answers_may_be(stranger: Client) -> None:
    body = {"content": "\u4e2d" * 50_000, "isDraft": True}
    fitting = await stranger.send_post({**body, "platforms": small(15)})
    assert fitting.status_code == 201
    assert len(fitting.content) <= LARGEST_POST
    response = await stranger.send_post({**body, "platforms": small(25)})
    assert (response.status_code, response.json()["param"]) == (400, "content")
    assert response.json()["error"].startswith("The post would be larger than 3 MiB")
    changed = await stranger.patch(f"/v1/posts/{fitting.json()['id']}", json={"platforms": small(25)})
    assert (changed.status_code, changed.json()["param"]) == (400, "content")
    assert (await stranger.post("/v1/posts/validate", json={**body, "platforms": small(25)})).json()["valid"] is False


async def test_a_page_ends_before_it_is_too_large(stranger: Client) -> None:
    body = {"content": "x" * 90_000, "isDraft": True, "platforms": small(20)}
    ids = [(await stranger.send_post(body)).json()["id"] for _ in range(5)]
    seen: list[str] = []
    query = "?limit=100"
    while True:
        response = await stranger.get(f"/v1/posts{query}")
        assert len(response.content) <= LARGEST_ANSWER
        page = response.json()
        assert page["posts"]
        seen += [post["id"] for post in page["posts"]]
        if not page["hasMore"]:
            break
        assert len(page["posts"]) < 5
        query = f"?limit=100&cursor={page['cursor']}"
    assert page["cursor"] is None
    assert seen == ids[::-1]


async def test_attempts_come_in_pages(api: Client, stack: Stack) -> None:
    post = await stack.save("tried often", [stack.accounts["twitter"]], due_in=timedelta(hours=1))
    tried = Attempt(target_id=post.targets[0].id, step="confirm", state="done", started_at=post.created_at)
    names = ("target_id", "step", "state", "started_at")
    async with stack.database.transaction() as session:
        await session.execute(insert(Attempt), [{name: getattr(tried, name) for name in names}] * 150)
    path = f"/v1/posts/{post.id}/attempts"
    first = (await api.get(path)).json()
    assert (len(first["attempts"]), first["hasMore"]) == (100, True)
    rest = (await api.get(f"{path}?cursor={first['cursor']}")).json()
    assert (len(rest["attempts"]), rest["hasMore"], rest["cursor"]) == (50, False, None)
    assert len((await api.get(f"{path}?limit=7")).json()["attempts"]) == 7
    for query in ("limit=0", "limit=101", "cursor=x", "cursor=eyJpZCI6InBvc3RfMCJ9", f"cursor={'a' * 5000}"):
        assert (await api.get(f"{path}?{query}")).status_code == 400

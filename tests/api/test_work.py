"""The work of requests whose numbers, lists and stored objects are at their bounds together.

One field at a time finds nothing: a rule costs by its positions and its weekdays, a request for many posts by the
queue that they name, that queue by its blackouts and the posts in its slots.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from litestar import Litestar

from platforms.registry import platforms
from store.models import Series
from store.rows import lock_row
from store.series.planning import plan_series
from tests.api.bounds import Bounds, Operation, operations, repaired
from tests.api.conftest import make_client, read_answer
from tests.pieces import LONGEST_S, Pieces, measured_pieces
from tests.stack import Stack
from tests.workspaces import end_workflows

MOST_S = 1.0
"""Seconds of one core that a request may take in all."""
MOST_WAIT_S = 0.25
"""Seconds of one core that may be spent while another workspace's small request is under way."""
WEEK = ["mo", "tu", "we", "th", "fr", "sa", "su"]
LEFT_OUT = (
    "POST /v1/media",
    "PUT /v1/media",
    "DELETE /v1/media",
    "GET /v1/media/",
    "GET /v1/connect/{platform}",
    "POST /v1/connect",
    "POST /v1/webhooks/settings/{webhookId}/test",
    "GET /v1/accounts/{platform}/{accountId}/choices",
    "GET /v1/accounts/{platform}/{accountId}/health",
    "DELETE /v1/accounts",
    "GET /healthz",
    "GET /readyz",
    "GET /statusz",
)
"""Operations whose work is that of a bucket or of a third party, and those of the process's health."""
ATTEMPTS = 8
"""How often a request is repaired until its fields fit together."""


def day(ahead: int) -> str:
    return f"{datetime.now(UTC) + timedelta(days=ahead):%Y-%m-%d}"


@dataclass(slots=True)
class Loaded:
    """A workspace whose stored objects are at their bounds, and a bystander in another."""

    api: httpx.AsyncClient
    bystander: httpx.AsyncClient
    accounts: list[dict[str, str]]
    stored: dict[str, list[str]]

    async def measure(self, method: str, path: str, query: Any = None, body: Any = None) -> tuple[Any, Pieces, float]:
        """Send a request; return its response, the work, and the longest that the bystander waited for the loop."""
        before_all = time.thread_time()
        await self.bystander.get("/v1/queues")
        alone, waits = time.thread_time() - before_all, [0.0]
        headers = {"Idempotency-Key": f"bounds-{random.getrandbits(64)}"}
        with measured_pieces() as pieces:

            async def stand_by() -> None:
                while True:
                    before = pieces.total
                    await self.bystander.get("/v1/queues")
                    waits.append(pieces.total - before)
                    await asyncio.sleep(0.01)

            standing = asyncio.create_task(stand_by())
            await asyncio.sleep(0)
            response = await self.api.request(method, path, params=query, json=body, headers=headers)
            standing.cancel()
            with suppress(asyncio.CancelledError):
                await standing
        pieces.total -= alone * len(waits)
        return response, pieces, max(waits)


@pytest.fixture
async def loaded(app: Litestar, stack: Stack) -> AsyncIterator[Loaded]:
    workspace_id, key = await stack.new_workspace()
    _, other_key = await stack.new_workspace()
    accounts = []
    for name in sorted(platforms()):
        account = await stack.connect(name, workspace_id=workspace_id)
        accounts.append({"platform": name, "accountId": account.id})
    async with make_client(app, key) as api, make_client(app, other_key) as bystander:
        for client in (api, bystander):
            # The comparison of answers with the document is the tests' work.
            client.event_hooks = {}
        full = Loaded(api, bystander, accounts, {})
        await _fill(full, stack, workspace_id)
        yield full
    # Ten thousand posts would slow down every other test of this process.
    await end_workflows(stack, workspace_id)
    await stack.database.rows("DELETE FROM posts WHERE workspace_id = $1", workspace_id)


async def _fill(loaded: Loaded, stack: Stack, workspace_id: str) -> None:
    """Store a campaign, two queues, a series and posts."""
    api, accounts = loaded.api, loaded.accounts
    blackouts = [{"from": day(9 * at), "to": day(9 * at + 7)} for at in range(200)]
    campaign = {"name": "many blackouts", "timezone": "Europe/Berlin", "blackouts": blackouts}
    campaign_id = (await _create(api, "/v1/campaigns", campaign))["id"]
    slots = [{"days": WEEK, "time": f"{hour:02}:{minute:02}"} for hour in range(14) for minute in (0, 30)]
    queue = {"timezone": "Europe/Berlin", "slots": slots}
    closed = [{"from": day(-1), "to": day(400)}]
    queue_ids = [
        (await _create(api, "/v1/queues", {**queue, "name": "closed", "blackouts": closed, "accounts": accounts[::2]}))[
            "id"
        ],
        (await _create(api, "/v1/queues", {**queue, "name": "full", "accounts": accounts[1::2]}))["id"],
    ]
    post = {"content": "word", "platforms": [accounts[1]], "queue": queue_ids[1]}
    first = await _create(api, "/v1/posts", post)
    await stack.database.rows(_TAKE_ALL_SLOTS, first["id"])
    drafts = [
        {"content": f"draft {at}", "isDraft": True, "platforms": accounts, "externalId": f"{at}"} for at in range(100)
    ]
    created = read_answer(await api.post("/v1/posts/bulk", json={"posts": drafts}))
    times = [f"{hour:02}:00" for hour in range(24)]
    series = {
        "name": "24 a day",
        "timezone": "Europe/Berlin",
        "start": f"{day(-300)}T00:00:00",
        "recurrence": {"frequency": "daily", "times": times},
        "exclude": [f"{day(2 + at // 24)}T{at % 24:02}:00:00" for at in range(500)],
        # Those that need no media.
        "post": {"platforms": [one for one in accounts if one["platform"] in _TEXT_ONLY]},
        "variations": [{"content": f"{at} " + "word " * 40} for at in range(50)],
    }
    series_ids = [(await _create(api, "/v1/series", {**series, "name": f"{at}"}))["id"] for at in range(2)]
    for series_id in series_ids:
        missing = 1
        while missing:
            async with stack.database.transaction() as session:
                row = await lock_row(session, Series, workspace_id, series_id)
                assert row is not None
                missing = (await plan_series(session, row, datetime.now(UTC))).missing
    post_ids = [item["id"] for item in created["results"]]
    loaded.stored |= {"campaignId": [campaign_id], "seriesId": series_ids, "queueId": queue_ids}
    loaded.stored |= {"queue": ["next", *queue_ids], "postId": post_ids, "id": post_ids, "postIds": post_ids}
    loaded.stored |= {"accountId": [accounts[0]["accountId"]], "platform": [accounts[0]["platform"]]}
    webhook = {"url": "https://hooks.example.com/", "events": ["post.published"]}
    rows = [{**draft, "externalId": f"row {at}"} for at, draft in enumerate(drafts)]
    bodies = {
        "viewId": ("/v1/calendar/views", {"name": "view"}),
        "importId": ("/v1/imports", {"posts": rows}),
        "webhookId": ("/v1/webhooks/settings", webhook),
        "keyId": ("/v1/api-keys", {"name": "key"}),
        "pauseId": ("/v1/pauses", {"scope": "account", **accounts[2], "reason": "audit"}),
    }
    for name, (path, body) in bodies.items():
        loaded.stored[name] = [(await _create(api, path, body))["id"]]


_TEXT_ONLY = ("bluesky", "discord", "linkedin", "mastodon", "telegram", "threads", "twitter")
_TAKE_ALL_SLOTS = """
INSERT INTO posts SELECT (jsonb_populate_record(posts, jsonb_build_object(
  'id', 'post_' || md5(at::text || posts.id), 'workflow_id', posts.workflow_id || at::text,
  'scheduled_wall', to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS'), 'scheduled_for', at AT TIME ZONE 'Europe/Berlin',
  'due_at', at AT TIME ZONE 'Europe/Berlin', 'external_id', null
))).* FROM posts, generate_series(now()::date, now()::date + 367, interval '30 minutes') AS at
WHERE posts.id = $1 AND at::time < time '14:00' ON CONFLICT DO NOTHING
"""


async def _create(api: httpx.AsyncClient, path: str, body: Any) -> Any:
    return read_answer(await api.post(path, json=body, headers={"Idempotency-Key": path + str(body.get("name"))}), 201)


MEANT: list[tuple[str, str, Any]] = [
    (
        "POST",
        "/v1/series/preview",
        {
            "timezone": "UTC",
            "start": f"{day(1)}T09:00:00",
            "recurrence": {"frequency": "monthly", "byDay": WEEK, "bySetPosition": [*range(60, 160)]},
        },
    ),
    ("POST", "/v1/posts/bulk/validate", {"posts": [{"content": "x", "queue": "next"}] * 100}),
    ("POST", "/v1/posts/bulk", {"posts": [{"content": "x", "queue": "next"}] * 100}),
]
"""Requests that once took seconds; the posts get an account of the queue that is closed, then of the full one."""


@pytest.mark.timeout(110)
async def test_requests_that_once_took_seconds_are_done_in_short_pieces(loaded: Loaded) -> None:
    for method, path, body in MEANT:
        for place in (0, 1) if "posts" in body else (0,):
            posts = [
                post | {"platforms": [loaded.accounts[place]], "externalId": f"{path}{place}-{at}"}
                for at, post in enumerate(body.get("posts", []))
            ]
            await _check(loaded, method, path, None, {**body, "posts": posts} if posts else body)
    moved = {"frequency": "daily", "times": [f"{hour:02}:30" for hour in range(24)]}
    linked = [f"a{at}" for at in range(100)]
    starred = {"content": "*" * 5_000, "platforms": [{"platform": "linkedin", "accountId": name} for name in linked]}
    response = await _check(loaded, "POST", "/v1/posts", None, {**starred, "scheduledFor": f"{day(1)}T09:00:00Z"})
    assert response.status_code == 422, response.text
    thread = [{"content": f"{at} https://a.com/{'(a' * 10_000}"[:20_000]} for at in range(24)]
    threaded = {"platform": "twitter", "accountId": "a", "platformSpecificData": {"threadItems": thread}}
    long = {"content": "x", "platforms": [threaded], "scheduledFor": f"{day(1)}T09:00:00Z"}
    response = await _check(loaded, "POST", "/v1/posts", None, long)
    assert "too long to be checked" in response.text
    response = await _check(
        loaded, "PATCH", f"/v1/posts/{loaded.stored['postId'][0]}", None, {**long, "isDraft": False}
    )
    assert "too long to be checked" in response.text
    for series_id in loaded.stored["seriesId"][:1]:
        for change in ({"exclude": [f"{day(3 * at)}T09:00:00" for at in range(1, 500)]}, {"recurrence": moved}):
            response = await _check(loaded, "PATCH", f"/v1/series/{series_id}", None, change)
            assert response.status_code == 200, response.text
        await _check(loaded, "DELETE", f"/v1/series/{series_id}", {"posts": "delete"}, None)


async def _check(loaded: Loaded, method: str, path: str, query: Any, body: Any) -> Any:
    response, pieces, wait = await loaded.measure(method, path, query, body)
    facts = (method, path, str(query)[:200], str(body)[:400], response.status_code, pieces, wait)
    assert response.status_code < 500, (facts, response.text)
    assert pieces.longest < LONGEST_S, facts
    assert pieces.total < MOST_S, facts
    assert wait < MOST_WAIT_S, facts
    return response


def _included(operation: Operation) -> bool:
    return not operation.name.startswith(LEFT_OUT)


@pytest.mark.timeout(400)
async def test_requests_at_their_bounds_are_done_in_short_pieces(loaded: Loaded, thorough: bool) -> None:
    """Each operation with fields chosen by chance; what an answer finds wrong is left out, and it is asked again."""
    for operation in filter(_included, operations()):
        fields = 1 + len(operation.parameters) + len(str(operation.schema or "")) // 40
        for seed in range(min(fields, 4) if thorough else 1):
            bounds = Bounds(random.Random(f"{operation.name} {seed}"), loaded.stored, loaded.accounts)
            path, query, body = bounds.request(operation)
            for _ in range(ATTEMPTS):
                response = await _check(loaded, operation.method, path, query, body)
                if not repaired(body, response, bounds.chance):
                    break


def test_every_id_in_a_path_names_a_stored_object() -> None:
    names = {
        parameter["name"]
        for operation in filter(_included, operations())
        for parameter in operation.parameters
        if parameter["in"] == "path"
    }
    assert names <= {
        *("campaignId", "seriesId", "queueId", "postId", "viewId", "importId", "webhookId", "keyId", "pauseId"),
        *("platform", "accountId"),
    }

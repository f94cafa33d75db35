"""The events of a stack under proof: each result has one, and an endpoint gets each, whatever is killed or put back.

The endpoint runs in this process, so it is never killed. A restore of the database may take events away that were
delivered; what the database has at the end is complete.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from standardwebhooks import Webhook, WebhookVerificationError

from benchmarks.proof.product import Product
from benchmarks.receiver import receiving
from benchmarks.waiting import eventually

_DELIVERED_WITHIN_S = 180.0
"""A claim of a killed worker lasts for a minute, and probes of an endpoint that failed come after 30 s and a minute."""
_TARGETS = """
SELECT targets.id, status, last.type AS last, coalesce(counted.published, 0) AS published
FROM targets
LEFT JOIN LATERAL (
  SELECT type FROM events
  WHERE post_id = targets.post_id AND data ->> 'platform' = platform AND data ->> 'accountId' = account_id
    AND type IN ('post.published', 'post.failed', 'post.unconfirmed', 'post.held')
  ORDER BY events.id DESC LIMIT 1
) AS last ON true
LEFT JOIN LATERAL (
  SELECT count(*) AS published FROM events
  WHERE post_id = targets.post_id AND data ->> 'platform' = platform AND data ->> 'accountId' = account_id
    AND type = 'post.published'
) AS counted ON true
WHERE status IN ('published', 'failed', 'unconfirmed')
"""
_ALONE = """
SELECT post_id FROM events AS completed WHERE type = 'post.completed' AND NOT EXISTS (
  SELECT FROM events AS result WHERE result.post_id = completed.post_id AND result.xid = completed.xid
    AND result.type IN ('post.published', 'post.failed', 'post.unconfirmed')
)
"""
"""The posts that came to rest by another transaction than the result of a target."""
_EVENTS = "SELECT id FROM events WHERE type <> 'post.scheduled'"
_WAITING = """
SELECT (SELECT count(*) FROM deliveries WHERE state = 'waiting') + (
  SELECT count(*) FROM delivery_progress JOIN events ON xid >= low
  WHERE type NOT IN ('post.scheduled', 'webhook.test')
    AND NOT EXISTS (SELECT FROM deliveries WHERE event_id = events.id)
) AS number
"""
"""What waits, and events of which no worker has made deliveries yet."""


@dataclass(slots=True)
class Events:
    """The events of one stack: what its rows say, and what the endpoint got."""

    targets: int = 0
    """Targets that have come to rest."""
    events: int = 0
    requests: int = 0
    faults: list[str] = field(default_factory=list)

    def __add__(self, other: "Events") -> "Events":
        return Events(
            self.targets + other.targets,
            self.events + other.events,
            self.requests + other.requests,
            self.faults + other.faults,
        )

    def __str__(self) -> str:
        return (
            f"{self.events} events of {self.targets} targets at rest, delivered by {self.requests} requests: "
            f"missing, repeated or not delivered {len(self.faults)} (V)"
        )


class EndpointUnderProof:
    """An endpoint that gets all events of a stack."""

    def __init__(self) -> None:
        self.events = Events()
        self._bodies: dict[str, set[bytes]] = defaultdict(set)
        self._verifier: Webhook | None = None

    def take(self, headers: Mapping[str, str], body: bytes) -> None:
        """Keep a request."""
        self.events.requests += 1
        self._bodies[headers["webhook-id"]].add(body)
        if self._verifier is not None:
            try:
                self._verifier.verify(body, dict(headers))
            except WebhookVerificationError as error:
                self.events.faults.append(f"{headers['webhook-id']} has a wrong signature: {error}")

    async def create(self, product: Product, port: int) -> None:
        """Create the endpoint."""
        settings = {"url": f"http://127.0.0.1:{port}/", "events": ["*"]}
        response = await product.api.post("/v1/webhooks/settings", json=settings)
        response.raise_for_status()
        self._verifier = Webhook(response.json()["secret"])

    async def compare(self, product: Product) -> None:
        """Compare what the endpoint got with the rows, once nothing waits to be delivered."""

        async def nothing_waits() -> bool:
            return not await self._count_waiting(product)

        await eventually(nothing_waits, _DELIVERED_WITHIN_S, 1)
        waiting = await self._count_waiting(product)
        event_ids = {row["id"] for row in await product.rows(_EVENTS)}
        targets = await product.rows(_TARGETS)
        self.events.targets, self.events.events = len(targets), len(event_ids)
        self.events.faults += [
            f"{row['id']} is {row['status']}: its last event is {row['last']}, {row['published']} are post.published"
            for row in targets
            if row["last"] != f"post.{row['status']}" or row["published"] != (row["status"] == "published")
        ]
        alone = [row["post_id"] for row in await product.rows(_ALONE)]
        self.events.faults += [f"{post_id} was completed by a transaction without a result" for post_id in alone]
        self.events.faults += [f"{event_id} was not delivered" for event_id in sorted(event_ids - self._bodies.keys())]
        several = [event_id for event_id, bodies in self._bodies.items() if len(bodies) > 1]
        self.events.faults += [f"{event_id} was delivered with several bodies" for event_id in several]
        if waiting:
            self.events.faults.append(f"{waiting} deliveries wait")

    async def _count_waiting(self, product: Product) -> int:
        (row,) = await product.rows(_WAITING)
        return int(row["number"])


@asynccontextmanager
async def endpoint_under_proof(product: Product, port: int) -> AsyncIterator[EndpointUnderProof]:
    """Create an endpoint for all events of a stack and serve it."""
    endpoint = EndpointUnderProof()
    async with receiving(port, endpoint.take):
        await endpoint.create(product, port)
        yield endpoint

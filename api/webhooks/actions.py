"""The creation, change and test of endpoints, once for an Idempotency-Key.

The API looks up no host name of an endpoint and connects to none.
"""

import hmac
import json
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.http.body import JsonObject
from api.http.suggest import did_you_mean
from api.posts.answers.rendering import Answer
from api.posts.once import complete, once, take_key
from api.webhooks.schemas import EVENT_NAMES, NewWebhookView, TestView, WebhookBody, WebhookChangeBody, WebhookView
from domain.errors import Conflict, InvalidRequest, NotFound, Problem, Unavailable, Unprocessable
from domain.ids import new_id
from domain.schedule import rfc3339
from domain.webhooks import MOST_ENDPOINTS, DeliveryState, derive_secret, is_secret, new_secret
from media.local_hosts import LocalHosts, readable_url
from store.models import Webhook
from store.posts.idempotency import KeyedRequest
from store.webhooks.endpoints import (
    NewEndpoint,
    SealedSecret,
    add_test,
    change_endpoint,
    count_waiting,
    create_endpoint,
    delivery_outcome,
    find_endpoint,
    rotate_secret,
    seal_secret,
    switched,
)

_WHOLE_URL = "must be a whole address, such as https://hooks.example.com/socialsyncer"
NOT_FOUND = Problem("There is no such webhook", "not_found")
_NO_WORKER = Problem("No worker has started yet, so no secret can be handed to it. Please try again", "unavailable")
_TOO_MANY = Problem(f"This workspace has {MOST_ENDPOINTS} webhooks already; delete one", "too_many_webhooks")
_NO_SECRET = Problem("secret must be whsec_ and 24 to 64 bytes in base64", "invalid_field_value", "secret")


DELETED = Problem("The webhook of this Idempotency-Key was deleted; a new request needs a new key", "conflict")
_OTHER_CALLER = Problem(
    "The secret is for the API key of the first request alone: repeat it with that key, or replace the secret",
    "conflict",
)


@dataclass(frozen=True, slots=True)
class DoneRequest:
    """The effect of a request: on which webhook, and what its answer has besides the webhook's row."""

    webhook_id: str
    result: JsonObject
    is_replay: bool = False


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A client's request to change something. `keyed` names the use of its Idempotency-Key; None without a key.

    No secret is stored where the API could read it. A request with an Idempotency-Key makes its secret of the caller's
    API key and of a random text, and only the text is stored, as long as the Idempotency-Key is valid. So a repeat of
    the request makes the same secret again, and neither the database nor the API key alone is enough for it.
    """

    deps: Dependencies
    workspace_id: str
    api_key: str = field(repr=False)
    keyed: KeyedRequest | None

    async def do_once(self, webhook_id: str, change: Callable[[AsyncSession], Awaitable[JsonObject]]) -> DoneRequest:
        """Do a change, unless a request with this key has done it, and keep its result in the same transaction.

        Raises IdempotencyKeyReused, TooManyRequests, Unavailable, and what `change` raises.
        """

        async def work() -> Answer:
            async with self.deps.database.transaction() as session:
                await take_key(session, self.keyed, webhook_id)
                done = json.dumps([webhook_id, await change(session)])
                return await complete(session, self.keyed, Answer(200, done.encode()))

        answer = await once(self.deps, self.keyed, webhook_id, work)
        webhook_id, result = json.loads(answer.body)
        return DoneRequest(webhook_id, result, answer.replayed)

    def new_secret(self) -> tuple[str, JsonObject]:
        """Return a secret, and what a repeat needs to make it again."""
        if self.keyed is None:
            return new_secret(), {}
        seed = secrets.token_hex(32)
        secret = derive_secret(self.api_key, seed)
        return secret, {"seed": seed, "secretSha256": sha256(secret.encode()).hexdigest()}

    def secret(self, result: JsonObject) -> str:
        """Return the secret that a request with this key has made. Raises Conflict."""
        secret = derive_secret(self.api_key, result["seed"])
        if not hmac.compare_digest(sha256(secret.encode()).hexdigest(), result["secretSha256"]):
            raise Conflict(_OTHER_CALLER)
        return secret


async def require_webhook(session: AsyncSession, workspace_id: str, webhook_id: str) -> Webhook:
    """Return an endpoint of the workspace. Raises NotFound."""
    webhook = await find_endpoint(session, workspace_id, webhook_id) if webhook_id.isprintable() else None
    if webhook is None:
        raise NotFound(NOT_FOUND)
    return webhook


async def create_webhook(
    request: WebhookRequest, body: WebhookBody, wait_s: float
) -> tuple[NewWebhookView, DoneRequest]:
    """Create an endpoint and test it.

    Raises InvalidRequest, TooManyRequests, Unprocessable, Conflict, IdempotencyKeyReused, Unavailable.
    """
    deps, workspace_id = request.deps, request.workspace_id
    problems = [*_address_problems(deps, body.url), *_event_problems(body.events)]
    if body.secret is not None and not is_secret(body.secret):
        problems.append(_NO_SECRET)
    if problems:
        raise InvalidRequest(problems)
    webhook_id = new_id("wh")
    secret, origin = (body.secret, {}) if body.secret is not None else request.new_secret()

    async def create(session: AsyncSession) -> JsonObject:
        # Before the endpoint exists: without a key, its secret is answered only once.
        deps.webhook_tests.take(workspace_id)
        sealed = await _seal(session, webhook_id, secret)
        events = list(dict.fromkeys(body.events))
        endpoint = NewEndpoint(webhook_id, workspace_id, body.url, events, body.name, body.enabled, sealed)
        if not await create_endpoint(session, endpoint, MOST_ENDPOINTS):
            raise Unprocessable(_TOO_MANY)
        return {**origin, "test": await add_test(session, workspace_id, webhook_id)}

    done = await request.do_once(webhook_id, create)
    if done.is_replay and body.secret is None:
        secret = request.secret(done.result)
    test, _ = await _wait_for_test(deps, done.result["test"], wait_s)
    try:
        view = await webhook_view(deps, workspace_id, done.webhook_id)
    except NotFound:
        raise Conflict(DELETED) from None
    return {**view, "secret": secret, "test": test}, done


async def change_webhook(
    deps: Dependencies, workspace_id: str, webhook_id: str, body: WebhookChangeBody, wait_s: float
) -> WebhookView:
    """Change an endpoint, and test a new address. Raises InvalidRequest, NotFound, TooManyRequests."""
    if problems := [*_address_problems(deps, body.url), *_event_problems(body.events or ())]:
        raise InvalidRequest(problems)
    values: dict[str, object] = body.model_dump(exclude_unset=True, exclude={"enabled"})
    values = {name: value for name, value in values.items() if value is not None or name == "name"}
    async with deps.database.transaction() as session:
        webhook = await require_webhook(session, workspace_id, webhook_id)
        is_moved = body.url is not None and body.url != webhook.url
        if is_moved:
            deps.webhook_tests.take(workspace_id)
        if body.enabled is not None and body.enabled is not webhook.enabled:
            values |= switched(body.enabled)
        if values:
            await change_endpoint(session, workspace_id, webhook_id, **values)
    if not is_moved:
        return await webhook_view(deps, workspace_id, webhook_id)
    async with deps.database.transaction() as session:
        delivery_id = await _add_test(session, workspace_id, webhook_id)
    test, _ = await _wait_for_test(deps, delivery_id, wait_s)
    return {**await webhook_view(deps, workspace_id, webhook_id), "test": test}


async def rotate_webhook(
    request: WebhookRequest, webhook_id: str, overlap: timedelta
) -> tuple[NewWebhookView, DoneRequest]:
    """Give an endpoint a new secret. Raises NotFound, Conflict, IdempotencyKeyReused, Unavailable."""
    workspace_id = request.workspace_id
    secret, origin = request.new_secret()

    async def rotate(session: AsyncSession) -> JsonObject:
        await require_webhook(session, workspace_id, webhook_id)
        await rotate_secret(session, workspace_id, webhook_id, await _seal(session, webhook_id, secret), overlap)
        return origin

    done = await request.do_once(webhook_id, rotate)
    if done.is_replay:
        secret = request.secret(done.result)
    return {**await webhook_view(request.deps, workspace_id, webhook_id), "secret": secret}, done


async def test_webhook(
    request: WebhookRequest, webhook_id: str, wait_s: float, *, enables: bool
) -> tuple[TestView, DoneRequest]:
    """Test an endpoint, and switch it on if it takes the test and `enables` is set.

    Raises NotFound, TooManyRequests, IdempotencyKeyReused, Unavailable.
    """
    deps, workspace_id = request.deps, request.workspace_id

    async def add(session: AsyncSession) -> JsonObject:
        await require_webhook(session, workspace_id, webhook_id)
        deps.webhook_tests.take(workspace_id)
        return {"test": await _add_test(session, workspace_id, webhook_id)}

    done = await request.do_once(webhook_id, add)
    test, tested_at = await _wait_for_test(deps, done.result["test"], wait_s)
    if enables and test["outcome"] == "delivered":
        # A repeat leaves an endpoint alone that was switched off after its test.
        await _enable_webhook(deps, workspace_id, webhook_id, tested_at if done.is_replay else None)
    return test, done


async def _add_test(session: AsyncSession, workspace_id: str, webhook_id: str) -> str:
    delivery_id = await add_test(session, workspace_id, webhook_id)
    if delivery_id is None:
        raise NotFound(NOT_FOUND)
    return delivery_id


async def _wait_for_test(deps: Dependencies, delivery_id: str, wait_s: float) -> tuple[TestView, datetime | None]:
    """Return the outcome of a test and when it was sent, if a worker has sent it in a time."""

    async def is_over() -> bool:
        async with deps.database.reading() as session:
            state, _ = await delivery_outcome(session, delivery_id)
        return state is not DeliveryState.WAITING

    await deps.outcomes.wait(delivery_id, is_over, wait_s)
    async with deps.database.reading() as session:
        state, attempt = await delivery_outcome(session, delivery_id)
    if state is DeliveryState.WAITING or attempt is None:
        return TestView(outcome="unchecked", deliveryId=delivery_id, httpStatus=None, error=None), None
    is_delivered = state is DeliveryState.DELIVERED
    test = TestView(
        outcome="delivered" if is_delivered else "failed",
        deliveryId=delivery_id,
        httpStatus=attempt.http_status,
        error=attempt.error,
    )
    return test, attempt.at


async def _enable_webhook(deps: Dependencies, workspace_id: str, webhook_id: str, off_before: datetime | None) -> None:
    """Switch an endpoint on; with `off_before`, only if it was switched off before that time."""
    async with deps.database.transaction() as session:
        webhook = await require_webhook(session, workspace_id, webhook_id)
        if off_before and webhook.disabled_at and webhook.disabled_at >= off_before:
            return
        await change_endpoint(session, workspace_id, webhook_id, **switched(True))


async def webhook_view(deps: Dependencies, workspace_id: str, webhook_id: str) -> WebhookView:
    """Return an endpoint as clients read it. Raises NotFound."""
    async with deps.database.reading() as session:
        webhook = await require_webhook(session, workspace_id, webhook_id)
        return view_of_row(webhook, await count_waiting(session, [webhook.id]))


def view_of_row(webhook: Webhook, waiting: Mapping[str, int]) -> WebhookView:
    """Return an endpoint's row as clients read it."""
    now = datetime.now(UTC)
    overlaps = webhook.older_until is not None and webhook.older_until > now
    return WebhookView(
        id=webhook.id,
        name=webhook.name,
        url=webhook.url,
        events=webhook.events,
        enabled=webhook.enabled,
        status=webhook.status,
        disabledReason=webhook.disabled_reason,
        disabledAt=None if webhook.enabled else _time(webhook.disabled_at),
        failingSince=_time(webhook.failing_since),
        lastFailure=webhook.last_failure,
        lastDeliveredAt=_time(webhook.last_delivered_at),
        waiting=waiting.get(webhook.id, 0),
        olderSecretUntil=_time(webhook.older_until) if overlaps else None,
        createdAt=rfc3339(webhook.created_at),
    )


def _address_problems(deps: Dependencies, url: str | None) -> list[Problem]:
    problem = address_problem(url, deps.webhook_hosts) if url is not None else None
    return [problem] if problem else []


def _event_problems(names: Iterable[str]) -> list[Problem]:
    return [
        Problem(
            f"events.{number} must be one of the documented events{did_you_mean(name, EVENT_NAMES)}",
            "invalid_field_value",
            f"events.{number}",
        )
        for number, name in enumerate(names)
        if name not in EVENT_NAMES
    ]


def _time(at: datetime | None) -> str | None:
    return rfc3339(at) if at else None


async def _seal(session: AsyncSession, webhook_id: str, secret: str) -> SealedSecret:
    sealed = await seal_secret(session, webhook_id, secret)
    if sealed is None:
        raise Unavailable(_NO_WORKER)
    return sealed


def address_problem(url: str, hosts: LocalHosts) -> Problem | None:
    """Return what is wrong with an endpoint's address; `hosts` are local ones that the operator allows."""
    sentence = _url_fault(url, hosts)
    return Problem(f"url {sentence}", "invalid_field_value", "url") if sentence else None


def _url_fault(url: str, hosts: LocalHosts) -> str | None:
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "must be an address of printable ASCII characters without spaces and backslashes"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return _WHOLE_URL
    if not host or parts.scheme not in {"http", "https"} or port == 0 or (readable := readable_url(url)) is None:
        return _WHOLE_URL
    if parts.username is not None or parts.password is not None or host.endswith("."):
        return "must name its host alone, without a user and without a dot at its end"
    if "#" in url:
        return "must not have a fragment"
    default_port = 443 if parts.scheme == "https" else 80
    if hosts.allowed.allows(host, port or default_port):
        return None
    if hosts.refuses(readable):
        return (
            "names a private address or this service's own machine; the operator may allow it, also by http "
            f"(SOCIALSYNCER_PRIVATE_WEBHOOK_HOSTS={parts.netloc if port else f'{parts.netloc}:{default_port}'})"
        )
    if parts.scheme == "http":
        return "must begin with https://"
    if hosts.why_refused(url) is not None:
        return "must have a port that is called: 80, 443 or one from 1024 on"
    return None

"""One post of the proof, from its first request to its final facts."""

import asyncio
import itertools
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx

from benchmarks.proof.cells import CLOCKS, FROZEN_WORKER, LOSES_ROWS, Cell, Crash, Mode
from benchmarks.proof.faults import refusal
from benchmarks.proof.platforms import api_name, body
from benchmarks.proof.product import Product, ProofError
from benchmarks.proof.verdict import Facts, Verdict
from benchmarks.waiting import eventually

_TIMEOUT_S = 300.0
"""Seconds within which a client gets a definite answer, even if servers are killed."""
_SETUP_WITHIN = 180.0
_LATER = timedelta(hours=3)
"""The due time of a post that is changed before it."""
_BEFORE_CANCEL = 0.5
"""Seconds after which a post without a crash is cancelled: some are public by then, some are not."""
_LONGEST_KEY = 255
_numbers, _files = itertools.count(), itertools.count()
_AT_REST = {"published", "failed", "partial"}


def _new_key() -> str:
    key = str(uuid.uuid4())
    return key.ljust(_LONGEST_KEY, "k") if next(_numbers) % 2 else key


@dataclass(slots=True)
class Post:
    """The post of one cell."""

    cell: Cell
    account_id: str
    mark: str = field(default_factory=lambda: f"proof-{secrets.token_hex(5)}")
    """Part of the text, so that the post is found on the platform."""
    key: str = field(default_factory=_new_key)
    """Every second key has the greatest length that the API allows."""
    post_id: str | None = None
    due: datetime | None = None
    """When the post is due by its own schedule; None if it is published now."""
    asked: bool = False
    unanswered: bool = False
    """Whether its client waits for an answer."""
    killed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the crash of its round has happened."""
    struck: bool = True
    tries: int = 1
    stored: bool = field(default_factory=lambda: not next(_files) % 2)
    """Whether its file, if it has one, is an upload in the storage: of every second post."""
    later: list[Crash] = field(default_factory=list)
    """Crashes of other posts that happened while this one was unconfirmed."""
    waited_as: str = ""
    """The status in which its target waited for its account to be reconnected."""
    shown_while_waiting: int = 0
    """Its number of public posts at that time."""
    shown_when_canceled: int | None = None
    """Its number of public posts when the cancel was done; None if it was not cancelled."""
    verdict: Verdict | None = None
    status: str = ""
    public: int = 0
    attempts: list[dict[str, Any]] = field(default_factory=list)
    """The API's record of its steps, if it did not end as it must."""

    @property
    def text(self) -> str:
        """Return the text that is published."""
        return f"Never twice, never lost: {self.mark}"

    @property
    def new_text(self) -> str:
        """Return the text after an edit or another change."""
        return f"{self.text} (edited)"


class Client:
    """A client that behaves as it should: it repeats a request with the same key until the answer is definite."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self._slots = asyncio.Semaphore(64)

    async def set_up(self, post: Post) -> None:
        """Bring a post to the state in which a change, a retry or an edit begins."""
        match post.cell.mode:
            case Mode.CHANGED | Mode.DRAFTED:
                async with self._slots:
                    await self._create(post, wait=0, due=now() + _LATER)
            case Mode.RETRY | Mode.EDIT:
                await self._bring_to_rest(post)
        post.asked = False

    async def _bring_to_rest(self, post: Post) -> None:
        failing = post.cell.mode is Mode.RETRY
        if failing:
            await self._product.control("POST", "faults", refusal(post.cell, post.account_id))
        async with self._slots:
            view = await self._create(post, wait=30)
        status = "failed" if failing else "published"

        async def is_at_rest() -> bool:
            nonlocal view
            view = await self.read(post)
            return view["status"] in _AT_REST

        await eventually(is_at_rest, _SETUP_WITHIN, 0.5)
        if failing:
            mine = {"platform": api_name(post.cell.platform), "accountId": post.account_id}
            await self._product.control("DELETE", "faults", **mine)
        if view["status"] != status:
            raise ProofError(f"{post.cell} cannot begin: the post is {view['status']}, not {status}")

    async def schedule(self, post: Post, due: datetime) -> None:
        """Create a post that is due later.

        The answer comes immediately and changes nothing. If the API dies before it, the client never receives an
        answer.
        """
        post.due = due
        async with self._slots:
            await self._create(post, wait=0, due=due)
        if post.cell.crash is Crash.ANSWER and not post.killed.is_set():
            post.unanswered = True
            await post.killed.wait()
            await self._create(post, wait=0, due=due)

    async def ask(self, post: Post) -> None:
        """Send the cell's crucial request, for all modes but scheduled."""
        # In other cells it does not matter whether a client waits for the outcome.
        wait = 60 if post.cell.crash is Crash.ANSWER else 0
        match post.cell.mode:
            case Mode.NOW:
                await self._create(post, wait=wait)
            case Mode.DRAFTED:
                await self._send(post, f"/v1/posts/{post.post_id}", {"isDraft": True}, wait, method="PATCH")
                await self._publish_changed(post, wait)
            case Mode.CHANGED:
                await self._publish_changed(post, wait)
            case Mode.CANCELED:
                await self._create(post, wait=wait)
                await self._cancel(post)
            case Mode.RETRY:
                await self._send(post, f"/v1/posts/{post.post_id}/retry", None, wait)
            case Mode.EDIT:
                await self._send(post, f"/v1/posts/{post.post_id}/edit", {"content": post.new_text}, wait)

    async def repeat(self, post: Post) -> None:
        """Repeat a request that may be lost with the rows, with the same key, as a client without an answer does."""
        if post.cell.mode is Mode.SCHEDULED or post.cell.crash not in LOSES_ROWS:
            return
        if post.cell.mode is Mode.NOW:
            post.post_id = None
        await self.ask(post)

    async def _publish_changed(self, post: Post, wait: int) -> None:
        change = {"content": post.new_text, "publishNow": True}
        await self._send(post, f"/v1/posts/{post.post_id}", change, wait, method="PATCH")

    async def _cancel(self, post: Post) -> None:
        """Cancel the workflow once the crash has happened, and record what is public when the cancel is done."""
        if post.cell.crash is Crash.NONE:
            await asyncio.sleep(_BEFORE_CANCEL)
        else:
            await post.killed.wait()
        (row,) = await self._product.rows("SELECT workflow_id FROM posts WHERE id = $1", post.post_id)
        if not await self._product.cancel(row["workflow_id"]):
            return
        shown = await self._product.public(post.cell.platform, post.account_id, post.mark)
        post.shown_when_canceled = len(shown)

    async def read(self, post: Post) -> dict[str, Any]:
        """Return the post as the API shows it."""
        answer = await self._definite("GET", f"/v1/posts/{post.post_id}")
        answer.raise_for_status()
        view: dict[str, Any] = answer.json()
        return view

    async def attempts(self, post: Post) -> list[dict[str, Any]]:
        """Return the steps of a post as the API shows them."""
        answer = await self._definite("GET", f"/v1/posts/{post.post_id}/attempts")
        steps: list[dict[str, Any]] = answer.json().get("attempts", [])
        return steps

    async def _create(self, post: Post, *, wait: int, due: datetime | None = None) -> dict[str, Any]:
        cell = post.cell
        files = self._product.uploads if post.stored else None
        uploading = cell.crash is Crash.UPLOADING
        new_post = body(cell.platform, post.account_id, post.text, uploading=uploading, files=files)
        new_post |= {"scheduledFor": due.isoformat()} if due else {"publishNow": True}
        answer = await self._send(post, "/v1/posts", new_post, wait)
        if answer.status_code != 201:
            raise ProofError(f"{cell} cannot begin: {answer.status_code} {answer.text[:300]}")
        view: dict[str, Any] = answer.json()
        if post.post_id not in (None, view["id"]):
            raise ProofError(f"{cell}: one Idempotency-Key made {post.post_id} and {view['id']}")
        post.post_id = view["id"]
        return view

    async def _send(
        self, post: Post, path: str, content: dict[str, Any] | None, wait: int, method: str = "POST"
    ) -> httpx.Response:
        headers = {"Prefer": f"wait={wait}", **({"Idempotency-Key": post.key} if path == "/v1/posts" else {})}
        post.asked = True
        return await self._definite(method, path, post, headers=headers, json=content)

    async def _definite(self, method: str, path: str, post: Post | None = None, **options: Any) -> httpx.Response:
        send = partial(self._request, post) if post else None
        return await self._product.repeat(method, path, within_s=_TIMEOUT_S, every_s=1, send=send, **options)

    async def _request(self, post: Post, method: str, path: str, **options: Any) -> httpx.Response:
        post.unanswered = True
        try:
            return await self._product.api.request(method, path, **options)
        finally:
            post.unanswered = False


def facts(post: Post, target: dict[str, Any], public: list[tuple[str, str]], *, early: bool = False) -> Facts:
    """Return the facts about a post; `target` is its one target as the API shows it."""
    return Facts(
        status=target["status"],
        category=target.get("errorCategory"),
        platform_post_id=target["platformPostId"],
        content=target["content"],
        public=public,
        struck=post.struck,
        settled=bool(post.status),
        crashes=frozenset({post.cell.crash, *map(_to_a_bystander, post.later)} - {Crash.NONE}),
        waited_as=post.waited_as,
        shown_while_waiting=post.shown_while_waiting,
        shown_when_canceled=post.shown_when_canceled,
        early=early,
    )


def tried_for(attempts: Sequence[dict[str, Any]]) -> timedelta:
    """Return the time from the first send to the end of the last attempt."""
    sends = [attempt["startedAt"] for attempt in attempts if attempt["step"] == "publish"]
    ends = [attempt["finishedAt"] for attempt in attempts if attempt.get("finishedAt")]
    if not sends or not ends:
        return timedelta(0)
    return datetime.fromisoformat(max(ends)) - datetime.fromisoformat(min(sends))


def _to_a_bystander(crash: Crash) -> Crash:
    """Return the effect of a crash on another post than its aim: it may hit that post anywhere, also while sending."""
    return Crash.SENDING if crash in {Crash.BEFORE, Crash.UPLOADING, *FROZEN_WORKER, *CLOCKS} else crash


def now() -> datetime:
    """Return the current time in the format of sandbox and API."""
    return datetime.now(UTC)

"""Many clients change, publish, retry and delete the same posts while parts are killed and frozen.

`uv run python -m benchmarks.storm` runs on a stack of its own. Four clients per post send random requests: new texts,
new times, draft and back, publishNow, retry, DELETE; most with an Idempotency-Key. Platforms refuse some sends and lose
the answers of others. In the end the sandbox shows what became public. The exit code is 1 if a post is public twice, is
public after its deletion was confirmed, says something else than its platform shows, or never settles, or if a client
got a 500.
"""

import argparse
import asyncio
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from benchmarks.proof.accounts import Accounts
from benchmarks.proof.inside.folder import inside
from benchmarks.proof.platforms import PLATFORMS, api_name, body
from benchmarks.proof.product import Product
from benchmarks.stack import stack

_CLIENTS = 4
"""Clients that work on one post at the same time."""
_REST_WITHIN = 420.0
"""Seconds after the storm within which every post must be settled; confirming takes minutes."""
_KINDS_OF_REQUEST = {
    "text": 5.0,
    "later": 2.0,
    "soon": 3.0,
    "draft": 2.0,
    "undraft": 2.0,
    "now": 1.0,
    "retry": 2.0,
    "read": 2.0,
    "delete": 0.3,
}
_FAULTS = ("accept_then_drop", "accept_then_500", "reject", "drop", "rate_limited")
_KILLED = ("worker", "worker", "api", "temporal", "postgres")
_FROZEN = ("worker", "api")
_AT_REST = frozenset({"published", "failed", "partial", "draft"})
_FAR = timedelta(hours=1)


@dataclass(slots=True)
class Stormed:
    """A post that many clients change, and the answers that they got."""

    platform: str
    account_id: str
    mark: str
    post_id: str = ""
    deleted_at: datetime | None = None
    """When the first client got the answer that the post is deleted."""
    last: dict[str, Any] | None = None
    """The post as the API shows it in the end; None if it is gone."""
    answers: list[str] = field(default_factory=list)

    @property
    def rests(self) -> bool:
        """Return whether the post no longer changes by itself."""
        if self.last is None:
            return True
        if self.last["status"] == "scheduled":
            return datetime.fromisoformat(self.last["scheduledFor"]) > datetime.now(UTC) + _FAR / 2
        [target] = self.last["platforms"]
        unknowable = target["status"] == "unconfirmed" and not PLATFORMS[self.platform].rules_out
        return self.last["status"] in _AT_REST or unknowable or not PLATFORMS[self.platform].readable


def problems(post: Stormed, public: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the problems of a post, given what its platform shows of it now."""
    if len(public) > 1:
        yield f"public {len(public)} times"
    if post.deleted_at:
        if any(datetime.fromisoformat(public_post["createdAt"]) > post.deleted_at for public_post in public):
            yield "became public after its deletion was answered"
        return
    if post.last is None:
        yield "is gone, and no client got the answer that it is deleted"
        return
    if not post.rests:
        yield f"does not come to rest: {post.last['status']}"
    [target] = post.last["platforms"]
    ids = {public_post["platformPostId"] for public_post in public}
    if target["status"] == "published" and target["platformPostId"] not in ids:
        yield f"published as {target['platformPostId']}, and the platform shows {ids or 'nothing'}"
    elif target["status"] == "published" and not any(
        post.last["content"] in public_post["text"] for public_post in public
    ):
        yield f"published with other words than {post.last['content']!r}"
    if target["status"] in {"failed", "pending", "held"} and ids:
        yield f"{target['status']}, and the platform shows {ids}"


class Storm:
    """A storm over some posts of one stack."""

    def __init__(self, product: Product, seed: int, posts: int, seconds: float) -> None:
        self._product = product
        self._random = random.Random(seed)
        self._seed, self._count, self._seconds = seed, posts, seconds
        self.struck: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()

    async def run(self) -> list[Stormed]:
        """Run the storm and wait until all posts are settled; return them."""
        names = [self._random.choice(sorted(PLATFORMS)) for _ in range(self._count)]
        lent = await Accounts(self._product.dev).lend(names)
        posts = [
            Stormed(name, account, f"storm {self._seed} {number}.")
            for number, (name, account) in enumerate(zip(names, lent, strict=True))
        ]
        await self._program_faults(posts)
        await asyncio.gather(*map(self._create, posts))
        end = time.monotonic() + self._seconds
        clients = (self._client(post, number, end) for post in posts for number in range(_CLIENTS))
        await asyncio.gather(self._strike(end), *clients)
        await self._product.control("DELETE", "faults")
        await self._wait_for_rest(posts)
        return posts

    async def _program_faults(self, posts: Sequence[Stormed]) -> None:
        for post in posts:
            if self._random.random() < 0.5:
                fault: dict[str, Any] = {"fault": self._random.choice(_FAULTS), "operation": "publish", "seconds": 2}
                if fault["fault"] != "rate_limited":
                    del fault["seconds"]
                target = {"platform": api_name(post.platform), "accountId": post.account_id}
                await self._product.control("POST", "faults", {**target, **fault})

    async def _create(self, post: Stormed) -> None:
        due = datetime.now(UTC) + self._random.choice([timedelta(seconds=3), timedelta(seconds=8), _FAR])
        new_post = {**body(post.platform, post.account_id, post.mark), "scheduledFor": due.isoformat()}
        answer = await self._ask(post, "POST", "/v1/posts", new_post, f"create {post.mark}")
        if answer is None or answer.status_code != 201:
            raise SystemExit(f"{post.platform}: {answer and answer.text}")
        post.post_id = answer.json()["id"]

    async def _client(self, post: Stormed, number: int, end: float) -> None:
        chance = random.Random(f"{self._seed} {post.mark} {number}")
        path = f"/v1/posts/{post.post_id}"
        while time.monotonic() < end and not post.deleted_at:
            await asyncio.sleep(chance.random() * 1.5)
            [kind] = chance.choices(list(_KINDS_OF_REQUEST), list(_KINDS_OF_REQUEST.values()))
            key = f"{post.mark} {number} {chance.random()}" if chance.random() < 0.7 else None
            soon = datetime.now(UTC) + timedelta(seconds=3 * chance.random())
            match kind:
                case "read":
                    await self._ask(post, "GET", path)
                case "retry":
                    await self._ask(post, "POST", f"{path}/retry", key=key)
                case "delete":
                    answer = await self._ask(post, "DELETE", path, key=key)
                    if answer is not None and answer.is_success:
                        post.deleted_at = post.deleted_at or datetime.now(UTC)
                case _:
                    changes: dict[str, dict[str, Any]] = {
                        "text": {"content": f"{post.mark} {chance.randrange(1000)}"},
                        "soon": {"scheduledFor": soon.isoformat()},
                        "later": {"scheduledFor": (soon + _FAR).isoformat()},
                        "draft": {"isDraft": True},
                        "undraft": {"isDraft": False},
                        "now": {"publishNow": True},
                    }
                    await self._ask(post, "PATCH", path, changes[kind], key)

    async def _ask(
        self, post: Stormed, method: str, path: str, content: dict[str, Any] | None = None, key: str | None = None
    ) -> httpx.Response | None:
        """Send a request and return its answer.

        With a key it is repeated until the answer is definite; None means unknown.
        """
        headers = {"Prefer": "wait=0", **({"Idempotency-Key": key} if key else {})}
        deadline = time.monotonic() + _REST_WITHIN
        while time.monotonic() < deadline:
            try:
                answer = await self._product.api.request(method, path, json=content, headers=headers)
            except httpx.HTTPError as error:
                post.answers.append(f"{method} {content}: {error!r}")
            else:
                self.statuses[answer.status_code] += 1
                post.answers.append(f"{method} {content}: {answer.status_code} {answer.text[:120]}")
                if answer.status_code < 500:
                    return answer
            if key is None:
                return None
            await asyncio.sleep(0.5)
        return None

    async def _strike(self, end: float) -> None:
        while time.monotonic() < end:
            await asyncio.sleep(self._random.uniform(3, 7))
            if self._random.random() < 0.3:
                part = self._random.choice(_FROZEN)
                self._product.signal(signal.SIGSTOP, part)
                await asyncio.sleep(self._random.uniform(1, 15))
                self._product.signal(signal.SIGCONT, part)
                self.struck[f"{part} frozen"] += 1
            else:
                part = self._random.choice(_KILLED)
                self._product.kill(part)
                self.struck[f"{part} killed"] += 1

    async def _wait_for_rest(self, posts: Sequence[Stormed]) -> None:
        deadline = time.monotonic() + _REST_WITHIN
        while time.monotonic() < deadline:
            for post in posts:
                if answer := await self._ask(post, "GET", f"/v1/posts/{post.post_id}"):
                    post.last = answer.json() if answer.is_success else None
                else:
                    post.last = {"status": "unknown", "platforms": [{"status": "unknown"}]}
            if all(post.rests for post in posts):
                return
            await asyncio.sleep(3)


async def storm(seed: int, posts: int, seconds: float) -> int:
    """Run a storm on a stack of its own and print the outcome; return the number of problems."""
    with inside() as folder:
        async with stack(folder.environment) as dev:
            product = Product(dev, folder)
            try:
                run = Storm(product, seed, posts, seconds)
                stormed = await run.run()
                shown = (await product.control("GET", "posts"))["posts"]
            finally:
                await product.close()
    wrong = 0
    for post in stormed:
        public = [
            public_post for public_post in shown if post.mark in public_post["text"] and not public_post["deleted"]
        ]
        for problem in problems(post, [public_post for public_post in public if public_post["supersededBy"] is None]):
            wrong += 1
            print(f"{post.platform} {post.post_id} {problem}", *post.answers[-20:], sep="\n  ")
    statuses = Counter(post.last["status"] if post.last else "deleted" for post in stormed)
    print(f"struck: {dict(run.struck)}\nposts: {dict(statuses)}\nanswers: {dict(sorted(run.statuses.items()))}")
    print(f"{len(stormed)} posts, {wrong} problems, {run.statuses[500]} answers 500")
    return wrong + run.statuses[500]


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storm", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="chooses everything but the timing")
    parser.add_argument("--posts", type=int, default=80)
    parser.add_argument("--seconds", type=float, default=60)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    raise SystemExit(1 if asyncio.run(storm(arguments.seed, arguments.posts, arguments.seconds)) else 0)


if __name__ == "__main__":
    main()

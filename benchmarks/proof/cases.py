"""The cases beside the cells: renewals, pauses and plans run one after the other on each stack."""

import secrets
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from benchmarks.proof.accounts import Accounts
from benchmarks.proof.product import Product
from benchmarks.waiting import eventually

EVERYTHING = ("api", "worker", "temporal", "postgres")
KILLED: dict[str, tuple[str, ...]] = {
    "worker": ("worker",),
    "API": ("api",),
    "Temporal": ("temporal",),
    "PostgreSQL": ("postgres",),
    "all at once": EVERYTHING,
}
"""The parts that are killed, by the names of strikes."""
CaseT = TypeVar("CaseT")
OutcomeT = TypeVar("OutcomeT")


class Outcome:
    """The outcome of one case: what is wrong, if anything."""

    faults: list[str]

    @property
    def is_right(self) -> bool:
        """Return whether nothing is wrong."""
        return not self.faults


class Cases(ABC, Generic[CaseT, OutcomeT]):
    """The cases of one kind that one stack runs."""

    def __init__(self, product: Product, say: Callable[[str], None]) -> None:
        self._product = product
        self._say = say
        self._accounts = Accounts(product.dev)

    async def run(self, cases: deque[CaseT]) -> list[OutcomeT]:
        """Run the cases that other stacks leave; return their outcomes."""
        ended: list[OutcomeT] = []
        while cases:
            ended += await self._run(cases.popleft())
        return ended

    @abstractmethod
    async def _run(self, case: CaseT) -> Sequence[OutcomeT]:
        """Run one case; return its outcome, or that of each of its accounts."""

    async def _keyed(self, path: str, content: dict[str, Any], key: str = "", **headers: str) -> dict[str, Any]:
        """Send a request with an Idempotency-Key until its answer is definite."""
        headers["Idempotency-Key"] = key or secrets.token_hex(8)
        return await self._product.definite("POST", path, json=content, headers=headers)

    async def _at_rest(self, post_id: str, rests: Callable[[dict[str, Any]], bool], within_s: float) -> dict[str, Any]:
        """Return a post once nothing happens to it any more, or as it is after so many seconds."""
        view: dict[str, Any] = {}

        async def is_at_rest() -> bool:
            nonlocal view
            view = await self._product.definite("GET", f"/v1/posts/{post_id}")
            return rests(view)

        await eventually(is_at_rest, within_s, 1)
        return view

"""Requests that are repeated until their answer is definite, as a client does."""

import asyncio
import time
from typing import Any

import httpx

from benchmarks.proof.posts import ProofError
from benchmarks.proof.product import Product

_WITHIN_S, _POLL_S = 180.0, 0.2


async def definite(product: Product, method: str, path: str, **options: Any) -> dict[str, Any]:
    """Return the answer to a request that is repeated while it gets none, or one of a server that is not ready."""
    deadline = time.monotonic() + _WITHIN_S
    while time.monotonic() < deadline:
        try:
            answer = await product.api.request(method, path, **options)
        except httpx.HTTPError:
            answer = None
        if answer is not None and answer.is_success:
            view: dict[str, Any] = answer.json()
            return view
        if answer is not None and answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
            raise ProofError(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        await asyncio.sleep(_POLL_S)
    raise ProofError(f"the API gave no definite answer to {method} {path}")

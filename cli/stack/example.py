"""The example post of the API's documentation, published by a new stack."""

from collections.abc import Sequence
from typing import Any

import httpx

from cli.data_dir import DevAccount
from cli.errors import UserError

_TIMEOUT = 40.0
"""Seconds; the api answers publishNow after 25 at the latest."""
_PLATFORMS = ("instagram", "twitter")


def example_body(accounts: Sequence[DevAccount]) -> dict[str, Any]:
    """Return the example of the API's documentation, with accounts that exist."""
    first = {account.platform: account for account in reversed(accounts)}
    return {
        "content": "Hello from SocialSyncerAPI!",
        "mediaItems": [{"type": "image", "url": "https://example.com/photo.jpg"}],
        "platforms": [
            {"platform": platform, "accountId": first[platform].account_id}
            for platform in _PLATFORMS
            if platform in first
        ],
        "publishNow": True,
        "scheduledFor": None,
        "isDraft": False,
        "timezone": "UTC",
        "tags": ["marketing"],
        "tiktokSettings": {},
        "facebookSettings": {},
    }


async def publish_example(
    api_url: str, api_key: str, idempotency_key: str, accounts: Sequence[DevAccount]
) -> tuple[bool, Any]:
    """Publish the example, once per `idempotency_key`; return whether the API accepted it, and its answer.

    Raises UserError if there is no answer.
    """
    headers = {"Authorization": f"Bearer {api_key}", "Idempotency-Key": idempotency_key}
    try:
        async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False) as client:
            response = await client.post(f"{api_url}/v1/posts", json=example_body(accounts), headers=headers)
            return response.is_success, response.json()
    except (httpx.HTTPError, ValueError) as error:
        raise UserError(f"The example post got no answer from {api_url} ({type(error).__name__}).") from error

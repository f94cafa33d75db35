"""The public posts on the platforms of the sandbox."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx

_TIMEOUT_S = 20.0

AccountKey = tuple[str, str]
"""A platform and an account's id."""


class SandboxAway(Exception):
    """An error: the sandbox does not respond as a sandbox does."""


@dataclass(frozen=True, slots=True)
class Public:
    """One post that is or was public. `text` is content: for comparing, never for printing."""

    account_key: AccountKey
    id: str
    text: str = field(repr=False)
    made_at: datetime
    deleted: bool
    superseded_by: str | None


@dataclass(frozen=True, slots=True)
class SandboxPosts:
    """All accounts and posts of a sandbox."""

    accounts: frozenset[AccountKey]
    posts: tuple[Public, ...]


async def fetch_public_posts(url: str) -> SandboxPosts:
    """Ask a sandbox for its accounts and all posts. Raises SandboxAway."""
    try:
        # trust_env=False: a proxy between this process and a server on this machine can only be a mistake.
        async with httpx.AsyncClient(timeout=_TIMEOUT_S, trust_env=False, base_url=url) as client:
            accounts = await _get(client, "/_/accounts", "accounts")
            posts = await _get(client, "/_/posts", "posts")
        return SandboxPosts(frozenset(map(_account_key, accounts)), tuple(map(_public, posts)))
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        raise SandboxAway(f"There is no sandbox at {url} ({type(error).__name__}).") from error


async def _get(client: httpx.AsyncClient, path: str, name: str) -> Iterable[dict[str, Any]]:
    response = await client.get(path)
    response.raise_for_status()
    rows: Iterable[dict[str, Any]] = response.json()[name]
    return rows


def _account_key(raw: dict[str, Any]) -> AccountKey:
    return str(raw["platform"]), str(raw["accountId"])


def _public(raw: dict[str, Any]) -> Public:
    return Public(
        account_key=_account_key(raw),
        id=str(raw["platformPostId"]),
        text=str(raw["text"]),
        made_at=datetime.fromisoformat(raw["createdAt"]),
        deleted=bool(raw["deleted"]),
        superseded_by=raw["supersededBy"],
    )

"""Functions that register accounts with a sandbox of platforms, so that it accepts their tokens."""

import hashlib
import secrets
from collections.abc import Iterable
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from cli.errors import UserError
from platforms.base import AnyPlatform
from platforms.capabilities import OwnServers

_TIMEOUT = 10.0


class SandboxAccount(BaseModel):
    """An account as it is registered with the sandbox."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, hide_input_in_errors=True)

    platform: str
    account_id: str
    user_id: str
    username: str
    access_token: str
    refresh_token: str | None = None
    premium: bool = False
    server: str | None = None
    """The server that the account names, on platforms that have several."""


def own_server(platform: AnyPlatform, credentials: BaseModel) -> str | None:
    """Return the server that an account names; None if it is the platform's usual one."""
    address = platform.address(credentials) if isinstance(platform, OwnServers) else platform.base_url
    return None if address == platform.base_url else address


def stable_user_id(seed: str) -> str:
    """Return 17 digits that look like a platform's user id, always the same for the same seed."""
    return str(10**16 + int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]) % (9 * 10**16))


def fake_credentials(platform: AnyPlatform, user_id: str) -> dict[str, str]:
    """Return invented credentials for every field of the platform; only the sandbox accepts them."""
    invented = {
        "access_token": f"sandbox-{secrets.token_urlsafe(24)}",
        "refresh_token": f"sandbox-{secrets.token_urlsafe(24)}",
        "client_id": "sandbox",
        "client_key": "sandbox",
        "user_id": user_id,
    }
    return {to_camel(name): value for name, value in invented.items() if name in platform.credentials.model_fields}


async def introduce(sandbox_url: str, accounts: Iterable[SandboxAccount]) -> None:
    """Register accounts with the sandbox, or change them. Raises UserError if it does not answer."""
    body = {"accounts": [account.model_dump(by_alias=True, exclude_none=True) for account in accounts]}
    await _ask(sandbox_url, "POST", "accounts", json=body)


async def known_accounts(sandbox_url: str, platform: str) -> dict[str, str]:
    """Return the user ids of a platform's accounts by their names. Raises UserError if the sandbox does not answer."""
    accounts = (await _ask(sandbox_url, "GET", "accounts"))["accounts"]
    return {account["username"]: account["userId"] for account in accounts if account["platform"] == platform}


async def read_platforms(sandbox_url: str) -> tuple[set[str], dict[str, str]]:
    """Return the platforms that the sandbox has, and why others do not start. Raises UserError without an answer."""
    health = await _ask(sandbox_url, "GET", "health")
    return set(health["platforms"]), health.get("failed", {})


async def _ask(sandbox_url: str, method: str, path: str, **options: Any) -> Any:
    try:
        # trust_env is off, because a proxy between us and a server on this machine can only be a mistake.
        async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False) as client:
            response = await client.request(method, f"{sandbox_url}/_/{path}", **options)
            response.raise_for_status()
            return response.json()
    except httpx.HTTPStatusError as error:
        raise UserError(f"The sandbox at {sandbox_url} does not take our accounts: {error.response.text}") from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise UserError(f"There is no sandbox at {sandbox_url} ({type(error).__name__}).") from error

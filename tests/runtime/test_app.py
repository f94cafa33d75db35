"""The api as uvicorn starts it."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from cli.stack.ports import free_port
from runtime.app import create_app_from_env
from tests.api.conftest import client_of
from tests.serving import started
from tests.stack import Stack


@pytest.fixture
def environment(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Configure a process by its environment, and put the logging of this one back afterwards."""
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", stack.database_url.replace("+asyncpg", ""))
    monkeypatch.setenv("SOCIALSYNCER_ENCRYPTION_KEYS", stack.settings.encryption_keys[0].get_secret_value())
    monkeypatch.setenv("TEMPORAL_ADDRESS", stack.client.service_client.config.target_host)
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield monkeypatch
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


async def test_connects_when_it_starts(stack: Stack, environment: pytest.MonkeyPatch) -> None:
    async with started(create_app_from_env()) as app, client_of(app, stack.api_key) as client:
        parts = (await client.get("/readyz")).json()
        assert (parts["database"], parts["temporal"], parts["worker"]) == (True, True, True)
        target = {"platform": "twitter", "accountId": stack.accounts["twitter"].id}
        response = await client.send_post(
            {"content": "from the environment", "platforms": [target], "publishNow": True}
        )
        assert (response.status_code, response.json()["status"]) == (201, "published")


async def test_starts_without_temporal(stack: Stack, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TEMPORAL_ADDRESS", f"127.0.0.1:{free_port()}")
    async with started(create_app_from_env()) as app, client_of(app, stack.api_key) as client:
        parts = (await client.get("/readyz")).json()
        assert (parts["database"], parts["temporal"], parts["worker"]) == (True, False, False)
        assert (await client.get("/v1/posts?limit=1")).status_code == 200

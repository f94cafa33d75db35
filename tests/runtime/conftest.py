"""What tests of processes share."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
import structlog

from tests.stack import Stack, running_stack, temporal_server


@pytest.fixture(scope="module")
async def alone(postgres_url: str) -> AsyncIterator[Stack]:
    """Run everything but a worker, on a Temporal that no worker of other tests has polled a minute ago."""
    async with temporal_server() as environment, running_stack(postgres_url, environment) as stack:
        yield stack


@contextmanager
def configured(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
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


@pytest.fixture
def environment(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Be the environment of a process that belongs to the running product."""
    with configured(stack, monkeypatch):
        yield monkeypatch

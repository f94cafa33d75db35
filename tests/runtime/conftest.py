"""Fixtures for tests of processes."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import structlog

from store.roles import Component
from tests.databases import url_as
from tests.stack import Stack


@contextmanager
def configured(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Configure an API process by its environment, which has no encryption keys; restore the logging afterwards."""
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", url_as(stack.database_url, Component.API).replace("+asyncpg", ""))
    monkeypatch.delenv("SOCIALSYNCER_ENCRYPTION_KEYS", raising=False)
    monkeypatch.setenv("TEMPORAL_ADDRESS", stack.client.service_client.config.target_host)
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    yield monkeypatch
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def environment(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Set the environment of an API process that belongs to the running product."""
    with configured(stack, monkeypatch):
        yield monkeypatch

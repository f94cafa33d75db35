"""Fixtures for tests of connecting accounts."""

from collections.abc import AsyncIterator

import pytest
from litestar import Litestar

from tests.api.connect.hosted_browser import Browser
from tests.stack import Stack


@pytest.fixture
async def browser(app: Litestar, stack: Stack) -> AsyncIterator[Browser]:
    browser = Browser(app, stack)
    yield browser
    await browser.own.aclose()

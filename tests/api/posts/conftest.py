"""Fixtures that these tests share."""

import pytest

from tests.stack import Stack


@pytest.fixture
def twitter(stack: Stack) -> dict[str, str]:
    return {"platform": "twitter", "accountId": stack.accounts["twitter"].id}


@pytest.fixture
def instagram(stack: Stack) -> dict[str, str]:
    return {"platform": "instagram", "accountId": stack.accounts["instagram"].id}

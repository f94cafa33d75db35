"""Helpers for tests of Reddit."""

from typing import Any

from platforms.base import PublishContext
from tests.platforms.rig import Rig

TEST = {"subreddit": "test"}


def post(rig: Rig, text: str, *names: str, **settings: Any) -> PublishContext[Any]:
    return rig.context(text, [rig.sandbox.media(name) for name in names], settings={**TEST, **settings})

"""Helpers for tests of fetching."""

from collections.abc import Callable

import pytest

from domain.post import Media, MediaType
from media.fetch import MediaFetcher
from platforms.errors import PlatformError

Make = Callable[..., MediaFetcher]


async def refusal(fetcher: MediaFetcher, url: str, kind: MediaType = MediaType.IMAGE) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        async with fetcher.open(Media(type=kind, url=url)):
            pass
    return caught.value

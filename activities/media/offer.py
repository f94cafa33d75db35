"""Let networks fetch media themselves: check every file first, and name the new one where it was converted."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from activities.media.source import StepMedia, worst_of
from domain.post import Media
from platforms.base import Draft, Network

AT_ONCE = 3
"""Files of one post that are fetched at the same time; our choice."""


def unchecked(network: Network[Any, Any], draft: Draft[Any], known: Mapping[str, str]) -> list[Media]:
    """Return the media that the network will fetch and that have not been looked at, each once."""
    # The draft may name the new addresses already.
    done = {*known, *known.values()}
    found = {item.url: item for item in _media_of(draft) if item.type in network.fetches and item.url not in done}
    return list(found.values())


async def offer(media: list[Media], source: StepMedia) -> dict[str, str]:
    """Return for each URL the address that the network shall be given. Raises NetworkError."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def address(item: Media) -> str:
        async with gate:
            return await source.address(item)

    found = await asyncio.gather(*map(address, media), return_exceptions=True)
    if failure := worst_of(found):
        raise failure
    return {item.url: str(address) for item, address in zip(media, found, strict=True)}


def addressed(draft: Draft[Any], known: Mapping[str, str]) -> Draft[Any]:
    """Return the draft with the addresses that its network shall be given, those of a thread's further posts too."""
    if all(url == address for url, address in known.items()):
        return draft
    items = [
        item.model_copy(update={"media_items": [_moved(each, known) for each in item.media_items]})
        for item in getattr(draft.settings, "thread_items", ())
    ]
    settings = draft.settings.model_copy(update={"thread_items": items}) if items else draft.settings
    return replace(draft, media=tuple(_moved(item, known) for item in draft.media), settings=settings)


def _media_of(draft: Draft[Any]) -> Iterator[Media]:
    yield from draft.media
    for item in getattr(draft.settings, "thread_items", ()):
        yield from item.media


def _moved(item: Any, known: Mapping[str, str]) -> Any:
    return item.model_copy(update={"url": known.get(item.url, item.url)})

"""Check the files that a platform fetches itself, and those beside videos, while a post is prepared.

If such a file must be converted, the platform is given the address of the new one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from domain.post import Media
from media.step_media import StepMedia
from platforms.base import AnyPlatform, Draft
from platforms.errors import ErrorKind, PlatformError
from platforms.rules import FileRule

T = TypeVar("T")

CONCURRENCY = 3
"""Files of one post that are fetched at the same time; our choice."""


def cover_rules(platform: AnyPlatform, draft: Draft[Any]) -> dict[str, FileRule]:
    """Return by its URL what each cover and each file of captions that the draft names must be."""
    rules: dict[str, FileRule] = {}
    for name, rule in platform.covers.items():
        value = getattr(draft.settings, name)
        rules |= dict.fromkeys([value] if isinstance(value, str) else [item.url for item in value or ()], rule)
    return rules


def unchecked(platform: AnyPlatform, draft: Draft[Any], known: Mapping[str, str]) -> list[Media]:
    """Return the media that the platform will fetch, and covers, that have not been checked yet, each once."""
    # The draft may name the new addresses already.
    done = {*known, *known.values()}
    media = [item for item in _draft_media(draft) if item.type in platform.pulls.kinds]
    media += [Media(type=rule.kind, url=url) for url, rule in cover_rules(platform, draft).items()]
    return list({item.url: item for item in media if item.url not in done}.values())


def draft_files(platform: AnyPlatform, draft: Draft[Any]) -> list[Media]:
    """Return all files that a draft names, covers and those of a thread's posts included, each once."""
    covers = [Media(type=rule.kind, url=url) for url, rule in cover_rules(platform, draft).items()]
    return list({item.url: item for item in [*covers, *_draft_media(draft)]}.values())


async def host_files(platform: AnyPlatform, media: list[Media], source: StepMedia) -> dict[str, str]:
    """Return for each URL the address that the platform is given. Raises PlatformError."""

    async def address(item: Media) -> str:
        if item.type in platform.pulls.kinds:
            return await source.address(item)
        async with source.open(item):
            return item.url

    if images := source.images_to_match(media):
        source.match_sides(await _for_each(images, source.measure))
    return dict(zip((item.url for item in media), await _for_each(media, address), strict=True))


async def _for_each(media: list[Media], work: Callable[[Media], Awaitable[T]]) -> list[T]:
    """Return the results of some work on each file, a few at a time. Raises PlatformError."""
    gate = asyncio.Semaphore(CONCURRENCY)

    async def done(item: Media) -> T:
        async with gate:
            return await work(item)

    results = await asyncio.gather(*map(done, media), return_exceptions=True)
    if failure := _worst_error(results):
        raise failure
    return [result for result in results if not isinstance(result, BaseException)]


def with_hosted_urls(platform: AnyPlatform, draft: Draft[Any], known: Mapping[str, str]) -> Draft[Any]:
    """Return the draft with the addresses that its platform is given, also of covers and of a thread's posts."""
    if all(url == address for url, address in known.items()):
        return draft
    moved: dict[str, Any] = {
        name: known.get(url, url) for name in platform.covers if isinstance(url := getattr(draft.settings, name), str)
    }
    if items := getattr(draft.settings, "thread_items", ()):
        moved["thread_items"] = [
            item.model_copy(update={"media_items": [_moved(media_item, known) for media_item in item.media_items]})
            for item in items
        ]
    settings = draft.settings.model_copy(update=moved)
    return replace(draft, media=tuple(_moved(item, known) for item in draft.media), settings=settings)


def _draft_media(draft: Draft[Any]) -> Iterator[Media]:
    yield from draft.media
    for item in getattr(draft.settings, "thread_items", ()):
        yield from item.media


def _moved(item: Any, known: Mapping[str, str]) -> Any:
    return item.model_copy(update={"url": known.get(item.url, item.url)})


def _worst_error(outcomes: Sequence[object]) -> BaseException | None:
    """Return a failure that waiting does not correct, else any failure; None if there is none."""
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    return max(
        failures,
        key=lambda failure: not isinstance(failure, PlatformError) or failure.kind is ErrorKind.REJECTED,
        default=None,
    )

"""Checks that the uploads which a post names have come: a look at their rows, and at the storage once if need be."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from domain.content import PostContent
from domain.errors import Problem, Unavailable
from domain.post import Media, MediaType
from domain.uploads import OwnHosts, UploadState, named_addresses, upload_token
from media.limits import check
from media.upload_arrivals import look_for_arrival
from platforms.base import AccountFacts
from platforms.drafts import read_draft
from platforms.errors import PlatformError
from platforms.files import MediaFile
from platforms.registry import platforms
from storage.base import StorageError
from store.models import Upload
from store.uploads.rows import find_pending, find_uploads_by_token

MOST_LOOKS = 50
"""Uploads that one request looks for in the storage; our choice. Others must have been looked at before."""
_CONCURRENCY = 8
_AWAY = Problem("The storage of this service is not available right now; please try again", "unavailable")


@dataclass(frozen=True, slots=True)
class NamedUpload:
    """An address that may be an upload's, and the field of the request that has it."""

    param: str
    url: str
    token: str


def named_uploads(content: PostContent, only: Collection[int] | None = None) -> Iterator[NamedUpload]:
    """Yield the addresses of uploads in a post, in the order of its fields.

    `only`: the positions of the targets that are meant; None for the whole post.
    """
    targets = {at: target for at, target in enumerate(content.targets) if only is None or at in only}
    if only is None or any(target.custom_media is None for target in targets.values()):
        yield from _in_media(content.media_items, "mediaItems")
    for position, target in targets.items():
        yield from _in_media(target.custom_media or (), f"platforms.{position}.customMedia")
        yield from _in_settings(target.settings, f"platforms.{position}.platformSpecificData")
    yield from _in_settings(content.tiktok_settings, "tiktokSettings")
    yield from _in_settings(content.facebook_settings, "facebookSettings")


async def find_upload_problems(deps: Dependencies, workspace_id: str, content: PostContent) -> list[Problem]:
    """Return a problem for each upload that a post names and that has not come, or is no media file.

    No transaction may be open: the storage is asked. Raises Unavailable.
    """
    (problems,) = await find_upload_problems_in_posts(deps, workspace_id, [content])
    return problems


async def find_upload_problems_in_posts(
    deps: Dependencies, workspace_id: str, contents: Sequence[PostContent]
) -> list[list[Problem]]:
    """Return the same for many posts, in their order."""
    named = [list(named_uploads(content)) for content in contents]
    if not any(named):
        return [[] for _ in contents]
    await look_for_uploads(deps, workspace_id, {upload.token for uploads in named for upload in uploads})
    async with deps.database.reading() as session:
        rows = await _read_rows(session, workspace_id, [upload for uploads in named for upload in uploads])
    return [
        [*_problems(deps, uploads, rows), *_refused_files(content, rows)]
        for content, uploads in zip(contents, named, strict=True)
    ]


async def look_for_uploads(
    deps: Dependencies, workspace_id: str, tokens: Collection[str], post_id: str | None = None
) -> None:
    """Find out which uploads have come past this service: those with these tokens, and those that a post names.

    No transaction may be open. Raises Unavailable.
    """
    storage = deps.storage
    if storage is None or storage.is_local or not (tokens or post_id):
        return
    async with deps.database.reading() as session:
        pending = await find_pending(session, workspace_id, tokens, post_id, MOST_LOOKS)
    gate = asyncio.Semaphore(_CONCURRENCY)

    async def look(upload: Upload) -> None:
        async with gate:
            await look_for_arrival(deps.database, storage, upload)

    try:
        await asyncio.gather(*map(look, pending))
    except StorageError as error:
        raise Unavailable(_AWAY) from error


async def read_upload_problems(
    deps: Dependencies,
    session: AsyncSession,
    workspace_id: str,
    content: PostContent,
    only: Collection[int] | None = None,
) -> list[Problem]:
    """Return the problems of a post's uploads as their rows are now; `only` as in `named_uploads`."""
    if not (named := list(named_uploads(content, only))):
        return []
    rows = await _read_rows(session, workspace_id, named)
    return [*_problems(deps, named, rows), *_refused_files(content, rows, only)]


async def _read_rows(session: AsyncSession, workspace_id: str, named: Iterable[NamedUpload]) -> dict[str, Upload]:
    rows = await find_uploads_by_token(session, workspace_id, {upload.token for upload in named})
    return {row.token: row for row in rows}


def _problems(deps: Dependencies, named: Iterable[NamedUpload], rows: Mapping[str, Upload]) -> list[Problem]:
    hosts = OwnHosts(address for address in (deps.public_url, deps.media_url) if address)
    now, problems = datetime.now(UTC), list[Problem]()
    for upload in named:
        row = rows.get(upload.token)
        state = row.state_at(now) if row else None
        if state is UploadState.REJECTED:
            sentence = (row.error if row else None) or "The uploaded file is no media file"
            problems.append(Problem(sentence, "media_rejected", upload.param))
        # At a stranger's host, a token that the workspace does not have is a part of the stranger's address.
        elif state is None and not (upload.url in hosts or deps.local_hosts.refused_host(upload.url)):
            continue
        elif state is not UploadState.READY:
            sentence = "No file has been uploaded to this address: send it to its uploadUrl first"
            problems.append(Problem(sentence, "media_not_uploaded", upload.param))
    return problems


def _refused_files(
    content: PostContent, rows: Mapping[str, Upload], only: Collection[int] | None = None
) -> Iterator[Problem]:
    """Yield a problem for each upload whose type or size, as its row says, its platform refuses for every account."""
    for position, target in enumerate(content.targets):
        if only is not None and position not in only:
            continue
        platform = platforms()[target.platform]
        # Settings that the platform does not take are reported as such.
        with suppress(PlatformError):
            draft = read_draft(platform, *content.sent_to(target))
            most = AccountFacts(target.account_id, "", "", premium=True)
            rules = {rule.kind: rule for rule in platform.file_rules(draft, most)}
            for at, item in enumerate(content.media_for(target)):
                row, rule = rows.get(upload_token(item.url) or ""), rules.get(item.type)
                # Pictures are converted.
                if (
                    row is None
                    or rule is None
                    or item.type is MediaType.IMAGE
                    or not row.sniffed_type
                    or row.size is None
                ):
                    continue
                try:
                    check(platform.label, rule, MediaFile(row.sniffed_type, row.size, _unread), None)
                except PlatformError as error:
                    where = f"platforms.{position}.customMedia" if target.custom_media is not None else "mediaItems"
                    names = (f"{where}.{at}", target.platform, target.account_id)
                    yield Problem(error.message, "media_refused", *names)


async def _unread(size: int, start: int = 0) -> AsyncIterator[bytes]:
    """Yield nothing: only the row of the file is looked at."""
    return
    yield bytes(size - start)


def _in_media(items: Iterable[Media], where: str) -> Iterator[NamedUpload]:
    for position, item in enumerate(items):
        if token := upload_token(item.url):
            yield NamedUpload(f"{where}.{position}.url", item.url, token)


def _in_settings(settings: dict[str, Any], where: str) -> Iterator[NamedUpload]:
    for path, url, token in named_addresses(settings):
        yield NamedUpload(".".join((where, *map(str, path))), url, token)

"""Checks of a post's media: its uploads have come, its addresses can be fetched, and on request its files."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from structlog.contextvars import get_contextvars

from api.dependencies import Dependencies
from domain.codes import ProblemCode
from domain.content import PostContent, TargetContent, answer_bytes
from domain.errors import Problem, Unavailable
from domain.post import Media, MediaType
from domain.preflight import PreflightReason
from domain.uploads import OwnHosts, UploadState, named_addresses, upload_token
from media.limits import check
from media.local_hosts import LocalHosts
from media.upload_arrivals import look_for_arrival
from platforms.base import AccountFacts
from platforms.drafts import read_draft
from platforms.errors import PlatformError
from platforms.files import MediaFile
from platforms.registry import platforms
from storage.base import StorageError
from store.media import add_check
from store.models import MediaCheck, Post, Upload
from store.posts.contents import NewPost
from store.rows import current_row
from store.uploads.rows import find_pending, find_uploads_by_token
from workflows.short import MediaCheckPlan

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


_NOT_CHECKED: ProblemCode = "media_not_checked"
MOST_FILES = 50
"""Files that one validation checks; a file of several targets counts for each of them. Our choice."""


def platforms_with_files(content: PostContent) -> dict[int, str]:
    """Return the platforms of the targets that may have files, by the targets' positions."""
    # Settings may name files, too: covers, and those of a thread.
    return {
        at: target.platform
        for at, target in enumerate(content.targets)
        if content.media_for(target) or content.settings_for(target)
    }


async def check_files(
    deps: Dependencies, workspace_id: str, content: PostContent, slot: AbstractContextManager[None]
) -> tuple[list[Problem], list[Problem]]:
    """Return problems of a post's files, and warnings about files that could not be checked. Raises TooManyRequests.

    `slot`: the place among the concurrent checks, entered if there are files to check.
    """
    if not (platforms := platforms_with_files(content)):
        return [], []
    if sum(len(content.media_for(content.targets[at])) for at in platforms) > MOST_FILES or len(platforms) > MOST_FILES:
        return [], [Problem(f"More than {MOST_FILES} files are not checked; validate parts of it", _NOT_CHECKED)]
    with slot:
        deps.usage.count_bytes(workspace_id, answer_bytes(content))
        async with deps.database.transaction() as session:
            check_id = await add_check(session, workspace_id, content, datetime.now(UTC))
        request_id = get_contextvars().get("request_id")
        plan = MediaCheckPlan(check_id=check_id, workspace_id=workspace_id, platforms=platforms, request_id=request_id)
        try:
            await deps.workflows.check_media(plan)
        except Unavailable:
            return [], [_unseen(content.targets[at], at) for at in platforms]
        async with deps.database.reading() as session:
            check = await current_row(session, MediaCheck, check_id)
    errors: list[Problem] = []
    warnings: list[Problem] = []
    for position in platforms:
        target = content.targets[position]
        if check is None or str(position) not in check.findings:
            warnings.append(_unseen(target, position))
            continue
        for finding in check.findings[str(position)]:
            where = _where(content, target, position, finding["url"])
            if finding.get("refused"):
                errors.append(Problem(finding["error"], "media_refused", where, target.platform, target.account_id))
            else:
                warnings.append(Problem(finding["error"], _NOT_CHECKED, where, target.platform, target.account_id))
    return errors, warnings


def _unseen(target: TargetContent, position: int) -> Problem:
    sentence = "The files of this target could not be checked"
    return Problem(sentence, _NOT_CHECKED, f"platforms.{position}", target.platform, target.account_id)


def _where(content: PostContent, target: TargetContent, position: int, url: str) -> str:
    """Return the path of the field that names a file."""
    named = f"platforms.{position}.customMedia" if target.custom_media is not None else "mediaItems"
    for at, item in enumerate(content.media_for(target)):
        if item.url == url:
            return f"{named}.{at}"
    return f"platforms.{position}.platformSpecificData"


def local_media_warnings(content: PostContent, hosts: LocalHosts) -> list[Problem]:
    """Return a warning for each media item of a post that is never fetched."""
    lists = {
        f"platforms.{position}.customMedia": target.custom_media
        for position, target in enumerate(content.targets)
        if target.custom_media is not None
    }
    if len(lists) < len(content.targets) or not content.targets:
        lists = {"mediaItems": content.media_items} | lists
    return [
        Problem(
            f"The {item.type.value} at {refused[0]} will not be fetched: {refused[1]}. "
            "Use an address that everybody can open",
            PreflightReason.MEDIA_REFUSED.value,
            f"{path}.{position}",
        )
        for path, items in lists.items()
        for position, item in enumerate(items)
        if (refused := _why_refused(item.url, hosts))
    ]


def unreachable_upload_warnings(content: PostContent, deps: Dependencies) -> list[Problem]:
    """Return a warning for each upload that its platform fetches, while this service has no public address."""
    if has_public_uploads(deps):
        return []
    return [
        Problem(
            f"{platforms()[target.platform].label} fetches this file itself, and this service has no public address. "
            "Use a public URL, or ask the operator to set SOCIALSYNCER_PUBLIC_URL",
            PreflightReason.MEDIA_NOT_PUBLIC.value,
            f"platforms.{position}.customMedia.{at}" if target.custom_media is not None else f"mediaItems.{at}",
            target.platform,
            target.account_id,
        )
        for position, target in enumerate(content.targets)
        for at, item in enumerate(content.media_for(target))
        if _is_pulled_upload(target.platform, item.type, item.url)
    ]


def has_public_uploads(deps: Dependencies) -> bool:
    """Return whether platforms reach the uploads of this service."""
    return bool(deps.media_url or deps.public_url)


def warn_of_media_in(new: NewPost, deps: Dependencies) -> None:
    """Set the same warnings of a post that is about to be inserted."""
    for target in new.targets:
        own = target["custom_media"]
        items = new.columns["media_items"] if own is None else own
        target["preflight_code"] = _reason(target["platform"], items, deps)


def targets_with_warned_media(post: Post, deps: Dependencies) -> dict[str, PreflightReason]:
    """Return the reasons to warn of media of a post, by the ids of the targets."""
    reasons = {
        target.id: _reason(
            target.platform, post.media_items if target.custom_media is None else target.custom_media, deps
        )
        for target in post.targets
    }
    return {target_id: reason for target_id, reason in reasons.items() if reason}


def warn_of_media(post: Post, deps: Dependencies, earlier: dict[str, PreflightReason] | None = None) -> None:
    """Set the warnings of targets' media, as a check before the post's time would.

    `earlier`: those that were to be set before a change.
    """
    reasons = targets_with_warned_media(post, deps)
    for target in post.targets:
        if target.id in reasons:
            target.preflight_code = reasons[target.id]
        elif target.id in (earlier or {}):
            target.preflight_code = None


def _reason(platform: str, items: Sequence[dict[str, Any]], deps: Dependencies) -> PreflightReason | None:
    if not has_public_uploads(deps) and any(
        _is_pulled_upload(platform, MediaType(item["type"]), item["url"]) for item in items
    ):
        return PreflightReason.MEDIA_NOT_PUBLIC
    if any(_why_refused(item["url"], deps.local_hosts) for item in items):
        return PreflightReason.MEDIA_REFUSED
    return None


def _is_pulled_upload(platform: str, kind: MediaType, url: str) -> bool:
    return upload_token(url) is not None and kind in platforms()[platform].pulls.kinds


def _why_refused(url: str, hosts: LocalHosts) -> tuple[str, str] | None:
    # An upload is read from the storage, whatever its host is.
    return None if upload_token(url) else hosts.why_refused(url)

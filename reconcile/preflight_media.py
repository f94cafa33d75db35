"""The media of scheduled posts, checked before their time: whether each file can be fetched and is of the right kind.

Only the first bytes of a file are fetched. Its sides and its length are measured when the post is prepared.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import structlog

from accounts.facts import account_facts
from domain.post import Media, MediaType
from domain.preflight import PreflightReason
from domain.shares import Exhausted
from media.hosted import cover_rules, draft_files
from media.shared_files import SharedFiles
from platforms.base import AnyPlatform
from platforms.drafts import read_draft
from platforms.errors import ErrorKind, PlatformError
from platforms.registry import platforms
from platforms.rules import FileRule
from store.maintenance.preflight import Preflight
from store.publishing.targets import content_to_send

log = structlog.get_logger(__name__)

MOST_FILES, MOST_FILES_OF_WORKSPACE = 100, 20
"""Files of one round, and those of them that are of one workspace; our choice. Others are checked in a later round."""
_CONCURRENCY = 8
_RETRY_S = 2.0
"""The pause before a file is asked for again whose server did not deliver it."""


@dataclass(frozen=True, slots=True)
class _File:
    workspace_id: str
    media: Media
    most_bytes: int | None
    types: tuple[str, ...]
    """The types that the platform takes; empty if files of others are converted, or if it has no rule."""
    is_pulled: bool
    """Whether the platform fetches it itself."""


async def find_media_problems(files: SharedFiles, checks: Iterable[Preflight]) -> dict[str, PreflightReason | None]:
    """Return what is wrong with the media of targets, by their ids; targets that were not checked are left out."""
    files_by_target: dict[str, list[_File]] = {}
    asked, of_workspaces = dict[_File, None](), Counter[str]()
    for check in checks:
        named = _named_files(check)
        new, workspace_id = [file for file in named if file not in asked], check.post.workspace_id
        if len(asked) + len(new) > MOST_FILES or of_workspaces[workspace_id] + len(new) > MOST_FILES_OF_WORKSPACE:
            # A post of more files than a workspace may have checked is not checked at all.
            if len(named) > MOST_FILES_OF_WORKSPACE:
                files_by_target[check.target.id] = []
            continue
        files_by_target[check.target.id] = named
        asked |= dict.fromkeys(new)
        of_workspaces[workspace_id] += len(new)
    gate, later = asyncio.Semaphore(_CONCURRENCY), set[_File]()
    problems = await asyncio.gather(*(_find_problem(files, file, gate, later) for file in asked))
    results = dict(zip(asked, problems, strict=True))
    return {target: _worst(named, results) for target, named in files_by_target.items() if later.isdisjoint(named)}


def _named_files(check: Preflight) -> list[_File]:
    """Return the files that a target names; none if its settings no longer parse, which is found at its time."""
    platform, account = platforms()[check.target.platform], check.account
    if account is None:
        return []
    try:
        draft = read_draft(platform, *content_to_send(check.post, check.target))
    except PlatformError:
        return []
    rules = {rule.kind: rule for rule in platform.file_rules(draft, account_facts(account))}
    covers = cover_rules(platform, draft)
    workspace_id = check.post.workspace_id
    return [
        _file(workspace_id, platform, item, covers.get(item.url) or rules.get(item.type))
        for item in draft_files(platform, draft)
    ]


def _file(workspace_id: str, platform: AnyPlatform, media: Media, rule: FileRule | None) -> _File:
    is_pulled = media.type in platform.pulls.kinds
    # Pictures are converted and made smaller; every other file is sent as it is.
    if rule is None or media.type is MediaType.IMAGE:
        return _File(workspace_id, media, None, (), is_pulled)
    return _File(workspace_id, media, rule.max_bytes, rule.types, is_pulled)


_REASONS = {reason.value: reason for reason in (PreflightReason.MEDIA_GONE, PreflightReason.MEDIA_NOT_UPLOADED)}
"""The refusals of uploads that have a reason of their own, by their codes."""


async def _find_problem(
    files: SharedFiles, file: _File, gate: asyncio.Semaphore, later: set[_File]
) -> PreflightReason | None:
    """Return what is wrong with a file; if it cannot be checked now, add it to `later`."""
    async with gate:
        for last in (False, True):
            try:
                if file.is_pulled and await files.lacks_address(file.workspace_id, file.media):
                    return PreflightReason.MEDIA_NOT_PUBLIC
                shown = await files.probe(file.workspace_id, file.media, file.most_bytes)
            except (Exhausted, OSError):
                # Posts that are due need what their workspace may fetch; or this machine has no room.
                later.add(file)
                return None
            except PlatformError as error:
                if error.kind is ErrorKind.REJECTED:
                    log.info("preflight.media_refused", workspace_id=file.workspace_id, code=error.code)
                    return _REASONS.get(error.code, PreflightReason.MEDIA_REFUSED)
                if last:
                    return PreflightReason.MEDIA_NOT_CHECKED
            else:
                return PreflightReason.MEDIA_REFUSED if file.types and shown not in file.types else None
            await asyncio.sleep(_RETRY_S)
    raise AssertionError  # the second round has returned


def _worst(named: Iterable[_File], results: Mapping[_File, PreflightReason | None]) -> PreflightReason | None:
    reasons = {results[file] for file in named}
    return next((reason for reason in PreflightReason if reason in reasons), None)

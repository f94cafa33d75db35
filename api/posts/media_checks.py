"""Checks of media before a post is published: by their addresses alone, and by their files if a client asks for it."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any

from structlog.contextvars import get_contextvars

from api.dependencies import Dependencies
from domain.codes import ProblemCode
from domain.content import PostContent, TargetContent, answer_bytes
from domain.errors import Problem, Unavailable
from domain.post import MediaType
from domain.preflight import PreflightReason
from domain.uploads import upload_token
from media.local_hosts import LocalHosts
from platforms.registry import platforms
from store.media import add_check
from store.models import MediaCheck, Post
from store.posts.contents import NewPost
from store.rows import current_row
from workflows.short import MediaCheckPlan

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

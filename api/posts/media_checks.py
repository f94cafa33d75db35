"""Checks of a validation's files by workers, limited in number and time."""

from contextlib import AbstractContextManager
from datetime import UTC, datetime

from structlog.contextvars import get_contextvars

from api.dependencies import Dependencies
from domain.codes import ProblemCode
from domain.content import PostContent, TargetContent, answer_bytes
from domain.errors import Problem, Unavailable
from store.media import add_check, find_check
from workflows.media_check import MediaCheckPlan

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
            check = await find_check(session, check_id)
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

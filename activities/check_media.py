"""The check of a validation's files, as a post's step does it: fetched, examined, compared with the rules."""

import asyncio
from typing import Any

from temporalio import activity

from accounts.facts import account_facts
from activities.commands import CheckMediaCommand
from activities.heartbeat import heartbeating
from domain.content import PostContent
from domain.post import Media
from media.changes import NoChangeRecord
from media.hosted import cover_rules, draft_files
from media.step_media import MediaTools, StepMedia
from platforms.base import AccountFacts
from platforms.drafts import read_draft
from platforms.errors import ErrorKind, PlatformError
from platforms.registry import platforms
from store.database import Database
from store.failures import persist
from store.media import note_findings
from store.models import Account, MediaCheck
from store.rows import current_row, find_row

CHECK_TIMEOUT_S = 15.0
"""The time limit for checking the files of one target; our choice."""
_CONCURRENCY = 3

MediaFinding = dict[str, Any]


class Checking:
    """The activity that checks the files of validations."""

    def __init__(self, database: Database, media: MediaTools) -> None:
        self._database = database
        self._media = media

    @activity.defn
    async def check_media(self, command: CheckMediaCommand) -> None:
        """Save the errors of the files of one target of a validation."""
        async with heartbeating() as progress:
            async with self._database.reading() as session:
                check = await current_row(session, MediaCheck, command.check_id)
                if check is None:
                    return
                content = PostContent.model_validate(check.content)
                target = content.targets[command.position]
                account = await find_row(session, Account, check.workspace_id, target.account_id)
            platform = platforms()[command.platform]
            try:
                draft = read_draft(platform, *content.sent_to(target))
            except PlatformError:
                # The rules have reported it already.
                return
            rules = platform.file_rules(draft, _facts(account, target.account_id))
            # The files as a step would have them; nothing is recorded.
            source = StepMedia(
                self._media,
                check.workspace_id,
                check.id,
                platform,
                rules,
                NoChangeRecord(),
                progress.append,
                cover_rules(platform, draft),
                check.id,
            )
            findings = await _check_each(source, draft_files(platform, draft))
            if not findings and (images := source.images_to_match(draft.media)):
                findings = await _match(source, images)

            async def write() -> None:
                async with self._database.answers.transaction() as session:
                    await note_findings(session, command.check_id, command.position, findings)

            await persist(write)
            self._media.files.forget(command.check_id)


def _facts(account: Account | None, account_id: str) -> AccountFacts:
    if account is None:
        return AccountFacts(account_id, "", "", premium=True)
    return account_facts(account)


async def _check_each(source: StepMedia, files: list[Media]) -> list[MediaFinding]:
    gate, deadline = asyncio.Semaphore(_CONCURRENCY), asyncio.get_running_loop().time() + CHECK_TIMEOUT_S

    async def check(item: Media) -> MediaFinding | None:
        try:
            async with asyncio.timeout_at(deadline), gate, source.open(item):
                return None
        except TimeoutError:
            return {"url": item.url, "error": f"It could not be checked within {CHECK_TIMEOUT_S:.0f} seconds."}
        except PlatformError as error:
            return _finding(error, item.url)

    findings = await asyncio.gather(*map(check, files))
    return [finding for finding in findings if finding]


async def _match(source: StepMedia, images: list[Media]) -> list[MediaFinding]:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            source.match_sides([await source.measure(image) for image in images])
    except TimeoutError:
        return []
    except PlatformError as error:
        return [_finding(error, images[-1].url)]
    return []


def _finding(error: PlatformError, url: str) -> MediaFinding:
    return {"url": url, "error": error.message, "refused": error.kind is ErrorKind.REJECTED}

"""The comparison of everything once, and of apparent disagreements twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from domain.errors import Unavailable
from reconcile.clock import ahead_of_database
from reconcile.doctor.facts import RunQueries
from reconcile.doctor.findings import Finding, FindingKind, FixedBy, Report
from reconcile.doctor.loose_ends import LooseEnds
from reconcile.doctor.platforms import PublicComparison
from reconcile.doctor.posts import Case, Counted, Examination, suspicious
from reconcile.doctor.sandbox import SandboxAway, fetch_public_posts
from reconcile.doctor.uploads import diagnose_uploads
from reconcile.doctor.waiting import (
    BEGUN_WITHIN,
    TEMPORAL_UNAVAILABLE,
    explain_to_the_doctor,
    not_begun_sentence,
    waiting_sentence,
)
from storage.base import StorageError
from storage.opening import open_storage
from store.database import Database
from store.maintenance.expected_posts import expected_posts
from store.maintenance.waiting import count_late, count_waiting
from workflows.client.runs import Runs

DATABASE_ERRORS = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)

NOT_COMPARED = "Rows could not be compared with workflows."
AGAIN_AFTER_S = 3.0
"""The pause before an apparent disagreement is checked again: by then, running steps have ended."""
_ANSWERS_WITHIN_S = 10.0
_COMPARES_WITHIN_S = 120.0
"""The time limits of Temporal's first response and of the whole comparison with it; a Temporal with too much to do may
answer some requests and let others wait."""
_CONCURRENCY = 16
_SILENT = {FindingKind.STUCK, FindingKind.STATE_UNKNOWN}
"""The findings that are reported although the workflow cannot be queried."""
_CONCURRENT_QUERIES = 4


class Doctor:
    """A check of all posts, or of those of a workspace. It only reads."""

    def __init__(
        self,
        database: Database,
        runs: Runs,
        workspace_id: str | None = None,
        sandbox_url: str | None = None,
        storage: str | None = None,
    ) -> None:
        self._database = database
        self._runs = runs
        self._workspace_id = workspace_id
        self._sandbox_url = sandbox_url
        self._storage = storage
        self._queries = RunQueries(runs, _CONCURRENT_QUERIES)

    async def diagnose(self) -> Report:
        """Return all disagreements. The report names unavailable parts."""
        report = Report()
        async with _recording_unavailable(report):
            try:
                async with asyncio.timeout(_COMPARES_WITHIN_S):
                    await self._check_workflows(report)
            except TimeoutError:
                report.away.append(f"Temporal answers too slowly: it has too much to do. {NOT_COMPARED}")
            except Unavailable:
                report.away.append(f"{TEMPORAL_UNAVAILABLE} {NOT_COMPARED}")
            # These read rows only, so they say what waits while Temporal cannot be asked.
            report.waiting = await self._waiting()
            if self._sandbox_url:
                await self._check_platforms(report, self._sandbox_url)
            if self._storage and self._workspace_id is None:
                await self._check_uploads(report, self._storage)
        explained = {finding.subject.workflow_id for finding in report.findings if finding.kind in _SILENT}
        if silent := len(self._queries.unanswered - explained):
            workflows = "1 workflow" if silent == 1 else f"{silent} workflows"
            report.away.append(f"No worker reported the state of {workflows} that had to be asked.")
        now = datetime.now(UTC)
        report.findings = sorted((finding.judged_at(now) for finding in report.findings), key=_order)
        return report

    async def _check_workflows(self, report: Report) -> None:
        async with asyncio.timeout(_ANSWERS_WITHIN_S):
            has_worker = (await self._runs.queues.posts(ahead_of_database(self._database))).polled
        counted = Counted()
        now = datetime.now(UTC)
        cases = await suspicious(self._database, self._runs, now, self._workspace_id, counted)
        report.posts, report.workflows = counted.posts, counted.workflows
        examination = Examination(self._database, self._runs, self._queries, has_worker=has_worker)
        loose = LooseEnds(self._database, self._runs, self._workspace_id)

        async def diagnose(at: Iterable[Case]) -> list[Finding]:
            findings = await _diagnose_all(examination.findings, at)
            return findings + await loose.findings(waiting=counted.open_posts > 0)

        first = await diagnose(cases.values())
        if first:
            await asyncio.sleep(AGAIN_AFTER_S)
            doubted = {finding.subject.workflow_id for finding in first}
            again = await diagnose(case for case in cases.values() if case.workflow_id in doubted)
            report.findings += _both(first, again)

    async def _waiting(self) -> list[str]:
        now = datetime.now(UTC)
        async with self._database.reading() as session:
            counts = await count_waiting(session, self._workspace_id)
            not_begun = await count_late(session, now - BEGUN_WITHIN, self._workspace_id)
        return [
            *([not_begun_sentence(not_begun)] if not_begun else []),
            *(waiting_sentence(platform, waits, count, now) for (platform, waits), count in sorted(counts.items())),
        ]

    async def _check_uploads(self, report: Report, address: str) -> None:
        storage = open_storage(address)
        try:
            report.findings += await diagnose_uploads(self._database, storage)
        except StorageError as error:
            report.away.append(f"The storage of uploads could not be read: {error}.")
        finally:
            await storage.close()

    async def _check_platforms(self, report: Report, sandbox_url: str) -> None:
        async def diagnose() -> list[Finding]:
            # Rows are read first: a post that is published meanwhile is public and not yet known, and is checked again.
            rows = [post async for post in expected_posts(self._database)]
            platforms = PublicComparison(await fetch_public_posts(sandbox_url), rows, self._workspace_id)
            report.public = platforms.compared
            return list(platforms.findings())

        try:
            first = await diagnose()
            if first:
                await asyncio.sleep(AGAIN_AFTER_S)
                report.findings += _both(first, await diagnose())
        except SandboxAway as error:
            report.away.append(f"{error} So rows could not be compared with platforms.")


async def _diagnose_all(
    diagnose: Callable[[Case], Awaitable[Sequence[Finding]]], cases: Iterable[Case]
) -> list[Finding]:
    slots = asyncio.Semaphore(_CONCURRENCY)

    async def within_slot(case: Case) -> Sequence[Finding]:
        async with slots:
            return await diagnose(case)

    return [finding for findings in await asyncio.gather(*map(within_slot, cases)) for finding in findings]


def _both(first: Iterable[Finding], again: Iterable[Finding]) -> list[Finding]:
    """Return the findings of both checks, as they were in the second."""
    before = {finding.identity for finding in first}
    return [finding for finding in again if finding.identity in before]


def _order(finding: Finding) -> tuple[bool, str, str, str]:
    # Findings for a person come last, next to the summary; those of one post are together.
    subject = finding.subject
    return finding.fixed_by is FixedBy.PERSON, subject.post_id or "", finding.kind, subject.target_id or ""


@asynccontextmanager
async def _recording_unavailable(report: Report) -> AsyncIterator[None]:
    try:
        yield
    except DATABASE_ERRORS as error:
        report.away.append(explain_to_the_doctor(error))

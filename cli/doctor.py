"""The doctor's report on disagreements of rows, workflows and platforms, for people and for programs."""

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic.alias_generators import to_camel
from temporalio.service import RPCError

from cli.environment import Environment, find_environment, open_database
from cli.errors import UserError
from cli.temporal_client import temporal_client
from cli.terminal import say
from cli.workspaces import existing_workspace
from domain.printable import make_printable
from domain.schedule import rfc3339
from reconcile.doctor.doctor import AGAIN_AFTER_S, DATABASE_ERRORS, NOT_COMPARED, Doctor
from reconcile.doctor.findings import CAUSES, Exit, Finding, FixedBy, Report
from reconcile.doctor.waiting import TEMPORAL_UNAVAILABLE, explain_to_the_doctor
from runtime.settings import Settings
from store.database import OF_DIAGNOSES, Database
from workflows.client.runs import Runs

EXAMPLES = 5
"""How many findings of one kind are printed unless all are requested."""
_CONNECTED_WITHIN_S = 4.0
"""The time limit for each of the database and Temporal to answer at all; our choice."""
_AGAIN_WITHIN_S = 30.0
"""A check that took longer than this is not repeated: what it could not ask does not answer soon."""
_TELLS_EVERY_S = 5.0
_CLOCKS = (
    "Of all clocks, only this machine's was compared with the database's. Workers and APIs report theirs as "
    "socialsyncer_clock_skew_seconds, and log clock.skewed."
)
"""No process records its clock where a command can read it."""
_GROUPS = {FixedBy.SYSTEM: "healing by themselves", FixedBy.PERSON: "for a person"}


async def doctor(
    data_dir: Path | None, workspace: str | None, *, as_json: bool, everything: bool = False
) -> tuple[str, Exit]:
    """Check, and check again if a part could not be reached; return the text to print, and the exit code."""
    began = time.monotonic()
    progress = asyncio.create_task(_tell_progress(began))
    try:
        report = await _report(data_dir, workspace)
        if (
            report.exit is Exit.COULD_NOT_CHECK
            and not report.unreachable
            and time.monotonic() - began < _AGAIN_WITHIN_S
        ):
            # A worker that has just started answers a moment later.
            await asyncio.sleep(AGAIN_AFTER_S)
            report = await _report(data_dir, workspace)
    finally:
        progress.cancel()
    text = to_json(report) if as_json else to_text(report, time.monotonic() - began, everything=everything)
    return text, report.exit


async def _tell_progress(began: float) -> None:
    while True:
        await asyncio.sleep(_TELLS_EVERY_S)
        say(f"Comparing rows with workflows for {time.monotonic() - began:.0f} s…", error=True)


async def _report(data_dir: Path | None, workspace: str | None) -> Report:
    try:
        return await _diagnose(find_environment(data_dir, Settings), workspace)
    except UserError as error:
        return Report(away=[error.message])


async def _diagnose(environment: Environment[Settings], workspace: str | None) -> Report:
    """Run the check once. Raises UserError if the environment or the workspace is wrong."""
    away, runs, workspace_id = list[str](), None, None
    async with open_database(environment, OF_DIAGNOSES) as database, AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(_CONNECTED_WITHIN_S):
                await database.ping()
            workspace_id = await _workspace_id(database, workspace)
        except DATABASE_ERRORS as error:
            away.append(explain_to_the_doctor(error))
        try:
            async with asyncio.timeout(_CONNECTED_WITHIN_S):
                runs = Runs(await stack.enter_async_context(temporal_client(environment)))
        except (RPCError, RuntimeError, TimeoutError):
            away.append(f"{TEMPORAL_UNAVAILABLE} {NOT_COMPARED}")
        if runs is None or away:
            return Report(away=away, unreachable=True)
        settings = environment.settings
        return await Doctor(database, runs, workspace_id, settings.sandbox_url, settings.storage).diagnose()


async def _workspace_id(database: Database, workspace: str | None) -> str | None:
    if workspace is None:
        return None
    async with database.reading() as session:
        return await existing_workspace(session, workspace)


def to_json(report: Report) -> str:
    """Return the report as one JSON object."""
    findings = [_json(finding) for finding in report.findings]
    compared = {"posts": report.posts, "workflows": report.workflows, "publicPosts": report.public}
    whole = {"exitCode": int(report.exit), "compared": compared, "couldNotCheck": report.away, "findings": findings}
    whole["waiting"] = report.waiting
    whole["clocks"] = _CLOCKS
    return json.dumps(whole, indent=2)


def _json(finding: Finding) -> dict[str, Any]:
    named = {to_camel(name): value for name, value in asdict(finding.subject).items() if value is not None}
    by = {"by": rfc3339(finding.by)} if finding.by else {}
    return {
        "kind": finding.kind,
        "fixedBy": finding.fixed_by,
        **named,
        "what": finding.what,
        "how": finding.how,
        **by,
    }


def to_text(report: Report, seconds: float, *, everything: bool = False) -> str:
    """Return the report for people: parts that are down, other causes, waiting targets, effects, the sum."""
    causes = [finding for finding in report.findings if finding.kind in CAUSES]
    others = sorted(
        (finding for finding in report.findings if finding.kind not in CAUSES),
        key=lambda finding: finding.fixed_by is FixedBy.SYSTEM,
    )
    paragraphs = [
        *_paragraphs(causes, everything=everything),
        *report.waiting,
        *_paragraphs(others, everything=everything),
    ]
    return "\n\n".join([*report.away, *paragraphs, _summary(report, seconds)])


def _paragraphs(findings: Sequence[Finding], *, everything: bool) -> Iterator[str]:
    for kind in dict.fromkeys(finding.kind for finding in findings):
        alike = [finding for finding in findings if finding.kind is kind]
        shown = alike if everything else alike[:EXAMPLES]
        if len(alike) > len(shown):
            yield f"{kind}: {len(alike):,} in all. The first {EXAMPLES}; --all shows the others."
        yield from ("\n".join(map(make_printable, _paragraph(finding))) for finding in shown)


def _paragraph(finding: Finding) -> Iterator[str]:
    subject = finding.subject
    names = [subject.post_id or subject.workflow_id]
    if subject.target_id:
        names.append(f"target {subject.target_id} ({subject.platform}, {subject.account_id})")
    if subject.post_id and subject.workflow_id not in {None, subject.post_id}:
        names.append(f"workflow {subject.workflow_id}")
    yield f"{finding.kind}: {', '.join(filter(None, names)) or subject.platform or 'this service'}"
    yield f"  {finding.what}"
    yield f"  {finding.how}" + (
        f" (by {rfc3339(finding.by)})" if finding.by and finding.fixed_by is FixedBy.SYSTEM else ""
    )


def _summary(report: Report, seconds: float) -> str:
    if report.away and not any((report.findings, report.posts, report.workflows, report.public)):
        return "Nothing was compared."
    compared = [_count(report.posts, "live post"), _count(report.workflows, "running workflow")]
    if report.public is not None:
        compared.append(_count(report.public, "public post"))
    counts = [f"{len(group)} {_GROUPS[fixed_by]}" for fixed_by in FixedBy if (group := report.healing_by(fixed_by))]
    verdict = "; ".join(counts) or ("Nothing else was found" if report.away else "All agree")
    return f"{verdict}. Compared: {', '.join(compared)}, in {seconds:.1f} s.\n{_CLOCKS}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"

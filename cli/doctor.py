"""Say what rows, workflows and networks disagree about, for people and for programs."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pydantic.alias_generators import to_camel
from temporalio.service import RPCError

from cli.errors import UserError
from cli.place import Place, place_of
from domain.printable import make_printable
from domain.schedule import rfc3339
from runtime.doctor.doctor import DATABASE_ERRORS, Doctor, database_away
from runtime.doctor.findings import Exit, Finding, Heals, Report
from runtime.settings import Settings
from runtime.temporal import connect
from store.database import OF_COMMANDS, Database
from store.workspaces import find_workspace
from workflows.runs import Runs

_HEALS = {Heals.ITSELF: "healing by themselves", Heals.PERSON: "for a person"}


async def doctor(data_dir: Path | None, workspace: str | None, *, as_json: bool) -> tuple[str, Exit]:
    """Look once; returns what is to be printed, and the exit code."""
    began = time.monotonic()
    try:
        report = await _look(place_of(data_dir, Settings), workspace)
    except UserError as error:
        report = Report(away=[error.message])
    return (as_program(report) if as_json else as_text(report, time.monotonic() - began)), report.exit


async def _look(place: Place[Settings], workspace: str | None) -> Report:
    """Raises UserError where the environment or the workspace is not what it says."""
    database = Database(place.settings.database_url.get_secret_value(), limits=OF_COMMANDS)
    try:
        workspace_id = None if workspace is None else await _workspace_id(database, workspace)
        client = await connect(address=place.temporal_address, namespace=place.temporal_namespace, attempts=1)
        return await Doctor(database, Runs(client), workspace_id, place.settings.sandbox_url).look()
    except (RPCError, RuntimeError) as error:
        raise UserError("Temporal does not answer, so rows could not be held against workflows.") from error
    except DATABASE_ERRORS as error:
        raise UserError(database_away(error)) from error
    finally:
        await database.close()


async def _workspace_id(database: Database, workspace: str) -> str:
    async with database.reading() as session:
        found = await find_workspace(session, workspace)
    if found is None:
        raise UserError(f"There is no workspace {workspace}.")
    return found


def as_program(report: Report) -> str:
    """Return the report as one JSON object."""
    findings = [_json(finding) for finding in report.findings]
    compared = {"posts": report.posts, "workflows": report.workflows, "publicPosts": report.public}
    whole = {"exitCode": int(report.exit), "compared": compared, "couldNotLook": report.away, "findings": findings}
    return json.dumps(whole, indent=2)


def _json(finding: Finding) -> dict[str, Any]:
    named = {to_camel(name): value for name, value in asdict(finding.subject).items() if value is not None}
    by = {"by": rfc3339(finding.by)} if finding.by else {}
    return {"kind": finding.kind, "heals": finding.heals, **named, "what": finding.what, "how": finding.how, **by}


def as_text(report: Report, seconds: float) -> str:
    """Return the report for people: a paragraph for each disagreement, then what it comes to."""
    paragraphs = ["\n".join(map(make_printable, _paragraph(finding))) for finding in report.findings]
    return "\n\n".join([*paragraphs, *report.away, _summary(report, seconds)])


def _paragraph(finding: Finding) -> Iterator[str]:
    subject = finding.subject
    names = [subject.post_id or subject.workflow_id]
    if subject.target_id:
        names.append(f"target {subject.target_id} ({subject.platform}, {subject.account_id})")
    if subject.post_id and subject.workflow_id not in {None, subject.post_id}:
        names.append(f"workflow {subject.workflow_id}")
    yield f"{finding.kind}: {', '.join(filter(None, names)) or subject.platform or 'this service'}"
    yield f"  {finding.what}"
    yield f"  {finding.how}" + (f" (by {rfc3339(finding.by)})" if finding.by and finding.heals is Heals.ITSELF else "")


def _summary(report: Report, seconds: float) -> str:
    compared = [_count(report.posts, "live post"), _count(report.workflows, "running workflow")]
    if report.public is not None:
        compared.append(_count(report.public, "public post"))
    counts = [f"{len(found)} {_HEALS[heals]}" for heals in Heals if (found := report.of(heals))]
    verdict = "; ".join(counts) or ("Nothing else was found" if report.away else "All agree")
    return f"{verdict}. Compared: {', '.join(compared)}, in {seconds:.1f} s."


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"

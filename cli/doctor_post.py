"""The doctor's report on one post: all that is known about it, and what to do now."""

import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

from temporalio.service import RPCError

from api.posts.history import events_view
from api.views import write_json
from cli.environment import find_environment, open_database
from cli.errors import UserError
from cli.history import say_what_is_missing
from cli.post_names import post_named
from cli.temporal_client import temporal_client
from reconcile.doctor.findings import Exit, FixedBy
from reconcile.doctor.one_post import PostReport, examine
from runtime.settings import Settings
from store.database import OF_DIAGNOSES
from store.posts.history import EntrySource, HistoryEntry, HistoryPosition
from workflows.client.runs import Runs


async def doctor_post(data_dir: Path | None, name: str, *, as_json: bool) -> tuple[str, Exit]:
    """Return the text to print about a post, and the exit code. Raises UserError if there is no such post."""
    environment = find_environment(data_dir, Settings)
    async with open_database(environment, OF_DIAGNOSES) as database, AsyncExitStack() as stack:
        try:
            runs = Runs(await stack.enter_async_context(temporal_client(environment)))
        except (RPCError, RuntimeError):
            runs = None
        async with database.reading() as session:
            post_id = await post_named(session, name)
        report = await examine(database, runs, post_id)
        if report is None:
            raise UserError(await say_what_is_missing(database, post_id))
        del runs
    return (to_json(report) if as_json else "\n".join(to_text(report))), report.exit


def to_json(report: PostReport) -> str:
    """Return the report as one JSON object."""
    targets = [
        {
            "platform": target.platform,
            "accountId": target.account_id,
            "status": target.status,
            "waitsFor": target.waits_for,
            "explanation": target.explanation,
        }
        for target in report.targets
    ]
    whole = {
        "exitCode": int(report.exit),
        "postId": report.post_id,
        "workspaceId": report.workspace_id,
        "workflowId": report.workflow_id,
        "row": report.row,
        "targets": targets,
        "workflow": report.workflow,
        "platform": report.platform,
        "attempts": [json.loads(write_json(view)) for view in events_view(_lines(report), identities=True)],
        "findings": [
            {"kind": finding.kind, "fixedBy": finding.fixed_by, "what": finding.what} for finding in report.findings
        ],
        "now": [{"fixedBy": advice.fixed_by, "text": advice.text} for advice in report.advice],
        "couldNotCheck": report.away,
    }
    return json.dumps(whole, indent=2, ensure_ascii=False)


def to_text(report: PostReport) -> Iterator[str]:
    """Yield the lines of the report for people; what to do comes last."""
    yield f"{report.post_id} of workspace {report.workspace_id}, workflow {report.workflow_id}"
    yield report.row
    yield from (f"  {target.explanation}" for target in report.targets)
    yield from report.workflow
    yield from report.platform
    if report.attempts:
        yield "The last steps towards platforms:"
        for view in events_view(_lines(report), identities=True):
            yield f"  {view['at']}  {view['summary']}"
    yield from (f"{finding.kind}: {finding.what}" for finding in report.findings)
    yield from report.away
    yield "What to do now:"
    if not report.advice:
        yield "  Nothing." if not report.away else "  Run this again once that answers."
    for advice in report.advice:
        yield f"  {'' if advice.fixed_by is FixedBy.SYSTEM else '! '}{advice.text}"


def _lines(report: PostReport) -> list[HistoryEntry]:
    return [
        HistoryEntry(HistoryPosition(event.at, EntrySource.ATTEMPTS, at), event)
        for at, event in enumerate(report.attempts)
    ]

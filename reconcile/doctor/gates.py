"""Findings about gates and campaigns: sends through closed gates, holds at open ones, campaigns without a workflow."""

from collections.abc import AsyncIterator
from datetime import timedelta

from domain.schedule import rfc3339
from reconcile.campaigns import LOST_AFTER
from reconcile.doctor.findings import Finding, FindingKind, FixedBy, Subject
from store.campaigns.progress import campaigns_after
from store.database import Database
from store.maintenance.gates import GatedTarget, held_while_open, sent_while_closed
from store.rows import database_now
from workflows.client.runs import Runs

_LATELY = timedelta(minutes=1)
"""Workers let such a target continue within ten seconds."""
_PAGE = 500


class GateCheck:
    """A search for targets and campaigns that do not agree with their gates and workflows."""

    def __init__(self, database: Database, runs: Runs, workspace_id: str | None) -> None:
        self._database = database
        self._runs = runs
        self._workspace_id = workspace_id

    async def findings(self) -> list[Finding]:
        """Return all of them. Raises Unavailable."""
        async with self._database.reading() as session:
            sent = await sent_while_closed(session, self._workspace_id)
            held = await held_while_open(session, self._workspace_id, _LATELY)
            now = await database_now(session)
        return [
            *map(_sent, sent),
            *(
                Finding(
                    FindingKind.HELD_AT_AN_OPEN_GATE,
                    FixedBy.SYSTEM,
                    _subject(target),
                    "A pause holds it although no gate stops it any more.",
                    "By itself: a worker lets it continue within seconds.",
                    now,
                )
                for target in held
            ),
            *[finding async for finding in self._lost_campaigns()],
        ]

    async def _lost_campaigns(self) -> AsyncIterator[Finding]:
        last = ""
        while True:
            async with self._database.reading() as session:
                plans, now = await campaigns_after(session, last, _PAGE), await database_now(session)
            running = {run.workflow_id for run in await self._runs.running_among(plan.campaign_id for plan in plans)}
            for plan in plans:
                if plan.campaign_id in running or self._workspace_id not in {None, plan.workspace_id}:
                    continue
                subject = Subject(workspace_id=plan.workspace_id, workflow_id=plan.campaign_id)
                what = f"The campaign {plan.campaign_id} has no workflow that shows it and ends it at its time."
                how = "By itself within ten minutes: a worker starts it again. Its posts do not depend on it."
                yield Finding(FindingKind.CAMPAIGN_LOST, FixedBy.SYSTEM, subject, what, how, now + LOST_AFTER)
            if len(plans) < _PAGE:
                return
            last = plans[-1].campaign_id


def _sent(target: GatedTarget) -> Finding:
    what = (
        f"A request to publish it to {target.platform} account {target.account_id} began at {rfc3339(target.at)}, "
        f"while its {target.kind} was paused."
    )
    how = "Look whether it is public, and tell the developers of this service: no code may send through a closed gate."
    return Finding(FindingKind.SENT_WHILE_CLOSED, FixedBy.PERSON, _subject(target), what, how)


def _subject(target: GatedTarget) -> Subject:
    return Subject(
        target.post_id,
        target.workspace_id,
        target.workflow_id,
        target.target_id,
        target.platform,
        target.account_id,
    )

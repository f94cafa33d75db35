"""Short activities that only change rows: repeatable, no network, most of them run as local activities."""

import asyncio
from datetime import UTC, datetime

from temporalio import activity

from activities.commands import GiveUp, PostCommand
from activities.meters import Meters
from activities.operators import who_cancelled, who_signalled
from domain import transitions
from domain.attempts import WORKER_LOST, AttemptResult, AttemptState
from domain.audit import WORKER, Action, Line
from domain.outcome import STALE, Outcome
from domain.ownership import Send, judge_send
from domain.plan import Plan
from domain.post import ErrorCategory, TargetStatus
from store.audit import add_unless_said
from store.database import Database
from store.models import Target
from store.plans import plan_with_accounts, read_plan
from store.publishing import close_attempt, load, outcome_of, settle
from store.wishes import lock_post, reopen, write_off_post

_LATE = "It could not be published within the time it was given for that. Retry it if it should still go out."
_INCOMPLETE = "What follows the post, such as its address or a first comment, could not be added in time."

WINDOW_PASSED = "publish_window_passed"
"""Why a target is given up that could not go out in the time it was given for that."""


class Posts:
    """Read and change a post's rows for its workflow."""

    def __init__(self, database: Database, meters: Meters | None = None) -> None:
        self._database = database
        self._meters = meters or Meters()

    @activity.defn
    async def look(self, command: PostCommand) -> Plan | None:
        """Return what the row says that is wanted; None if the post is a draft, or deleted."""
        async with self._database.reading() as session:
            return await read_plan(session, command.post_id)

    @activity.defn
    async def reopen(self, command: PostCommand) -> Plan | None:
        """Let what failed wait again, and return what is wanted then; None if the post is a draft, or deleted."""
        actor = await who_signalled("retry")
        async with self._database.transaction() as session:
            post = await lock_post(session, command.post_id)
            if post is None or post.due_at is None:
                return None
            await reopen(session, post, actor, **_run())
            return await plan_with_accounts(session, post)

    @activity.defn
    async def write_off(self, command: PostCommand) -> Plan | None:
        """Leave the rows of a cancelled post at rest, and return what they say; None if it is a draft, or deleted."""
        actor = await who_cancelled()
        async with self._database.transaction() as session:
            post = await lock_post(session, command.post_id)
            if post is None or post.due_at is None:
                return None
            last_moment = await write_off_post(session, post, actor, **_run())
            plan = await plan_with_accounts(session, post)
        if last_moment and last_moment > datetime.now(UTC):
            # By then no worker that was frozen while it sent can send any more.
            await asyncio.sleep((last_moment - datetime.now(UTC)).total_seconds())
        return plan

    @activity.defn
    async def give_up(self, command: GiveUp) -> Outcome:
        """Settle a target that was tried long enough: failed, or unconfirmed where a send may have landed.

        One that is public stays so; of what was to follow, its row says that it is missing.
        """
        async with self._database.transaction() as session:
            job = await load(session, command.target_id, lock=True)
            if job is None:
                return STALE
            if command.code == WINDOW_PASSED and judge_send(job.row, command.version, datetime.now(UTC)) is not Send.GO:
                # It has been given another time, of which the run does not know yet.
                return STALE
            if job.sent and job.sent.state == AttemptState.SENDING:
                await close_attempt(
                    session,
                    job.sent.id,
                    AttemptResult(AttemptState.UNCLEAR, "given up while the answer was out", code=WORKER_LOST),
                )
                change = transitions.unconfirmed(command.code, "The network's answer was lost.")
            elif job.target.status == TargetStatus.UNCONFIRMED:
                change = transitions.resting()
            elif job.target.status in {TargetStatus.FAILED, TargetStatus.PUBLISHED}:
                if command.code == "incomplete":
                    job.target.warning = job.target.warning or _INCOMPLETE
                return outcome_of(job.target)
            else:
                category = ErrorCategory(job.target.error_category or ErrorCategory.PLATFORM)
                change = transitions.failed(_last_words(job.target), command.code, category)
            outcome = await settle(session, command.target_id, change)
            await add_unless_said(session, job.post, _given_up(job.target, command, outcome))
        self._meters.came_to(command.platform, outcome)
        return outcome


def _run() -> dict[str, str]:
    return {"runId": activity.info().workflow_run_id or ""}


def _given_up(target: Target, command: GiveUp, outcome: Outcome) -> Line:
    action = Action.FAILED if outcome.status is TargetStatus.FAILED else Action.UNCONFIRMED
    named = ((target.platform, target.account_id),)
    return Line(action, WORKER, targets=named, details=(("code", command.code), ("decision", "given up")))


def _last_words(target: Target) -> str:
    return f"{target.error} {_LATE}" if target.error else _LATE

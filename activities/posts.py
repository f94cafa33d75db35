"""Short activities that only change rows: repeatable, without a platform, most of them run as local activities."""

import asyncio
import functools
from datetime import UTC, datetime

from temporalio import activity

from activities.commands import GiveUpCommand, GiveUpReason, PostCommand
from activities.complete import NOT_YET
from activities.meters import Meters
from activities.operators import who_cancelled, who_signalled
from domain import transitions
from domain.attempts import WORKER_LOST, AttemptResult, AttemptState
from domain.audit import WORKER, Action, AuditEntry
from domain.codes import PAUSED
from domain.ownership import SendDecision, decide_send
from domain.plan import STALE, Outcome, Plan, Unscheduled
from domain.post import RESULTS, ErrorCategory, TargetStatus
from domain.transitions import AnswerTo, BeforeSend, ConfirmationOf, WriteResult
from store.database import Database
from store.models import Target
from store.posts.changes import lock_post, reopen, write_off_post
from store.posts.delivery import plan_with_accounts, read_plan
from store.publishing.sending import Settled, open_target, settle
from store.publishing.targets import LoadedTarget

_LATE = "It could not be published within the time it was given for that. Retry it if it should still go out."
_INCOMPLETE = "What follows the post, such as its address or a first comment, could not be added in time."

_READINGS = 3
"""How often the rows are read, because another step may change them between the read and the write."""


class PostActivities:
    """The activities that read and change a post's rows for its workflow."""

    def __init__(self, database: Database, meters: Meters | None = None) -> None:
        self._database = database
        self._meters = meters or Meters()

    @activity.defn
    async def read_plan(self, command: PostCommand) -> Plan | Unscheduled | None:
        """Return the plan in the post's row; None if the post is deleted."""
        async with self._database.reading() as session:
            return await read_plan(session, command.post_id)

    @activity.defn
    async def reopen(self, command: PostCommand) -> Plan | None:
        """Reopen failed targets and return the new plan; None if the post is a draft, or deleted."""
        actor, details = await who_signalled("retry")
        async with self._database.transaction() as session:
            post = await lock_post(session, command.post_id)
            if post is None or post.due_at is None:
                return None
            await reopen(session, post, actor, **details)
            return await plan_with_accounts(session, post)

    @activity.defn
    async def write_off(self, command: PostCommand) -> Plan | Unscheduled | None:
        """Write off a cancelled post's targets, and return its plan; None if it is deleted."""
        actor, details = await who_cancelled()
        async with self._database.transaction() as session:
            post = await lock_post(session, command.post_id)
            if post is None:
                return None
            if post.due_at is None:
                return Unscheduled(post_id=post.id, version=post.version)
            last_moment = await write_off_post(session, post, actor, **details)
            plan = await plan_with_accounts(session, post)
        if last_moment and last_moment > datetime.now(UTC):
            # After that time, no worker that was frozen before its request can send it any more.
            await asyncio.sleep((last_moment - datetime.now(UTC)).total_seconds())
        return plan

    @activity.defn
    async def give_up(self, command: GiveUpCommand) -> Outcome:
        """Settle a target that was tried long enough: failed, or unconfirmed if a send may have been published.

        A public target stays public; if a later step is missing, its row says so.
        """
        settled = Settled(WriteResult.GONE, STALE)
        for _ in range(_READINGS):
            loaded = await open_target(self._database, command.target_id)
            if loaded is None:
                return STALE
            if (
                command.code is GiveUpReason.WINDOW_PASSED
                and decide_send(loaded.row, command.version, datetime.now(UTC)) is not SendDecision.GO
            ):
                # The post has been given another time, of which the run does not know yet.
                return STALE
            settled = await self._give_up(command, loaded)
            if settled.write is WriteResult.MADE:
                self._meters.record_outcome(command.platform, settled.outcome)
                break
            if settled.write is WriteResult.WRONG_STATUS and loaded.target.status in RESULTS:
                break
        return settled.outcome

    async def _give_up(self, command: GiveUpCommand, loaded: LoadedTarget) -> Settled:
        """Settle a target by the state of its rows; nothing is written if the rows have changed by now."""
        settle_as = functools.partial(settle, self._database, command.target_id)
        # A post whose time has passed may be given another one before this is written.
        known = command.version if command.code is GiveUpReason.WINDOW_PASSED else None
        status, before = TargetStatus(loaded.target.status), BeforeSend(known, due=False)
        if loaded.sent and loaded.sent.state == AttemptState.SENDING:
            given_up = AttemptResult(AttemptState.UNCONFIRMED, "given up while the answer was out", code=WORKER_LOST)
            unconfirmed = transitions.unconfirmed(command.code, "The platform's answer was lost.")
            entry = _given_up(command, Action.UNCONFIRMED)
            return await settle_as(AnswerTo(loaded.sent.id), unconfirmed, given_up, entry)
        if status is TargetStatus.UNCONFIRMED:
            confirmation = ConfirmationOf(loaded.sent.id if loaded.sent else None, datetime.now(UTC))
            entry = _given_up(command, Action.UNCONFIRMED)
            return await settle_as(confirmation, transitions.resting(), entry=entry)
        if command.code is GiveUpReason.WINDOW_PASSED and status.is_unsent and loaded.waits_for_pause:
            # Its time to be published stands still during a pause.
            entry = AuditEntry(Action.HELD, WORKER, details=(("code", PAUSED),))
            return await settle_as(BeforeSend(command.version), transitions.paused(), entry=entry)
        if status.is_unsent:
            category = ErrorCategory(loaded.target.error_category or ErrorCategory.PLATFORM)
            transition = transitions.failed(_final_error(loaded.target), command.code, category)
            return await settle_as(before, transition, entry=_given_up(command, Action.FAILED))
        if command.code is GiveUpReason.INCOMPLETE and (loaded.target.warning or NOT_YET).startswith(NOT_YET):
            return await settle_as(before, transitions.incomplete(_INCOMPLETE))
        return Settled(WriteResult.WRONG_STATUS, loaded.outcome)


def _given_up(command: GiveUpCommand, action: Action) -> AuditEntry:
    return AuditEntry(action, WORKER, details=(("code", command.code), ("decision", "given up")))


def _final_error(target: Target) -> str:
    return f"{target.error} {_LATE}" if target.error else _LATE

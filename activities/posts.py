"""Short activities that only change rows: repeatable, no network, most of them run as local activities."""

from temporalio import activity

from activities import verdicts
from activities.commands import GiveUp, PostCommand, Reopen, Resolve, RevisionCommand
from activities.meters import Meters
from domain.outcome import GONE, Outcome
from domain.plan import Plan
from domain.post import ErrorCategory, TargetStatus
from store.database import Database
from store.models import Target
from store.plans import plan_with_accounts
from store.posts import apply_amendment
from store.publishing import Note, close_attempt, delete_post, load, outcome_of, reopen, resolve, settle

_LATE = "It could not be published within the time it was given for that. Retry it if it shall still go out."
_INCOMPLETE = "What follows the post, such as its address or a first comment, could not be added in time."
_CANCELLED = "An operator of this service cancelled the post before it was published."


class Posts:
    """Change a post's rows for its workflow, their only writer."""

    def __init__(self, database: Database, meters: Meters | None = None) -> None:
        self._database = database
        self._meters = meters or Meters()

    @activity.defn
    async def amend(self, command: RevisionCommand) -> Plan | None:
        """Apply a saved amendment; return the plan as it is then, None where the post has become a draft."""
        async with self._database.transaction() as session:
            post = await apply_amendment(session, command.revision_id)
            if post is None or post.due_at is None:
                return None
            return await plan_with_accounts(session, post)

    @activity.defn
    async def delete(self, command: PostCommand) -> bool | None:
        """Delete a post's rows; False where another deletion came first. Older workers told nothing: None."""
        async with self._database.transaction() as session:
            deleted = await delete_post(session, command.post_id)
        # An earlier run of this step may have done it and not been able to say so.
        return deleted or activity.info().attempt > 1

    @activity.defn
    async def reopen(self, command: Reopen) -> list[str]:
        """Make what failed pending again; return the ids of the targets to work on."""
        async with self._database.transaction() as session:
            return await reopen(session, command.post_id, command.target_ids)

    @activity.defn
    async def resolve(self, command: Resolve) -> Outcome:
        """Settle an unconfirmed target as a person says."""
        async with self._database.transaction() as session:
            outcome = await resolve(session, command.target_id, command.platform_post_id, published=command.published)
        self._meters.came_to(command.platform, outcome)
        return outcome

    @activity.defn
    async def give_up(self, command: GiveUp) -> Outcome:
        """Settle a target that was tried long enough: failed, or unconfirmed where a send may have landed.

        One that is public stays so; of what was to follow, its row says that it is missing.
        """
        async with self._database.transaction() as session:
            job = await load(session, command.target_id, lock=True)
            if job is None or job.is_draft:
                return GONE
            if job.sent and job.sent.state == "sending":
                await close_attempt(session, job.sent.id, Note("unclear", "given up while the answer was out"))
                change: verdicts.Change = verdicts.unconfirmed(command.code, "The network's answer was lost.")
            elif job.target.status == TargetStatus.UNCONFIRMED:
                change = verdicts.resting
            elif job.target.status in {TargetStatus.FAILED, TargetStatus.PUBLISHED}:
                if command.code == "incomplete":
                    job.target.warning = job.target.warning or _INCOMPLETE
                return outcome_of(job.target)
            elif command.code == "cancelled":
                change = verdicts.failed(_CANCELLED, command.code, ErrorCategory.INTERNAL)
            else:
                category = ErrorCategory(job.target.error_category or ErrorCategory.PLATFORM)
                change = verdicts.failed(_last_words(job.target), command.code, category)
            outcome = await settle(session, command.target_id, change)
        self._meters.came_to(command.platform, outcome)
        return outcome


def _last_words(target: Target) -> str:
    return f"{target.error} {_LATE}" if target.error else _LATE

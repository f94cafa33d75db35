"""Functions that settle targets whose answer was lost, one or many, as the API's `resolve` does."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.service import RPCError

from api.posts.bodies.schemas import ResolveBody
from api.posts.changes.post_change import id_and_address, read_resolution, settle_target
from cli.current_operator import current_operator
from cli.decisions import BadLines, Decision
from cli.environment import Environment, find_environment, open_database
from cli.temporal_client import temporal_client
from domain.errors import Conflict, PostsError, Problem, Unavailable
from domain.ownership import may_resolve
from domain.plan import Plan
from domain.post import TargetStatus
from runtime.settings import Settings
from store.accounts.connected import find_accounts
from store.database import Database
from store.models import Post, Target
from store.posts.changes import lock_post, reopen, settled_by_a_person
from store.posts.delivery import plan_with_accounts, record_delivered
from store.posts.queries import find_posts
from workflows.client.delivery import deliver_or_move
from workflows.client.post_workflows import PostWorkflows

_PAGE = 200
_CONCURRENCY = 8


class Effect(Enum):
    """The effect of a decision on its target."""

    SETTLES = "settles"
    SAME = "same"
    """The target already has this outcome."""
    TOO_LATE = "too late"
    """The target waits for no decision: it was found, sent again, or settled otherwise since."""


@dataclass(frozen=True, slots=True)
class PlannedDecision:
    """A decision, the request body that it means, and its effect."""

    decision: Decision
    body: ResolveBody
    effect: Effect
    status: str
    """The status of its target."""


class TargetSettler:
    """A connection that settles targets in one database and notifies their workflows."""

    def __init__(self, environment: Environment[Settings], database: Database) -> None:
        self._environment = environment
        self._database = database
        self.refused = 0
        """How many decisions could not be carried out, because their posts were changed or deleted meanwhile."""

    async def plan(self, decisions: Sequence[Decision]) -> list[PlannedDecision]:
        """Return the effect of each decision; nothing is changed. Raises UserError, which names each bad line."""
        bad, planned = BadLines(), dict[tuple[str, str], PlannedDecision]()
        for first in range(0, len(decisions), _PAGE):
            part = decisions[first : first + _PAGE]
            async with self._database.reading() as session:
                posts = await find_posts(session, {decision.post_id for decision in part})
                for decision in part:
                    if (decided := await _planned(session, posts.get(decision.post_id), decision, bad)) is None:
                        continue
                    key = (decision.post_id, decided.body.account_id)
                    if key in planned:
                        bad.add(decision.line, f"line {planned[key].decision.line} decides the same target.")
                    planned[key] = decided
        bad.refuse_if_any()
        return list(planned.values())

    async def settle(self, planned: Sequence[PlannedDecision], *, retry: bool) -> AsyncIterator[str]:
        """Carry out decisions that settle a target, each in a transaction of its own; yield the results as sentences.

        `retry`: publish immediately again what is not public.
        """
        done, plans = 0, list[Plan]()
        for decision in planned:
            if decision.effect is not Effect.SETTLES:
                continue
            try:
                plan = await self._settle(decision, retry=retry)
            except PostsError as error:
                self.refused += 1
                yield f"{_place_name(decision)}: {error.first.error}."
                continue
            done += 1
            plans.append(plan)
        yield f"{_counted(done, 'target')} settled."
        if undelivered := await self._deliver(plans):
            yield (
                f"{_counted(undelivered, 'workflow')} could not be notified, because Temporal does not answer. The "
                "posts are settled all the same; a worker notifies the workflows once Temporal is back."
            )

    async def _settle(self, planned: PlannedDecision, *, retry: bool) -> Plan:
        async with self._database.transaction() as session:
            post = await lock_post(session, planned.decision.post_id)
            if post is None:
                raise Conflict(Problem("The post was deleted meanwhile", "conflict"))
            plan = await settle_target(session, post, planned.body, current_operator())
            if retry and planned.body.outcome == "not_published":
                only = [target.id for target in post.targets if target.account_id == planned.body.account_id]
                await reopen(session, post, current_operator(), only)
                plan = await plan_with_accounts(session, post)
            return plan

    async def _deliver(self, plans: Sequence[Plan]) -> int:
        """Notify the posts' workflows; return how many could not be notified."""
        if not plans:
            return 0
        try:
            async with temporal_client(self._environment) as client:
                return await self._deliver_by(PostWorkflows(client), plans)
        except (RPCError, RuntimeError):
            return len(plans)

    async def _deliver_by(self, workflows: PostWorkflows, plans: Sequence[Plan]) -> int:
        slots = asyncio.Semaphore(_CONCURRENCY)

        async def deliver_one(plan: Plan) -> Plan | None:
            async with slots:
                try:
                    await deliver_or_move(self._database, workflows, plan)
                except Unavailable:
                    return None
                return plan

        # If a post has several targets, the newest plan counts.
        newest = {plan.post_id: plan for plan in plans}
        done = [delivered for delivered in await asyncio.gather(*map(deliver_one, newest.values())) if delivered]
        async with self._database.transaction() as session:
            await record_delivered(session, {plan.post_id: plan.version for plan in done})
        return len(newest) - len(done)


@asynccontextmanager
async def resolver(data_dir: Path | None) -> AsyncIterator[TargetSettler]:
    """Open the resolver for the duration of a command. Raises UserError."""
    environment = find_environment(data_dir, Settings)
    async with open_database(environment) as database:
        yield TargetSettler(environment, database)


def preview(planned: Sequence[PlannedDecision], undecided: int = 0) -> Iterator[str]:
    """Yield the changes that decisions will make, before anything is changed."""
    settles = [decision for decision in planned if decision.effect is Effect.SETTLES]
    published = sum(settle.decision.published for settle in settles)
    counts = f"{published} published, {len(settles) - published} not published"
    yield f"{_counted(len(settles), 'target')} to settle: {counts}."
    if same := sum(decision.effect is Effect.SAME for decision in planned):
        yield f"{_counted(same, 'target')} settled so already."
    for decision in planned:
        if decision.effect is Effect.TOO_LATE:
            yield f"{_place_name(decision)}: it is {decision.status} and waits for no decision."
    if undecided:
        yield f"{_counted(undecided, 'line')} without an outcome, left for later."


async def _planned(
    session: AsyncSession, post: Post | None, decision: Decision, bad: BadLines
) -> PlannedDecision | None:
    """Return the effect of a decision; None if it cannot be carried out, which is recorded in `bad`."""
    target = _target(post, decision, bad)
    if post is None or target is None:
        return None
    payload = {
        "platform": target.platform,
        "accountId": target.account_id,
        "outcome": "published" if decision.published else "not_published",
        **({"platformPostId": decision.platform_post_id} if decision.platform_post_id else {}),
    }
    accounts = await find_accounts(session, post.workspace_id, [target.account_id])
    try:
        body = read_resolution(payload)
        platform_post_id, _ = id_and_address(body, accounts.get(target.account_id))
    except PostsError as error:
        bad.add(decision.line, f"{error.first.error}.")
        return None
    if _is_settled_so(target, platform_post_id, published=decision.published):
        effect = Effect.SAME
    else:
        settled_for = await settled_by_a_person(session, target, datetime.now(UTC))
        effect = Effect.SETTLES if may_resolve(TargetStatus(target.status), settled_for) else Effect.TOO_LATE
    return PlannedDecision(decision, body, effect, target.status)


def _target(post: Post | None, decision: Decision, bad: BadLines) -> Target | None:
    if post is None:
        bad.add(decision.line, f"there is no post {decision.post_id}.")
        return None
    named = [
        target
        for target in post.targets
        if target.platform == decision.platform and decision.account_id in {None, target.account_id}
    ]
    if len(named) > 1:
        accounts = ", ".join(target.account_id for target in named)
        bad.add(decision.line, f"{post.id} has several targets on {decision.platform}: name the account ({accounts}).")
    elif not named:
        where = ", ".join(f"{target.platform} {target.account_id}" for target in post.targets)
        bad.add(decision.line, f"{post.id} has no such target; it has {where}.")
    return named[0] if len(named) == 1 else None


def _is_settled_so(target: Target, platform_post_id: str | None, *, published: bool) -> bool:
    if published:
        return target.status == TargetStatus.PUBLISHED and platform_post_id in {None, target.platform_post_id}
    return target.status == TargetStatus.FAILED and target.error_code == "not_published"


def _place_name(planned: PlannedDecision) -> str:
    where = f"{planned.decision.post_id} on {planned.decision.platform}"
    return f"line {planned.decision.line}, {where}" if planned.decision.line else where


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"

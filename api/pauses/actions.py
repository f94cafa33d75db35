"""Begin and end pauses, and answer with them, or with the error of a move that is refused."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.pauses.schemas import PauseBody, PauseView, PostInFlightView, ResumeBody, ResumedView
from api.posts.answers.views import actor_view
from domain.audit import Actor
from domain.codes import ProblemCode
from domain.errors import Conflict, InvalidRequest, NotFound, PostsError, Problem, Unprocessable
from domain.moves import MoveRefused, Obstacle
from domain.pauses import WORKSPACE_GATE, Gate, MissedPolicy, PauseScope, PauseStatus, Resumed, account_gate
from domain.schedule import rfc3339
from platforms.registry import platforms
from store.accounts.connected import find_connected_account
from store.audit import names_of_keys
from store.campaigns.pausing import preview_resume
from store.campaigns.pausing import resume as end_any_pause
from store.database import Database
from store.models import Pause
from store.pauses.gates import PostInFlight, posts_in_flight
from store.pauses.pauses import begin_pause, gate_of_pause, preview_end
from store.rows import find_row

_MOST_NAMED = 100
_OF_CAMPAIGN: Mapping[Obstacle, ProblemCode] = {
    Obstacle.OUTSIDE_WINDOW: "outside_window",
    Obstacle.IN_BLACKOUT: "in_blackout",
}


def move_refusal(refused: MoveRefused, param: str) -> PostsError:
    """Return the error of a request whose field `param` would move posts so. It names the first 100 of them."""
    code = _OF_CAMPAIGN.get(refused.obstacle, "invalid_field_value")
    problems = [Problem(str(refused), code, param, post_id=post_id) for post_id in refused.post_ids[:_MOST_NAMED]]
    return (Conflict if refused.obstacle in _OF_CAMPAIGN else InvalidRequest)(problems)


_UNKNOWN = Problem("This workspace has no such pause", "not_found")
_ASK_EVERY_S = 0.25
"""How often it is asked whether what was being sent at the beginning of a pause has ended."""


async def read_gate(database: Database, workspace_id: str, body: PauseBody) -> Gate:
    """Return the gate that a body names. Raises InvalidRequest, Unprocessable."""
    if body.scope == "workspace":
        surplus = [name for name, value in (("platform", body.platform), ("accountId", body.account_id)) if value]
        if surplus:
            raise InvalidRequest(
                [Problem(f"{name} belongs to the scope account", "invalid_field_value", name) for name in surplus]
            )
        return WORKSPACE_GATE
    missing = [name for name, value in (("platform", body.platform), ("accountId", body.account_id)) if not value]
    if missing or body.platform is None or body.account_id is None:
        raise InvalidRequest([Problem(f"{name} is required", "missing_required_field", name) for name in missing])
    if body.platform not in platforms():
        raise InvalidRequest(
            Problem(f"platform must be one of {', '.join(platforms())}", "invalid_field_value", "platform")
        )
    async with database.reading() as session:
        account = await find_connected_account(session, workspace_id, body.platform, body.account_id)
    if account is None:
        sentence = f"The workspace has no {platforms()[body.platform].label} account {body.account_id}"
        raise Unprocessable(Problem(sentence, "account_not_found", "accountId", body.platform, body.account_id))
    return account_gate(body.platform, body.account_id)


async def pause(
    deps: Dependencies, workspace_id: str, gate: Gate, reason: str | None, actor: Actor, wait_s: float
) -> tuple[PauseView, bool]:
    """Close a gate; return its pause, and whether it is new. Waits a while for what is being sent."""
    async with deps.database.transaction() as session:
        begun, is_new = await begin_pause(session, workspace_id, gate, reason, actor)
    deps.closed_gates.forget()
    return await wait_until_paused(deps, begun, wait_s), is_new


async def wait_until_paused(deps: Dependencies, begun: Pause, wait_s: float) -> PauseView:
    """Return a pause once nothing that it stops is being sent any more, or after `wait_s`."""
    deadline = asyncio.get_running_loop().time() + wait_s
    while True:
        # Not in the transaction of its beginning: what began before the commit is complete after it.
        async with deps.database.reading() as session:
            view = await pause_view(session, begun)
        if view["status"] != PauseStatus.PAUSING or asyncio.get_running_loop().time() >= deadline:
            return view
        await asyncio.sleep(_ASK_EVERY_S)


async def resume(deps: Dependencies, workspace_id: str, pause_id: str, body: ResumeBody, actor: Actor) -> PauseView:
    """End a pause, or say what that would do. Raises NotFound, InvalidRequest, Conflict."""
    policy = read_policy(body)
    try:
        async with deps.database.transaction() as session:
            begun = await require_pause(session, workspace_id, pause_id)
            if body.dry_run:
                view = await pause_view(session, begun)
                view["result"] = resumed_view(await preview_resume(session, begun, policy))
                return view
            ended = await end_any_pause(session, begun, policy, timedelta(seconds=body.spacing), actor)
            if ended is None:
                raise missed_unsaid(await preview_end(session, begun, None))
    except MoveRefused as refused:
        raise move_refusal(refused, "missed") from None
    deps.closed_gates.forget()
    deps.delivery.deliver_saved(ended.continuing)
    async with deps.database.reading() as session:
        return await pause_view(session, begun)


def read_policy(body: ResumeBody) -> MissedPolicy | None:
    """Return what becomes of missed posts, if the body says it. Raises InvalidRequest."""
    policy = MissedPolicy(body.missed) if body.missed else None
    if body.spacing and policy is not MissedPolicy.PUBLISH:
        raise InvalidRequest(Problem("spacing belongs to missed: publish", "invalid_field_value", "spacing"))
    return policy


def missed_unsaid(missed: Resumed) -> InvalidRequest:
    """Return the error of a request that does not say what becomes of missed posts."""
    sentence = f"Posts fell due during the pause: {missed.published}; missed must be publish, shift or skip"
    return InvalidRequest(Problem(sentence, "missing_required_field", "missed"))


async def require_pause(session: AsyncSession, workspace_id: str, pause_id: str) -> Pause:
    """Return a pause of the workspace. Raises NotFound."""
    begun = await find_row(session, Pause, workspace_id, pause_id)
    if begun is None:
        raise NotFound(_UNKNOWN)
    return begun


async def pause_view(session: AsyncSession, begun: Pause) -> PauseView:
    """Return a pause as clients read it."""
    names = await names_of_keys(session, (begun.paused_by, begun.ended_by))
    if begun.ended_at is not None:
        return _view(begun, names, [], Resumed())
    gate = gate_of_pause(begun)
    in_flight = await posts_in_flight(session, begun.workspace_id, gate)
    return _view(begun, names, in_flight, await preview_end(session, begun, None))


def _view(begun: Pause, names: Mapping[str, str], in_flight: Sequence[PostInFlight], missed: Resumed) -> PauseView:
    gate = gate_of_pause(begun)
    status = PauseStatus.PAUSING if in_flight else PauseStatus.PAUSED
    view = PauseView(
        id=begun.id,
        scope=gate.kind,
        status=PauseStatus.ENDED if begun.ended_at else status,
        reason=begun.reason,
        since=rfc3339(begun.paused_at),
        by=actor_view(begun.paused_by_type, begun.paused_by, names.get(begun.paused_by or ""), identities=False),
        inFlight=[
            PostInFlightView(
                postId=post.post_id, platform=post.platform, accountId=post.account_id, since=rfc3339(post.since)
            )
            for post in in_flight
        ],
        missed=missed.published,
        stillPaused=missed.still_paused,
        endedAt=rfc3339(begun.ended_at) if begun.ended_at else None,
    )
    if gate.account:
        view["platform"], view["accountId"] = gate.account
    if gate.kind is PauseScope.CAMPAIGN:
        view["campaignId"] = gate.id
    if gate.kind is PauseScope.SERIES:
        view["seriesId"] = gate.id
    if begun.ended_at and begun.ended_by_type:
        name = names.get(begun.ended_by or "")
        view["endedBy"] = actor_view(begun.ended_by_type, begun.ended_by, name, identities=False)
        view["result"] = resumed_view(Resumed(**begun.result or {}))
    return view


def resumed_view(resumed: Resumed) -> ResumedView:
    """Return what the end of a pause has done, or would do."""
    return ResumedView(
        published=resumed.published,
        shifted=resumed.shifted,
        skipped=resumed.skipped,
        stillPaused=resumed.still_paused,
    )

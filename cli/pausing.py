"""Pauses begun and ended by an operator: in the database alone, so that neither Temporal nor a worker is needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from cli.current_operator import current_operator
from cli.environment import find_environment, open_database
from cli.errors import UserError
from cli.workspaces import existing_workspace
from domain.moves import MoveRefused
from domain.pauses import (
    WORKSPACE_GATE,
    Gate,
    MissedPolicy,
    PauseScope,
    PauseStatus,
    Resumed,
    account_gate,
    campaign_gate,
)
from domain.schedule import rfc3339
from platforms.registry import platforms
from runtime.settings import Settings
from store.campaigns.campaigns import lock_campaign
from store.campaigns.pausing import find_pause_of_campaign, find_pause_problem, pause_campaign, preview_resume
from store.campaigns.pausing import resume as end_any_pause
from store.models import Pause
from store.pauses.gates import posts_in_flight
from store.pauses.pauses import (
    begin_pause,
    find_pause_under_way,
    gate_of_pause,
    list_pauses_under_way,
    preview_end,
)


@dataclass(frozen=True, slots=True)
class Scope:
    """The workspace on which a command acts, by name or id, and one of its accounts as PLATFORM/ID, or a campaign."""

    workspace: str
    account: str | None = None
    campaign: str | None = None

    @property
    def gate(self) -> Gate:
        """Return the gate. Raises UserError."""
        if self.campaign is not None:
            if self.account is not None:
                raise UserError("Give an account or a campaign, not both.")
            return campaign_gate(self.campaign)
        if self.account is None:
            return WORKSPACE_GATE
        platform, _, account_id = self.account.partition("/")
        if platform not in platforms() or not account_id:
            raise UserError("Give the account as PLATFORM/ID, such as twitter/tw_456.")
        return account_gate(platform, account_id)


async def pause(scope: Scope, reason: str | None, data_dir: Path | None) -> list[str]:
    """Close the gate, and return what still may go out. Raises UserError."""
    async with open_database(find_environment(data_dir, Settings)) as database:
        async with database.transaction() as session:
            workspace_id = await existing_workspace(session, scope.workspace)
            begun, is_new = await _begin(session, workspace_id, scope, reason)
        # Read after the commit: what began before it is complete by then.
        async with database.reading() as session:
            in_flight = await posts_in_flight(session, workspace_id, scope.gate)
    since = rfc3339(begun.paused_at)
    lines = [f"Paused since {since} ({begun.id})." if is_new else f"It is paused already, since {since} ({begun.id})."]
    if in_flight:
        lines.append("These were being sent when it began, and may still go out:")
        lines += [f"  {post.post_id} to {post.platform} {post.account_id}" for post in in_flight]
    else:
        lines.append("No request that publishes a post leaves any process until `socialsyncer resume`.")
    return lines


async def _begin(session: AsyncSession, workspace_id: str, scope: Scope, reason: str | None) -> tuple[Pause, bool]:
    if scope.campaign is None:
        return await begin_pause(session, workspace_id, scope.gate, reason, current_operator())
    campaign = await lock_campaign(session, workspace_id, scope.campaign)
    if campaign is None:
        raise UserError(f"The workspace has no campaign {scope.campaign}.")
    if problem := find_pause_problem(campaign):
        raise UserError(f"{problem.error}.")
    is_new = await find_pause_of_campaign(session, campaign) is None
    pause, _ = await pause_campaign(session, campaign, reason, current_operator())
    return pause, is_new


async def resume(
    scope: Scope, policy: MissedPolicy | None, spacing: timedelta, data_dir: Path | None, *, dry_run: bool
) -> str:
    """Open the gate, and return the outcome of the posts that were missed. Raises UserError."""
    async with open_database(find_environment(data_dir, Settings)) as database, database.transaction() as session:
        workspace_id = await existing_workspace(session, scope.workspace)
        under_way = await find_pause_under_way(session, workspace_id, scope.gate)
        if under_way is None:
            raise UserError(f"{str(scope.gate).capitalize()} is not paused.")
        try:
            if dry_run:
                return f"Without --dry-run: {_sentence(await preview_resume(session, under_way, policy))}"
            ended = await end_any_pause(session, under_way, policy, spacing, current_operator())
        except MoveRefused as refused:
            raise UserError(f"{refused}.") from None
        if ended is None:
            missed = await preview_end(session, under_way, None)
            raise UserError(
                f"Posts fell due during the pause: {missed.published:,}. Say what becomes of them: --missed publish, "
                "--missed shift, which moves all posts by whole days, or --missed skip, which makes drafts of them."
            )
    return f"Resumed. {_sentence(ended.resumed)}"


def _sentence(resumed: Resumed) -> str:
    return (
        f"Of the missed posts, {resumed.published:,} continue, {resumed.skipped:,} are skipped, and "
        f"{resumed.still_paused:,} wait for another pause. Moved by whole days: {resumed.shifted:,}."
    )


async def list_pauses(workspace: str | None, data_dir: Path | None) -> list[dict[str, Any]]:
    """Return the pauses that are under way, the oldest first. Raises UserError."""
    async with open_database(find_environment(data_dir, Settings)) as database, database.reading() as session:
        workspace_id = None if workspace is None else await existing_workspace(session, workspace)
        under_way = await list_pauses_under_way(session, workspace_id)
        return [await _shown(session, pause, name) for pause, name in under_way]


async def _shown(session: AsyncSession, begun: Pause, workspace: str) -> dict[str, Any]:
    gate = gate_of_pause(begun)
    in_flight: Sequence[Any] = await posts_in_flight(session, begun.workspace_id, gate)
    missed = await preview_end(session, begun, None)
    return {
        "workspace": workspace,
        "account": gate.id if gate.kind is PauseScope.ACCOUNT else None,
        "campaign": gate.id if gate.kind is PauseScope.CAMPAIGN else None,
        "series": gate.id if gate.kind is PauseScope.SERIES else None,
        "status": (PauseStatus.PAUSING if in_flight else PauseStatus.PAUSED).value,
        "since": rfc3339(begun.paused_at),
        "by": begun.paused_by,
        "reason": begun.reason,
        "missed": missed.published,
        "days": (datetime.now(UTC) - begun.paused_at).days,
    }

"""The handling of a restore from a backup: posts that may be public already are confirmed before they are sent."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cli.current_operator import current_operator
from cli.environment import find_environment, open_database
from cli.errors import UserError
from domain.printable import make_printable
from domain.schedule import parse_date_time, rfc3339
from platforms.registry import platforms
from reconcile.recovery import AHEAD
from runtime.settings import Settings
from store.campaigns.campaigns import list_active, lock_campaign
from store.campaigns.pausing import pause_campaign
from store.database import Database
from store.maintenance.restores import (
    begin_feeds_again,
    begin_restore,
    confirm_the_next_first,
    count_to_confirm_first,
    deliver_again,
    finish_restore,
    open_restore,
)
from store.maintenance.servers import trust_server
from store.models import Restore

HEARD_AFTER_S = 5.0
"""Seconds after which every API process refuses writes."""
_BATCH = 100


def parse_moment(text: str) -> datetime:
    """Return the time of a backup. Raises UserError if it has no offset or is in the future."""
    try:
        moment = parse_date_time(text)
    except ValueError as error:
        raise UserError(f"--from: {error}.") from None
    if moment.tzinfo is None:
        raise UserError("--from needs an offset, such as 2026-02-01T14:00:00Z.")
    if moment > datetime.now(UTC):
        raise UserError("--from is in the future. Give the time of the backup.")
    return moment


@dataclass(frozen=True, slots=True)
class Loss:
    """A restore from a backup, or a promotion of a standby that lacks commits, as a person describes it."""

    since: datetime
    """The time of the older of the copies."""
    database: bool = False
    temporal: bool = False
    pause_campaigns: bool = False


async def handle_restore(loss: Loss | None, data_dir: Path | None) -> AsyncIterator[str]:
    """Handle a restore, and yield what was done; None: nothing is lost. If an earlier run was interrupted, continue."""
    async with open_database(find_environment(data_dir, Settings)) as rows:
        if loss is None:
            await _finish(rows, None)
            yield "The rows of this server count as complete: posts are published."
            return
        async with rows.transaction() as session:
            restore = await begin_restore(
                session, loss.since, datetime.now(UTC), database=loss.database, temporal=loss.temporal
            )
        yield f"Restored to {rfc3339(restore.restored_to)}. The API refuses writes until this is dealt with."
        if restore.database:
            async for sentence in _handle_campaigns(rows, restore, pause=loss.pause_campaigns):
                yield sentence
        await asyncio.sleep(HEARD_AFTER_S)
        if restore.database:
            await _confirm_first(rows, restore)
        waiting = await _finish(rows, restore)
        if restore.database:
            yield f"{waiting} targets are confirmed before they are sent; `doctor` shows how many are left."
        if restore.temporal:
            yield "Workflows of posts that are due within the hour are notified again now, later ones in time."
        yield "The API takes writes again."


async def _confirm_first(rows: Database, restore: Restore) -> None:
    now = datetime.now(UTC)
    searchable = {name for name, platform in platforms().items() if platform.finds_without_handles}
    more = True
    while more:
        async with rows.transaction() as session:
            more = await confirm_the_next_first(session, restore.id, current_operator(), now, _BATCH, searchable)


async def _finish(rows: Database, restore: Restore | None) -> int:
    """Let posts be published, and return how many targets are confirmed first. Without a restore, none may be open."""
    now = datetime.now(UTC)
    async with rows.transaction() as session:
        if restore is None and (unfinished := await open_restore(session)):
            raise UserError(
                f"`socialsyncer restored` to {rfc3339(unfinished.restored_to)} was interrupted, and posts that may be "
                "public are not confirmed yet. Run it again as before: it continues."
            )
        if restore is None or restore.database:
            await trust_server(session)
        if restore is not None:
            if restore.database:
                await begin_feeds_again(session)
            if restore.temporal:
                # Recovery compares posts that are due later with their workflows before they are due.
                await deliver_again(session, now + AHEAD)
            await finish_restore(session, restore.id, now)
        return await count_to_confirm_first(session)


async def _handle_campaigns(rows: Database, restore: Restore, *, pause: bool) -> AsyncIterator[str]:
    """Name the campaigns that were active at the copy; pauses of them since then are lost. Pause them if asked to."""
    last, number = "", 0
    reason = f"The database was restored to {rfc3339(restore.restored_to)}; resume it if it was not paused since."
    while True:
        async with rows.transaction() as session:
            campaigns = await list_active(session, last, _BATCH)
            for campaign in campaigns:
                locked = await lock_campaign(session, campaign.workspace_id, campaign.id) if pause else None
                if locked is not None:
                    await pause_campaign(session, locked, reason, current_operator())
        for campaign in campaigns:
            yield f"{'Paused' if pause else 'Active'}: {campaign.id} {make_printable(campaign.name)}"
        number += len(campaigns)
        if len(campaigns) < _BATCH:
            break
        last = campaigns[-1].id
    if number and not pause:
        yield (
            "If one of these was paused since the copy, pause it again before the workers start: `socialsyncer pause "
            "--campaign`, or run this with --pause-campaigns, which pauses all of them."
        )

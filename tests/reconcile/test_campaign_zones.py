"""Campaigns keep their wall times and days when the rules of a time zone change."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from domain.campaigns import Blackout, CampaignStatus
from domain.ids import new_id
from domain.schedule import resolve
from reconcile.zones import follow_zones_of_campaigns
from store.campaigns.campaigns import CampaignFields, add_campaign
from store.models import Campaign
from tests.stack import Stack

YEAR = datetime.now(UTC).year + 1
ZONE = "Europe/Berlin"
HOUR = timedelta(hours=1)


async def save(stack: Stack, fields: CampaignFields, shift: timedelta) -> str:
    """Insert a campaign whose instants are those of other rules: earlier by `shift`."""
    async with stack.database.transaction() as session:
        campaign = await add_campaign(
            session, stack.workspace_id, fields, CampaignStatus.ACTIVE, datetime.now(UTC), new_id("cmp")
        )
        for name in ("starts_at", "ends_at"):
            if (instant := getattr(campaign, name)) is not None:
                setattr(campaign, name, instant - shift)
        statement = text("UPDATE gates SET planned = '{}' WHERE id = :id")
        await session.execute(statement, {"id": campaign.id})
        return campaign.id


async def closed_at(stack: Stack, campaign_id: str, moment: datetime) -> bool:
    query = text("SELECT planned @> CAST(:moment AS timestamptz) FROM gates WHERE kind = 'campaign' AND id = :id")
    async with stack.database.reading() as session:
        return bool(await session.scalar(query, {"moment": moment, "id": campaign_id}))


async def test_wall_times_and_days_are_resolved_again(stack: Stack) -> None:
    starts, ends = (resolve(f"{YEAR}-{month}-01T00:00:00", ZONE) for month in ("05", "07"))
    day = Blackout(date(YEAR, 6, 10), date(YEAR, 6, 10))
    campaign_id = await save(stack, CampaignFields("x", (), ZONE, starts, ends, [day]), HOUR)
    first = day.range_in(ZONE)[0]
    assert not await closed_at(stack, campaign_id, first)
    await follow_zones_of_campaigns(stack.worker_database, None)
    async with stack.database.reading() as session:
        campaign = await session.get_one(Campaign, campaign_id)
    assert (campaign.starts_at, campaign.ends_at, campaign.version) == (starts.instant, ends.instant, 2)
    moments = {first: True, first - timedelta(seconds=1): False, ends.instant - HOUR: False, ends.instant: True}
    for moment, is_closed in moments.items():
        assert await closed_at(stack, campaign_id, moment) is is_closed
    assert await follow_zones_of_campaigns(stack.worker_database, None) == 0


@pytest.mark.parametrize("end", [f"{YEAR}-07-01T00:00:00Z", None])
async def test_instants_and_campaigns_without_times_stay(stack: Stack, end: str | None) -> None:
    fields = CampaignFields("x", timezone=ZONE, ends=resolve(end, ZONE) if end else None)
    campaign_id = await save(stack, fields, HOUR)
    await follow_zones_of_campaigns(stack.worker_database, None)
    async with stack.database.reading() as session:
        assert (await session.get_one(Campaign, campaign_id)).version == 1

"""The doctor finds sends through a closed gate, holds at an open one, and campaigns without a workflow."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import text, update

from domain.audit import WORKER, Action, AuditEntry, FieldChange
from domain.campaigns import CampaignStatus
from domain.pauses import WORKSPACE_GATE
from domain.transitions import BeforeSend, paused
from reconcile.campaigns import start_lost_campaigns
from reconcile.doctor.findings import FindingKind, FixedBy
from store.audit import add_entries
from store.campaigns.campaigns import CampaignFields, add_campaign
from store.models import Campaign
from store.pauses.gates import close_gate
from store.publishing.sending import settle
from tests.reconcile.doctor.conftest import agrees, note_started, only, published, until_agrees, write
from tests.stack import Stack
from workflows.client.campaign_workflows import CampaignWorkflows
from workflows.client.runs import Runs

_CLOSED = """
INSERT INTO gates (workspace_id, kind, id, closed)
VALUES (:workspace, 'campaign', 'cmp_x', CAST(:closed AS text)::tstzmultirange)
"""


async def test_a_send_while_its_campaign_was_paused_is_found(own: Stack) -> None:
    post = await published(own, "sent through a closed gate")
    await write(own, post, campaign_id="cmp_x")
    now = datetime.now(UTC)
    closed = f"{{[{now - timedelta(minutes=5)}, {now + timedelta(minutes=5)})}}"
    async with own.database.transaction() as session:
        await session.execute(text(_CLOSED), {"workspace": own.workspace_id, "closed": closed})
    finding = await only(own, FindingKind.SENT_WHILE_CLOSED)
    assert (finding.fixed_by, finding.subject.post_id) == (FixedBy.PERSON, post.id)
    assert "its campaign was paused" in finding.what
    async with own.database.transaction() as session:
        changed = AuditEntry(Action.CHANGED, WORKER, changes=(FieldChange("campaignId", None, "cmp_x"),))
        await add_entries(session, [(own.workspace_id, post.id, changed)])
    assert await agrees(own), "it joined the campaign after it was sent"


async def test_a_target_that_is_held_at_an_open_gate_is_found(own: Stack) -> None:
    post = await own.save("held at an open gate", [own.accounts["plain"]])
    await settle(own.database, post.targets[0].id, BeforeSend(None), paused())
    await own.start(await own.read(post.id))
    await note_started(own, post)
    await until_agrees(own)
    await write(own, post, updated_at=datetime.now(UTC) - timedelta(minutes=2))
    finding = await only(own, FindingKind.HELD_AT_AN_OPEN_GATE)
    assert (finding.fixed_by, finding.subject.target_id) == (FixedBy.SYSTEM, post.targets[0].id)
    async with own.database.transaction() as session:
        await close_gate(session, own.workspace_id, WORKSPACE_GATE)
    assert await agrees(own)


async def test_a_campaign_without_a_workflow_is_found_and_started(own: Stack) -> None:
    async with own.database.transaction() as session:
        campaign = await add_campaign(
            session, own.workspace_id, CampaignFields("lost"), CampaignStatus.ACTIVE, datetime.now(UTC)
        )
    assert await agrees(own), "a new campaign is told within seconds"
    async with own.database.transaction() as session:
        await session.execute(update(Campaign).where(Campaign.id == campaign.id).values(delivered_version=1))
    finding = await only(own, FindingKind.CAMPAIGN_LOST)
    assert (finding.fixed_by, finding.subject.workflow_id) == (FixedBy.SYSTEM, campaign.id)
    await start_lost_campaigns(own.worker_database, CampaignWorkflows(own.client), Runs(own.client))
    await until_agrees(own)

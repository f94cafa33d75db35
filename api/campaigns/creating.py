"""Creation of campaigns, with their first posts or without."""

from dataclasses import dataclass, replace
from typing import Any

import structlog

from api.campaigns.bodies import CampaignBody
from api.campaigns.reading import read_fields
from api.campaigns.requests import CampaignRequest, DoneOperation
from api.http.body import check_size
from api.http.body_validation import read_valid
from api.http.large_body import LargeBody, SplitBody, split_body
from api.imports.json_rows import list_rows
from api.posts.answers.answer import Answer
from api.posts.changes.external_id import taken_id
from api.posts.clock import now_ms
from api.posts.many.building import build_posts, deliver_due, total_bytes
from api.posts.many.checking import MOST_ROWS, CheckedPost, CheckedRows, RefusedRow, Row, check_rows
from api.posts.many.links import link_rows, write_links
from api.posts.many.queues import take_slots
from api.posts.many.warnings import PlanWarningView, plan_warnings
from domain.campaigns import MOST_CAMPAIGNS, CampaignStatus, OperationKind
from domain.errors import Problem, TooManyRequests, Unavailable
from domain.ids import new_id
from domain.loop_share import loop_share
from store.campaigns.campaigns import CampaignFields, add_campaign, count_campaigns, rules_with_fields
from store.posts.contents import NewPost
from store.posts.creating import ExternalIdTakenError, create_posts
from store.posts.imports import find_known
from store.rows import lock

log = structlog.get_logger(__name__)

_POSTS = "posts"
_TRIES = 3
"""Times that a campaign is tried while other requests create posts with its external ids."""
_RACED = Problem("Other requests create posts with the same externalIds; please try again", "unavailable")
_TOO_MANY = Problem(f"This workspace may have {MOST_CAMPAIGNS:,} campaigns: delete one first", "too_many_campaigns")
_OTHER_CAMPAIGN = Problem("campaignId cannot be given in a campaign's own posts", "invalid_field_value", "campaignId")


@dataclass(frozen=True, slots=True)
class CampaignToCreate:
    """A campaign as a body asks for it: its fields, and the posts to create with it, which are not read yet."""

    fields: CampaignFields
    status: CampaignStatus
    rows: SplitBody

    @property
    def has_posts(self) -> bool:
        """Return whether it has posts of its own."""
        return bool(self.rows.items)

    @property
    def size(self) -> int:
        """Return the bytes of the body."""
        return len(self.rows.raw)


async def read_campaign_to_create(body: LargeBody) -> CampaignToCreate:
    """Return what a body asks for. Raises InvalidRequest."""
    async with loop_share(len(body.raw)) as turn:
        rows = await split_body(body.raw, _POSTS, MOST_ROWS, turn)
    check_size(rows.fields)
    read_body = read_valid(CampaignBody, rows.fields)
    fields = read_fields(read_body, read_body.name, None, now_ms())
    return CampaignToCreate(fields, CampaignStatus.DRAFT if read_body.is_draft else CampaignStatus.ACTIVE, rows)


async def create_campaign(request: CampaignRequest, campaign: CampaignToCreate) -> Answer:
    """Create a campaign with its posts, or answer as the first request with this key.

    Raises InvalidRequest, Unprocessable, TooManyRequests, IdempotencyKeyReused, Unavailable.
    """
    for _ in range(_TRIES):
        try:
            return await request.answer(await _create(request, campaign), 201)
        except ExternalIdTakenError:
            log.info("campaign.raced")
    raise Unavailable(_RACED, retry_after=1)


async def _create(request: CampaignRequest, campaign: CampaignToCreate) -> DoneOperation:
    """Create everything in one transaction. Raises ExternalIdTakenError."""
    deps, campaign_id, posts, result = request.deps, new_id("cmp"), list[NewPost](), dict[str, Any]()
    checked_posts = list[CheckedPost]()
    if campaign.has_posts:
        async with deps.database.transaction() as session:
            if (operation := await request.known(session)) is not None:
                return operation
        checked_posts, warnings = await _check_posts(request, campaign, campaign_id)
        await deps.request_limits.take_posts(request.workspace_id, len(checked_posts))
        posts = await build_posts(deps, request.workspace_id, request.actor, checked_posts, campaign.size)
        await deps.usage.count_posts(request.workspace_id, len(posts), total_bytes(posts))
        result = {"posts": len(posts), "warnings": warnings}
    async with deps.database.transaction() as session:
        if (operation := await request.known(session)) is not None:
            return operation
        # One request of a workspace at a time, so that none exceeds the limit.
        await lock(session, f"campaigns.{request.workspace_id}")
        if await count_campaigns(session, request.workspace_id) >= MOST_CAMPAIGNS:
            raise TooManyRequests(_TOO_MANY, retry_after=60)
        await add_campaign(session, request.workspace_id, campaign.fields, campaign.status, now_ms(), campaign_id)
        async with loop_share(campaign.size) as turn:
            first_rows, refused = await link_rows(session, request.workspace_id, checked_posts, now_ms(), _POSTS, turn)
        CheckedRows(refused=refused).require_sound()
        write_links(checked_posts, posts, first_rows)
        await take_slots(session, request.workspace_id, [post.parsed for post in checked_posts], posts, _POSTS)
        await create_posts(session, posts)
        operation = await request.record(session, campaign_id, OperationKind.CREATED, result)
    deliver_due(deps, posts)
    return operation


async def _check_posts(
    request: CampaignRequest, campaign: CampaignToCreate, campaign_id: str
) -> tuple[list[CheckedPost], list[PlanWarningView]]:
    """Return the posts of a campaign, all of which are sound, and warnings. Raises InvalidRequest, Unprocessable."""
    deps, workspace_id = request.deps, request.workspace_id
    rules = rules_with_fields(campaign_id, campaign.status, campaign.fields)
    rows = (_row_of_campaign(row, campaign_id) for row in list_rows(campaign.rows))
    checked = await check_rows(deps, workspace_id, rows, campaign.size, _POSTS, {campaign_id: rules})
    async with deps.database.reading() as session:
        external_ids = [post.parsed.content.external_id for post in checked.posts]
        known = await find_known(session, workspace_id, [name for name in external_ids if name is not None])
        warnings = await plan_warnings(
            session, workspace_id, checked.posts, campaign.fields.timezone, (), campaign.size
        )
    for post in checked.posts:
        if existing := known.get(post.parsed.content.external_id or ""):
            problem = replace(taken_id(existing.id).within(f"{_POSTS}.{post.number}"), row=post.number)
            checked.refused.append(RefusedRow(post.number, [problem], is_malformed=False))
    checked.require_sound()
    return checked.posts, warnings


def _row_of_campaign(row: Row, campaign_id: str) -> Row:
    """Return the row of a post as if it had named its campaign."""
    problems = [*row.problems, *([_OTHER_CAMPAIGN] if "campaignId" in row.body else [])]
    return replace(row, body={**row.body, "campaignId": campaign_id}, problems=problems)

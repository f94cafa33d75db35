"""Create, start, pause, resume and move campaigns: each is one transaction, done once for its Idempotency-Key."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from api.campaigns.requests import CampaignRequest, DoneOperation, read_fields, require_campaign, shown_campaigns
from api.campaigns.schemas import CampaignBody, PauseCampaignBody, ResumeCampaignBody, ShiftCampaignBody
from api.http.body import LargeBody, SplitBody, check_size, split_body
from api.http.body_validation import read_valid
from api.http.moments import now_ms, require_moment
from api.imports.rows import list_rows
from api.pauses.actions import missed_unsaid, move_refusal, read_policy, wait_until_paused
from api.posts.answers.rendering import Answer
from api.posts.bodies.parse_patch import read_patch
from api.posts.bodies.platform_rules import collect_platform_problems
from api.posts.changes.create import taken_id
from api.posts.many.building import (
    PlanWarningView,
    build_posts,
    deliver_due,
    link_rows,
    plan_warnings,
    take_slots,
    total_bytes,
    write_links,
)
from api.posts.many.checking import (
    MOST_ROW_PROBLEMS,
    MOST_ROWS,
    SLICE,
    CheckedPost,
    CheckedRows,
    RefusedRow,
    Row,
    check_rows,
)
from api.posts.times import find_campaign_problem
from api.views import write_json
from domain.campaigns import MOST_CAMPAIGNS, CampaignRules, CampaignStatus, OperationKind
from domain.errors import Conflict, InvalidRequest, PostsError, Problem, TooManyRequests, Unavailable, Unprocessable
from domain.loop_share import HEAVY, LoopShare, loop_share
from domain.moves import MoveRefused
from domain.pauses import MissedPolicy, campaign_gate
from domain.schedule import parse_shift
from store.accounts.connected import find_accounts
from store.campaigns.campaigns import CampaignFields, add_campaign, campaign_rules, rules_with_fields
from store.campaigns.lifecycle import DraftsChangedError, DraftVersion, list_drafts, read_drafts, start_campaign
from store.campaigns.pausing import (
    ShiftRequest,
    find_pause_of_campaign,
    find_pause_problem,
    pause_campaign,
    pause_json,
    preview_resume,
    preview_shift,
    resumed_json,
    shift_campaign,
)
from store.campaigns.pausing import resume as end_pause
from store.models import Campaign, ConnectedAccount, Pause, Post
from store.pauses.pauses import find_pause_under_way, preview_end
from store.posts.contents import NewPost
from store.posts.creating import ExternalIdTakenError, create_posts
from store.posts.imports import find_known
from store.rows import count_rows, lock

log = structlog.get_logger(__name__)

_POSTS = "posts"
_TRIES = 3
"""Times that a campaign is tried while others create posts with its external ids, or change its drafts."""
_RACED = Problem("Other requests create posts with the same externalIds; please try again", "unavailable")
_TOO_MANY = Problem(f"This workspace may have {MOST_CAMPAIGNS:,} campaigns: delete one first", "too_many_campaigns")
_STARTED = Problem("The campaign is not a draft: it was started before", "conflict")
_CHANGING = Problem("The drafts of the campaign are being changed; please try again", "unavailable")
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
            operation = await request.once(lambda: _create(request, campaign), is_costly=campaign.has_posts)
        except ExternalIdTakenError:
            log.info("campaign.raced")
        else:
            return await request.answer(operation, 201)
    raise Unavailable(_RACED, retry_after=1)


async def _create(request: CampaignRequest, campaign: CampaignToCreate) -> Answer:
    """Create everything in one transaction. Raises ExternalIdTakenError."""
    deps, posts, result, checked_posts = request.deps, list[NewPost](), dict[str, Any](), list[CheckedPost]()
    if campaign.has_posts:
        checked_posts, warnings = await _check_posts(request, campaign)
        await deps.request_limits.take_posts(request.workspace_id, len(checked_posts))
        posts = await build_posts(deps, request.workspace_id, request.actor, checked_posts, campaign.size)
        await deps.usage.count_posts(request.workspace_id, len(posts), total_bytes(posts))
        result = {"posts": len(posts), "warnings": warnings}
    async with request.transaction() as session:
        # One request of a workspace at a time, so that none exceeds the limit.
        await lock(session, f"campaigns.{request.workspace_id}")
        if await count_rows(session, Campaign.workspace_id == request.workspace_id) >= MOST_CAMPAIGNS:
            raise TooManyRequests(_TOO_MANY, retry_after=60)
        await add_campaign(
            session, request.workspace_id, campaign.fields, campaign.status, now_ms(), request.campaign_id
        )
        async with loop_share(campaign.size) as turn:
            first_rows, refused = await link_rows(session, request.workspace_id, checked_posts, now_ms(), _POSTS, turn)
        CheckedRows(refused=refused).require_sound()
        write_links(checked_posts, posts, first_rows)
        await take_slots(session, request.workspace_id, [post.parsed for post in checked_posts], posts, _POSTS)
        await create_posts(session, posts)
        answer = await request.record(session, OperationKind.CREATED, result)
    deliver_due(deps, posts)
    return answer


async def _check_posts(
    request: CampaignRequest, campaign: CampaignToCreate
) -> tuple[list[CheckedPost], list[PlanWarningView]]:
    """Return the posts of a campaign, all of which are sound, and warnings. Raises InvalidRequest, Unprocessable."""
    deps, workspace_id, campaign_id = request.deps, request.workspace_id, request.campaign_id
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


async def start(request: CampaignRequest) -> Answer:
    """Start a campaign, or answer as the first request with this key. Raises NotFound, Conflict, Unprocessable."""
    for _ in range(_TRIES):
        try:
            operation = await request.once(lambda: _start(request), is_costly=True)
        except DraftsChangedError:
            continue
        return await request.answer(operation)
    raise Unavailable(_CHANGING, retry_after=1)


async def _start(request: CampaignRequest) -> Answer:
    async with request.deps.database.reading() as session:
        rules = campaign_rules(await require_campaign(session, request.workspace_id, request.campaign_id))
    if rules.status is not CampaignStatus.DRAFT:
        raise Conflict(_STARTED)
    drafts = await _check_drafts(request, replace(rules, status=CampaignStatus.ACTIVE))
    async with request.locked_campaign() as (session, campaign):
        if campaign_rules(campaign) != rules:
            raise DraftsChangedError
        operation_id, result, soon = await start_campaign(session, campaign, drafts, request.actor)
        answer = await request.complete(session, operation_id, result)
    request.deps.delivery.deliver_saved(soon)
    return answer


async def _check_drafts(request: CampaignRequest, rules: CampaignRules) -> dict[str, DraftVersion]:
    """Return the drafts with times, each in the version that was checked. Raises Unprocessable with all problems."""
    database, workspace_id = request.deps.database, request.workspace_id
    async with database.reading() as session:
        post_ids = await list_drafts(session, workspace_id, rules.id)
    drafts: dict[str, DraftVersion] = {}
    problems: list[Problem] = []
    for begin in range(0, len(post_ids), SLICE):
        async with database.reading() as session:
            posts = await read_drafts(session, post_ids[begin : begin + SLICE])
            account_ids = sorted({target.account_id for post in posts for target in post.targets})
            accounts = await find_accounts(session, workspace_id, account_ids)
        async with loop_share(HEAVY) as turn:
            for post in posts:
                try:
                    drafts[post.id] = await _check_draft(post, rules, accounts, turn)
                except PostsError as error:
                    where = f"posts.{post.id}"
                    problems += [replace(problem.within(where), post_id=post.id) for problem in error.problems]
                await turn.pause()
        if len(problems) >= MOST_ROW_PROBLEMS:
            break
    if problems:
        raise Unprocessable(problems[:MOST_ROW_PROBLEMS])
    return drafts


async def _check_draft(
    post: Post, rules: CampaignRules, accounts: Mapping[str, ConnectedAccount], turn: LoopShare
) -> DraftVersion:
    """Return the version and the time of a draft that could be scheduled by PATCH. Raises what is wrong with it."""
    parsed_post = read_patch(post, {"isDraft": False}, now_ms(), rules)
    if problem := find_campaign_problem(parsed_post, rules, joins=False):
        raise Unprocessable(problem)
    if problems := await collect_platform_problems(parsed_post.content, accounts, turn):
        raise Unprocessable(problems)
    if parsed_post.due_at is None:
        raise AssertionError("unreachable: a draft with a time is scheduled")
    return DraftVersion(post.version, parsed_post.due_at)


_NOT_PAUSED = Problem("The campaign is not paused", "conflict")
_NOT_AHEAD = Problem("resumeAt must be in the future", "invalid_field_value", "resumeAt")


async def pause(request: CampaignRequest, body: PauseCampaignBody, wait_s: float) -> Answer:
    """Pause a campaign; wait a while for what is being sent. Raises NotFound, InvalidRequest, Conflict."""
    policy = MissedPolicy(body.missed) if body.missed else None
    if (body.resume_at is None) != (policy is None):
        missing = "missed" if policy is None else "resumeAt"
        sentence = f"{missing} is required: resumeAt and missed belong together"
        raise InvalidRequest(Problem(sentence, "missing_required_field", missing))
    begun: Pause | None = None

    async def work() -> Answer:
        nonlocal begun
        async with request.locked_campaign() as (session, campaign):
            if problem := find_pause_problem(campaign):
                raise Conflict(problem)
            resume_at = body.resume_at and require_moment("resumeAt", body.resume_at, campaign.timezone)
            if resume_at and resume_at <= now_ms():
                raise InvalidRequest(_NOT_AHEAD)
            begun, operation_id = await pause_campaign(
                session, campaign, body.reason, request.actor, resume_at=resume_at or None, missed=policy
            )
            return await request.complete(session, operation_id, pause_json(campaign, begun))

    operation = await request.once(work)
    _log("campaign.paused", operation)
    request.deps.closed_gates.forget()
    if begun is None:
        async with request.deps.database.reading() as session:
            begun = await find_pause_under_way(session, request.workspace_id, campaign_gate(request.campaign_id))
    view = await wait_until_paused(request.deps, begun, wait_s) if begun else None
    return await request.answer(operation, pause=view)


def _log(event: str, operation: DoneOperation) -> None:
    """Log an operation that this request has done."""
    if not operation.is_replay:
        log.info(event, campaign_id=operation.campaign_id, operation_id=operation.id)


async def resume(request: CampaignRequest, body: ResumeCampaignBody) -> Answer:
    """End the pause of a campaign, or say what that would do. Raises NotFound, InvalidRequest, Conflict."""
    policy, continuing = read_policy(body), list[str]()
    if body.dry_run:
        with _moves("missed"):
            async with request.deps.database.reading() as session:
                campaign = await require_campaign(session, request.workspace_id, request.campaign_id)
                begun = await _require_pause(session, campaign)
                result = resumed_json(await preview_resume(session, begun, policy), policy)
        return await _answer_preview(request, campaign, result)

    async def work() -> Answer:
        async with request.locked_campaign() as (session, campaign):
            begun = await _require_pause(session, campaign)
            ended = await end_pause(session, begun, policy, timedelta(seconds=body.spacing), request.actor)
            if ended is None:
                raise missed_unsaid(await preview_end(session, begun, None))
            continuing.extend(ended.continuing)
            return await request.complete(session, ended.operation_id or "", resumed_json(ended.resumed, policy))

    with _moves("missed"):
        operation = await request.once(work)
    _log("campaign.resumed", operation)
    request.deps.closed_gates.forget()
    request.deps.delivery.deliver_saved(continuing)
    return await request.answer(operation)


async def shift(request: CampaignRequest, body: ShiftCampaignBody) -> Answer:
    """Move the posts of a campaign, or say what that would do. Raises NotFound, InvalidRequest, Conflict."""
    continuing: list[str] = []
    if body.dry_run:
        with _moves("by"):
            async with request.deps.database.reading() as session:
                campaign = await require_campaign(session, request.workspace_id, request.campaign_id)
                preview = await preview_shift(session, campaign, _read_shift(body, campaign_rules(campaign)))
        return await _answer_preview(request, campaign, preview.as_json())

    async def work() -> Answer:
        async with request.locked_campaign() as (session, campaign):
            effect, operation_id, soon = await shift_campaign(
                session, campaign, _read_shift(body, campaign_rules(campaign)), request.actor
            )
            continuing.extend(soon)
            return await request.complete(session, operation_id, effect.as_json())

    with _moves("by"):
        operation = await request.once(work)
    _log("campaign.shifted", operation)
    request.deps.delivery.deliver_saved(continuing)
    return await request.answer(operation)


@contextmanager
def _moves(param: str) -> Iterator[None]:
    """Raise the error of a refused move, which names a field of the body."""
    try:
        yield
    except MoveRefused as refused:
        raise move_refusal(refused, param) from None


async def _require_pause(session: AsyncSession, campaign: Campaign) -> Pause:
    begun = await find_pause_of_campaign(session, campaign)
    if begun is None:
        raise Conflict(_NOT_PAUSED)
    return begun


def _read_shift(body: ShiftCampaignBody, campaign: CampaignRules) -> ShiftRequest:
    zone = campaign.timezone
    begin = None if body.from_ is None else require_moment("from", body.from_, zone, end=False)
    end = None if body.to is None else require_moment("to", body.to, zone, end=True)
    if begin is not None and end is not None and begin > end:
        raise InvalidRequest(Problem("from is after to", "invalid_field_value", "from"))
    return ShiftRequest(parse_shift(body.by), begin, end)


async def _answer_preview(request: CampaignRequest, campaign: Campaign, result: Mapping[str, Any]) -> Answer:
    (view,) = await shown_campaigns(request.deps, [campaign])
    view["result"] = dict(result)
    return Answer(200, write_json(view))

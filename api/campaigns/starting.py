"""The start of a draft campaign: all of its drafts are checked as new posts are, and then scheduled together."""

from collections.abc import Mapping
from dataclasses import replace

from api.campaigns.requests import CampaignRequest, DoneOperation, require_campaign
from api.posts.answers.answer import Answer
from api.posts.bodies.parse_patch import read_patch
from api.posts.bodies.platform_rules import collect_platform_problems
from api.posts.campaign_rules import find_campaign_problem
from api.posts.clock import now_ms
from api.posts.many.checking import MOST_ROW_PROBLEMS, SLICE
from domain.campaigns import CampaignRules, CampaignStatus
from domain.errors import Conflict, PostsError, Problem, Unavailable, Unprocessable
from domain.loop_share import HEAVY, LoopShare, loop_share
from store.accounts.connected import find_accounts
from store.campaigns.campaigns import campaign_rules
from store.campaigns.lifecycle import DraftsChangedError, DraftVersion, list_drafts, read_drafts, start_campaign
from store.models import ConnectedAccount, Post

_TRIES = 3
"""Checks of the drafts, each because one of them was changed since the last."""
_STARTED = Problem("The campaign is not a draft: it was started before", "conflict")
_CHANGING = Problem("The drafts of the campaign are being changed; please try again", "unavailable")


async def start(request: CampaignRequest, campaign_id: str) -> Answer:
    """Start a campaign, or answer as the first request with this key. Raises NotFound, Conflict, Unprocessable."""
    for _ in range(_TRIES):
        try:
            return await request.answer(await _start(request, campaign_id))
        except DraftsChangedError:
            continue
    raise Unavailable(_CHANGING, retry_after=1)


async def _start(request: CampaignRequest, campaign_id: str) -> DoneOperation:
    deps = request.deps
    async with deps.database.transaction() as session:
        if (operation := await request.known(session)) is not None:
            return operation
        rules = campaign_rules(await require_campaign(session, request.workspace_id, campaign_id))
    if rules.status is not CampaignStatus.DRAFT:
        raise Conflict(_STARTED)
    drafts = await _check_drafts(request, replace(rules, status=CampaignStatus.ACTIVE))
    async with deps.database.transaction() as session:
        if (operation := await request.known(session)) is not None:
            return operation
        campaign = await request.locked_campaign(session, campaign_id)
        if campaign_rules(campaign) != rules:
            raise DraftsChangedError
        operation_id, result, soon = await start_campaign(session, campaign, drafts, request.actor, request.keyed)
    deps.delivery.deliver_saved(soon)
    return DoneOperation(operation_id, campaign_id, result)


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

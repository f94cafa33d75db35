"""Validation of a post that is not created."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.errors import problem_view
from api.http.body import JsonObject, SizedBody, body_size
from api.http.moments import now_ms
from api.posts.answers.rendering import Answer, answer_view
from api.posts.answers.views import VerdictView
from api.posts.bodies.parse_post import ParsedPost, read_create
from api.posts.bodies.platform_rules import find_platform_problems, platform_cautions, refused_accounts
from api.posts.changes.create import find_conflict
from api.posts.media_checks import check_files, find_upload_problems, local_media_warnings, unreachable_upload_warnings
from api.posts.times import choose_slot, find_campaign_problem, read_campaign, require_link, warn_of_daily_cap
from domain.campaigns import CampaignRules
from domain.content import PostContent
from domain.errors import Conflict, InvalidRequest, Problem, Unprocessable
from domain.loop_share import loop_share
from domain.schedule import ScheduledTime, rfc3339
from store.accounts.connected import find_accounts

FileCheck = Callable[[PostContent], Awaitable[tuple[list[Problem], list[Problem]]]]
"""A check of a post's files: it returns their problems, and warnings about those that it could not check."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The problems and warnings that creating a post from a body would report."""

    errors: list[Problem]
    warnings: list[Problem] = field(default_factory=list)
    slot: tuple[str, ScheduledTime] | None = None
    """The queue and the slot that a post which asks for one would get now."""


async def validate(deps: Dependencies, workspace_id: str, payload: JsonObject) -> Answer:
    """Answer with all problems; for a draft, rules of platforms that it breaks are warnings."""

    async def files(content: PostContent) -> tuple[list[Problem], list[Problem]]:
        return await check_files(deps, workspace_id, content, deps.checks.take(workspace_id))

    checks, body = payload.get(CHECK_MEDIA, False), without_check(payload)
    wrong = [] if isinstance(checks, bool) else [_NO_FLAG]
    verdict = await find_verdict(deps, workspace_id, body, files if checks else None, wrong)
    view = VerdictView(
        valid=not verdict.errors,
        errors=[problem_view(problem) for problem in verdict.errors],
        warnings=[problem_view(problem) for problem in verdict.warnings],
    )
    if verdict.slot is not None:
        queue_id, slot = verdict.slot
        view["slot"] = {"queueId": queue_id, "scheduledFor": rfc3339(slot.instant), "timezone": slot.zone}
    return answer_view(view)


async def find_verdict(
    deps: Dependencies, workspace_id: str, body: JsonObject, files: FileCheck | None, wrong: list[Problem]
) -> Verdict:
    """Return what creating a post from a body would report. `files` checks its files if nothing else is wrong.

    `wrong` are problems of the request's other fields, which are reported with those of the body's shape.
    """
    campaign = await read_campaign(deps.database, workspace_id, body)
    try:
        async with loop_share(body_size(body)):
            parsed_post = read_create(body, now_ms(), campaign)
    except InvalidRequest as error:
        return Verdict([*error.problems, *wrong])
    if wrong:
        return Verdict(wrong)
    async with deps.database.transaction() as session:
        wanted_ids = [target.account_id for target in parsed_post.content.targets]
        accounts = await find_accounts(session, workspace_id, wanted_ids)
    problems = await find_platform_problems(parsed_post.content, accounts, body_size(body))
    problems += await find_upload_problems(deps, workspace_id, parsed_post.content)
    warnings = [*parsed_post.time_warnings, *refused_accounts(parsed_post.content, accounts)]
    if not problems:
        warnings += platform_cautions(parsed_post.content)
        warnings += unreachable_upload_warnings(parsed_post.content, deps)
        if files is None:
            warnings += local_media_warnings(parsed_post.content, deps.local_hosts)
        else:
            problems, unseen = await files(parsed_post.content)
            warnings += unseen
    if parsed_post.is_draft:
        problems, warnings = [], [*problems, *warnings]
    if problem := find_campaign_problem(parsed_post, campaign):
        problems = [*problems, problem]
    if not problems and (external_id := parsed_post.content.external_id) is not None:
        problems = await find_conflict(deps, workspace_id, external_id, body)
    if problems or (parsed_post.queue is None and parsed_post.content.after_post_id is None):
        caps = [] if problems else await warn_of_daily_cap(deps.database, workspace_id, parsed_post)
        return Verdict(problems, [*warnings, *caps])
    try:
        async with deps.database.transaction() as session:
            slot = await _find_slot(session, workspace_id, parsed_post, campaign)
    except (Unprocessable, Conflict) as error:
        return Verdict([*error.problems], warnings)
    return Verdict([], warnings, slot)


async def _find_slot(
    session: AsyncSession, workspace_id: str, parsed_post: ParsedPost, campaign: CampaignRules | None
) -> tuple[str, ScheduledTime] | None:
    """Return the slot that a post would get; None if it waits for another post. Raises Unprocessable, Conflict."""
    if parsed_post.queue is None:
        await require_link(session, workspace_id, "", parsed_post.content, now_ms())
        return None
    return await choose_slot(
        session, workspace_id, parsed_post.queue, parsed_post.content, now_ms(), campaign, lock=False
    )


CHECK_MEDIA = "checkMedia"
_NO_FLAG = Problem("checkMedia must be true or false", "invalid_field_value", CHECK_MEDIA)


def without_check(payload: JsonObject) -> JsonObject:
    """Return a body without the field that says whether its files are checked."""
    if CHECK_MEDIA not in payload:
        return payload
    body = SizedBody({name: value for name, value in payload.items() if name != CHECK_MEDIA})
    body.size = body_size(payload)
    return body

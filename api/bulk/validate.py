"""Validation of many posts that are not created: each gets the verdict that it gets alone."""

import asyncio
from contextlib import nullcontext

from api.bulk.answers import MOST_PROBLEMS
from api.bulk.bodies import BulkVerdictView, ItemVerdictView, ValidateManyBody, read_create_many
from api.dependencies import Dependencies
from api.errors import problem_view
from api.http.body import JsonObject, body_size, sized
from api.posts.answers.answer import Answer, answer_view
from api.posts.media_checks import check_files, platforms_with_files
from api.posts.validate import CHECK_MEDIA, FileCheck, Verdict, find_verdict
from domain.content import PostContent
from domain.errors import Problem
from domain.loop_share import loop_share
from store.queues.slots import remembering_full_slots

FILES_BEGIN_WITHIN_S = 30.0
"""Seconds after which no further post's files are checked. A check takes 25, and proxies usually give up after 60."""
_NO_TIME = Problem(
    "There was no time to check the files of this post: validate it with fewer others", "media_not_checked"
)


async def validate_many(deps: Dependencies, workspace_id: str, payload: JsonObject) -> Answer:
    """Answer with the verdict on each post, in their order. Raises InvalidRequest, TooManyRequests."""
    async with loop_share(body_size(payload)):
        bodies: list[JsonObject] = [sized(body) for body, _ in read_create_many(payload, ValidateManyBody)]
    await deps.request_limits.take_posts(workspace_id, len(bodies))
    if not payload.get(CHECK_MEDIA):
        return _answer(bodies, await _verdicts(deps, workspace_id, bodies, None))
    end = asyncio.get_running_loop().time() + FILES_BEGIN_WITHIN_S

    async def files(content: PostContent) -> tuple[list[Problem], list[Problem]]:
        if asyncio.get_running_loop().time() > end and platforms_with_files(content):
            return [], [_NO_TIME]
        return await check_files(deps, workspace_id, content, nullcontext())

    # The request has one place among the checks, whose posts are checked one after the other.
    with deps.checks.take(workspace_id):
        return _answer(bodies, await _verdicts(deps, workspace_id, bodies, files))


async def _verdicts(
    deps: Dependencies, workspace_id: str, bodies: list[JsonObject], files: FileCheck | None
) -> list[Verdict]:
    with remembering_full_slots():
        return [await find_verdict(deps, workspace_id, body, files, []) for body in bodies]


def _answer(bodies: list[JsonObject], verdicts: list[Verdict]) -> Answer:
    failed = sum(bool(verdict.errors) for verdict in verdicts)
    return answer_view(
        BulkVerdictView(
            total=len(verdicts),
            succeeded=len(verdicts) - failed,
            failed=failed,
            results=[_item(at, body, verdicts[at]) for at, body in enumerate(bodies)],
        )
    )


def _item(position: int, body: JsonObject, verdict: Verdict) -> ItemVerdictView:
    item = ItemVerdictView(
        position=position,
        valid=not verdict.errors,
        errors=[problem_view(problem) for problem in verdict.errors[:MOST_PROBLEMS]],
        warnings=[problem_view(problem) for problem in verdict.warnings[:MOST_PROBLEMS]],
    )
    if isinstance(external_id := body.get("externalId"), str):
        item["externalId"] = external_id
    return item

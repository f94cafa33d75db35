"""Validation of a post that is not created."""

from api.dependencies import Dependencies
from api.http.body import JsonObject, SizedBody, size_of
from api.http.loop_share import loop_share
from api.posts.answers.answer import Answer, answer_view, problem_view
from api.posts.answers.views import VerdictView
from api.posts.bodies.parse_post import read_create
from api.posts.bodies.platform_rules import find_platform_problems, platform_cautions, refused_accounts
from api.posts.clock import now_ms
from api.posts.media_checks import check_files
from domain.errors import InvalidRequest, Problem
from store.accounts.connected import find_accounts


async def validate(deps: Dependencies, workspace_id: str, payload: JsonObject) -> Answer:
    """Answer with all problems; for a draft, rules of platforms that it breaks are warnings."""
    checks, body = payload.get("checkMedia", False), _without_check(payload)
    wrong = [] if isinstance(checks, bool) else [_NO_FLAG]
    try:
        async with loop_share(size_of(payload)):
            wanted = read_create(body, now_ms())
    except InvalidRequest as error:
        return _verdict([*error.problems, *wrong], [])
    if wrong:
        return _verdict(wrong, [])
    async with deps.database.transaction() as session:
        wanted_ids = [target.account_id for target in wanted.content.targets]
        accounts = await find_accounts(session, workspace_id, wanted_ids)
    problems = await find_platform_problems(wanted.content, accounts, size_of(payload))
    warnings = refused_accounts(wanted.content, accounts)
    if not problems:
        warnings += platform_cautions(wanted.content, accounts)
        if checks:
            problems, unseen = await check_files(deps, workspace_id, wanted.content)
            warnings += unseen
    return _verdict([], [*problems, *warnings]) if wanted.is_draft else _verdict(problems, warnings)


_NO_FLAG = Problem("checkMedia must be true or false", "invalid_field_value", "checkMedia")


def _without_check(payload: JsonObject) -> JsonObject:
    if "checkMedia" not in payload:
        return payload
    body = SizedBody({name: value for name, value in payload.items() if name != "checkMedia"})
    body.size = size_of(payload)
    return body


def _verdict(errors: list[Problem], warnings: list[Problem]) -> Answer:
    return answer_view(
        VerdictView.model_construct(
            valid=not errors,
            errors=[problem_view(problem) for problem in errors],
            warnings=[problem_view(problem) for problem in warnings],
        )
    )

"""Change a post, correct its failed targets, or edit its published text: first the rows, then the workflow."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.http.body import MAX_PROBLEMS, JsonObject
from api.http.body_validation import read_valid
from api.http.moments import now_ms
from api.posts.answers.rendering import Answer, answer_post
from api.posts.bodies.parse_patch import read_correction, read_patch
from api.posts.bodies.platform_rules import collect_platform_problems, text_problems
from api.posts.bodies.schemas import EditBody
from api.posts.changes.post_change import PostChange, require_tries_left
from api.posts.lookup import answer_at_rest, plan_for, post_accounts, require_post
from api.posts.media_checks import look_for_uploads, read_upload_problems, targets_with_warned_media, warn_of_media
from api.posts.times import (
    campaign_of_change,
    campaign_refusal,
    choose_slot,
    find_campaign_problem,
    require_campaign_to_join,
    require_link,
)
from api.shared.caches import require_open
from api.shared.waiting import Deadline
from domain.attempts import RevisionState
from domain.audit import Actor
from domain.codes import is_problem_code
from domain.content import EditedText, PostContent, edit_bytes
from domain.errors import Conflict, InvalidRequest, Problem, Unprocessable
from domain.ids import new_id
from domain.loop_share import LoopShare
from domain.ownership import TargetRow, may_change, may_correct
from domain.post import PostStatus, TargetStatus, public_text
from domain.uploads import named_addresses
from domain.workspaces import LARGEST_ANSWER
from platforms.capabilities import Editable
from platforms.codes import known_codes
from platforms.registry import platforms
from store.accounts.connected import find_accounts
from store.models import ConnectedAccount, Post, Revision, Target
from store.posts.changes import target_rows
from store.posts.contents import correct, post_content, rewrite
from store.posts.queries import add_revision
from store.queues.slots import move_into_slot
from store.rows import count_rows, current_row

_OTHER_TARGETS = Problem(
    "Publishing has begun, so no target can be added any more: platforms may name only those that the post has",
    "conflict",
    "platforms",
)
_TOO_LARGE = Problem("With the earlier versions of its targets the post would be larger than 4 MiB", "post_too_large")
_KEEPS = {
    TargetStatus.PUBLISHED: "is public",
    TargetStatus.UNCONFIRMED: "may be public",
}


async def correct_targets(
    deps: Dependencies, session: AsyncSession, post: Post, actor: Actor, rows: Sequence[TargetRow], payload: JsonObject
) -> dict[str, ConnectedAccount]:
    """Change what a locked post's failed and held targets send; returns the post's accounts.

    `rows` are those of its targets, in their order. Raises InvalidRequest, Unprocessable, and Conflict for a change of
    what is out or of the post's time.
    """
    correction = read_correction(post, payload)
    await require_campaign_to_join(session, post, correction, payload)
    changed = _changed(post, correction)
    by_id = dict(zip((target.id for target in post.targets), rows, strict=True))
    positions = {(target.platform, target.account_id): at for at, target in enumerate(correction.targets)}
    places = {target.id: positions[target.platform, target.account_id] for target in changed}
    if refused := [_out(target, places[target.id]) for target in changed if not may_correct(by_id[target.id])]:
        raise Conflict(refused)
    if changed:
        await require_tries_left(session, post)
    accounts = await post_accounts(session, post)
    corrected = set(places.values())
    uploads = await read_upload_problems(deps, session, post.workspace_id, correction, corrected)
    problems = await collect_platform_problems(correction, accounts, LoopShare(heavy=True), corrected)
    if problems := [*problems, *uploads]:
        raise Unprocessable(problems[:MAX_PROBLEMS])
    session.add_all(correct(post, correction, actor, {target.id for target in changed}, now_ms()))
    if post.answer_bytes > LARGEST_ANSWER:
        raise Unprocessable(_TOO_LARGE)
    return accounts


def _changed(post: Post, correction: PostContent) -> list[Target]:
    """Return the targets whose content would change. Raises Conflict if they are not the post's targets."""
    now = post_content(post)
    before = {(target.platform, target.account_id): now.sent_to(target) for target in now.targets}
    after = {(target.platform, target.account_id): correction.sent_to(target) for target in correction.targets}
    if before.keys() != after.keys():
        raise Conflict(_OTHER_TARGETS)
    names = [(target, (target.platform, target.account_id)) for target in post.targets]
    return [target for target, name in names if before[name] != after[name]]


def _out(target: Target, place: int) -> Problem:
    """Return the problem of a change to a target that is published or being published."""
    label = platforms()[target.platform].label
    state = _KEEPS.get(TargetStatus(target.status), "is being published")
    sentence = (
        f"The post {state} on {label} account {target.account_id}, which keeps what it was sent: give the failed "
        "targets a customContent, customMedia or platformSpecificData of their own"
    )
    return Problem(sentence, "conflict", f"platforms.{place}", target.platform, target.account_id)


_BEGUN = Problem(
    "Publishing has begun, and no target has failed or waits, so nothing can be changed any more",
    "conflict",
)


async def update_post(change: PostChange, deadline: Deadline) -> Answer:
    """Change the post and answer with it, or as the first request with this key was answered.

    Raises NotFound, InvalidRequest, Unprocessable, Conflict, TooManyRequests, IdempotencyKeyReused.
    """
    deps, workspace_id, post_id, payload = change.deps, change.workspace_id, change.post_id, change.payload

    async def begin() -> Answer:
        await look_for_uploads(deps, workspace_id, {token for _, _, token in named_addresses(payload)}, post_id)
        warnings: list[Problem] = []
        closed = await deps.closed_gates.closed_in(workspace_id)
        async with change.locked_post() as (session, post):
            before = PostStatus(post.status)
            rows = [] if may_change(before) else await target_rows(session, post)
            if may_change(before, rows):
                accounts, warnings = await _rewrite(deps, session, post, change.actor, payload)
            elif any(map(may_correct, rows)):
                accounts = await correct_targets(deps, session, post, change.actor, rows, payload)
            else:
                raise Conflict(_BEGUN)
            deps.usage.count_bytes(post.workspace_id, post.answer_bytes)
            plan = None if post.due_at is None else plan_for(post, accounts)
            if plan is not None and plan.immediate:
                accounts_of_post = [(target.platform, target.account_id) for target in post.targets]
                require_open(closed, accounts_of_post, post.campaign_id, post.series_id)
        # The row is decisive from here on. It is delivered to its workflow, again if needed.
        if plan is None:
            if before is not PostStatus.DRAFT:
                await deps.delivery.deliver_rest(post.workflow_id, post.id, post.version)
        elif plan.immediate:
            deps.delivery.deliver(plan)
        elif PostStatus(post.status).is_open:
            await deps.delivery.deliver_and_wait(plan)
        begun = plan is not None and plan.immediate
        return await answer_at_rest(deps, workspace_id, post_id, deadline, begun=begun, warnings=warnings)

    return await change.answer_once(begin, lambda _: answer_at_rest(deps, workspace_id, post_id, deadline))


async def _rewrite(
    deps: Dependencies, session: AsyncSession, post: Post, actor: Actor, payload: JsonObject
) -> tuple[dict[str, ConnectedAccount], list[Problem]]:
    """Change a locked post that has not begun, or that begins again; return its accounts, and warnings.

    Raises InvalidRequest, Unprocessable.
    """
    now = now_ms()
    campaign = await campaign_of_change(session, post, payload)
    parsed_post = read_patch(post, payload, now, campaign)
    joins = parsed_post.content.campaign_id != post.campaign_id
    if (joins or parsed_post.due_at != post.due_at) and (
        problem := find_campaign_problem(parsed_post, campaign, joins=joins)
    ):
        raise campaign_refusal(problem)
    account_ids = {target.account_id for target in parsed_post.content.targets}
    accounts = {} if parsed_post.is_draft else await find_accounts(session, post.workspace_id, sorted(account_ids))
    uploads = await read_upload_problems(deps, session, post.workspace_id, parsed_post.content)
    if not parsed_post.is_draft:
        problems = await collect_platform_problems(parsed_post.content, accounts, LoopShare(heavy=True))
        if problems := [*problems, *uploads]:
            raise Unprocessable(problems[:MAX_PROBLEMS])
    if parsed_post.content.after_post_id not in {None, post.after_post_id}:
        await require_link(session, post.workspace_id, post.id, parsed_post.content, now)
    earlier = targets_with_warned_media(post, deps)
    if parsed_post.queue is None:
        rewrite(post, parsed_post.content, actor, status=parsed_post.status, due_at=parsed_post.due_at, now=now)
    else:
        queue_id, slot = await choose_slot(
            session, post.workspace_id, parsed_post.queue, parsed_post.content, now, campaign, post_id=post.id
        )
        await move_into_slot(session, post, parsed_post.content, actor, queue_id, slot, now)
    warn_of_media(post, deps, earlier)
    return accounts, [*uploads, *parsed_post.time_warnings]


EDIT_LIMIT = 5
"""Edits of one tweet, as this API's contract and X's documentation say."""
MOST_REVISIONS = 100
"""Edits that a post may be asked for, those that its platform refuses included: each leaves a row and an attempt."""
_MEDIA_FIELDS = frozenset({"media", "mediaItems", "customMedia"})
"""Fields that are accepted here only to be refused with the rule that they break."""
_MORE_THAN_TEXT = ("poll", "quoteTweetId")
"""Settings of what a new version of a tweet would lose."""


async def edit(change: PostChange, deadline: Deadline) -> Answer:
    """Replace the text of the post's published tweets, or answer as the first request with this key was answered.

    Raises NotFound, InvalidRequest, Unprocessable, Unavailable, TooManyRequests, IdempotencyKeyReused.
    """
    deps, workspace_id, post_id = change.deps, change.workspace_id, change.post_id
    return await change.answer_once(
        partial(_begin, change, deadline),
        lambda known: _follow(deps, workspace_id, post_id, known.revision_id or "", deadline),
    )


async def _begin(change: PostChange, deadline: Deadline) -> Answer:
    deps, post_id, payload = change.deps, change.post_id, change.payload
    text = read_edit(payload)
    now, revision_id = now_ms(), new_id("rev")
    # Locked, so that edits that come together are counted one by one.
    async with change.locked_post(revision_id=revision_id) as (session, post):
        accounts = await post_accounts(session, post)
        targets = _editable(post, accounts, now)
        if await count_rows(session, Revision.post_id == post_id) >= MOST_REVISIONS:
            raise Unprocessable(_TOO_MANY)
        _check_text(post, targets, accounts, text, has_media=not _MEDIA_FIELDS.isdisjoint(payload))
        edited_text = EditedText(content=text, target_ids=[target.id for target in targets])
        await add_revision(session, post, edited_text, change.actor, now, revision_id)
        deps.usage.count_bytes(change.workspace_id, post.answer_bytes)
        plan = plan_for(post, accounts)
    await deps.workflows.edit(plan, revision_id, edited_text.target_ids)
    return await _outcome(deps, change.workspace_id, post_id, revision_id, deadline)


async def _follow(deps: Dependencies, workspace_id: str, post_id: str, revision_id: str, deadline: Deadline) -> Answer:
    """Answer with the outcome of an edit that an earlier request has saved and may not have begun."""
    async with deps.database.reading() as session:
        post = await require_post(session, workspace_id, post_id)
        revision = await current_row(session, Revision, revision_id)
        plan = plan_for(post, await post_accounts(session, post))
    if revision is not None and revision.state == RevisionState.WAITING:
        # If it is begun twice, it is made once: the second finds it settled.
        await deps.workflows.edit(plan, revision_id, revision.body["target_ids"])
    return await _outcome(deps, workspace_id, post_id, revision_id, deadline)


async def _outcome(deps: Dependencies, workspace_id: str, post_id: str, revision_id: str, deadline: Deadline) -> Answer:
    await _wait(deps, post_id, revision_id, deadline)
    async with deps.database.transaction() as session:
        revision = await current_row(session, Revision, revision_id)
        post = await require_post(session, workspace_id, post_id)
        if revision is not None and revision.state == RevisionState.REFUSED:
            raise Unprocessable(_refusals(revision, post))
        return answer_post(post, waited=True)


def read_edit(payload: JsonObject) -> str:
    """Return the new text. Raises InvalidRequest."""
    body = read_valid(EditBody, {name: value for name, value in payload.items() if name not in _MEDIA_FIELDS})
    if not body.content.strip():
        raise InvalidRequest(Problem("content must not be empty", "missing_required_field", "content"))
    return body.content


_NO_TWEET = Problem("Only published tweets can be edited, and this post has none", "edit_not_supported")


def _editable(post: Post, accounts: Mapping[str, ConnectedAccount], now: datetime) -> list[Target]:
    """Return the targets that can be edited now. Raises Unprocessable with the first rule that leaves none."""

    def premium(target: Target) -> bool:
        account = accounts.get(target.account_id)
        return account is not None and account.platform == target.platform and account.premium

    def open_still(target: Target) -> bool:
        platform = platforms()[target.platform]
        if target.published_at is None or not isinstance(platform, Editable):
            return False
        return now < (target.editable_until or target.published_at + platform.edit_window)

    rules = (
        (
            lambda target: (
                target.status == TargetStatus.PUBLISHED and isinstance(platforms()[target.platform], Editable)
            ),
            _NO_TWEET,
        ),
        (lambda target: target.platform_post_id is not None, _NO_ID),
        (premium, Problem("Editing needs an account with X Premium", "premium_required")),
        (open_still, Problem("A tweet can be edited within 1 hour of being published", "edit_window_closed")),
        (
            lambda target: len(target.edit_history) < EDIT_LIMIT,
            Problem(f"A tweet can be edited at most {EDIT_LIMIT} times", "edit_limit_reached"),
        ),
    )
    targets = list(post.targets)
    for holds, problem in rules:
        allowed_targets = [target for target in targets if holds(target)]
        if not allowed_targets:
            # If the post has no tweet, no single target is at fault.
            named = [] if problem is _NO_TWEET else [_of_target(problem, target) for target in targets]
            raise Unprocessable(named or problem)
        targets = allowed_targets
    return targets


_NO_ID = Problem(
    "The id of the tweet is not known, so it cannot be edited: say it by POST /v1/posts/{postId}/resolve",
    "edit_not_supported",
)


def _check_text(
    post: Post, targets: list[Target], accounts: Mapping[str, ConnectedAccount], text: str, *, has_media: bool
) -> None:
    content = post_content(post)
    if has_media:
        raise Unprocessable(Problem("An edit changes the text only; media cannot be changed", "text_only"))
    account_ids = {target.account_id for target in targets}
    contents = [target for target in content.targets if target.account_id in account_ids]
    if any(content.settings_for(target).get(name) for target in contents for name in _MORE_THAN_TEXT):
        raise Unprocessable(Problem("A tweet with a poll or a quote cannot be edited", "text_only"))
    if post.answer_bytes + sum(_growth(post, target, text) for target in targets) > LARGEST_ANSWER:
        raise Unprocessable(_VERSIONS_TOO_LARGE)
    if problems := text_problems(content, contents, accounts, text):
        raise Unprocessable(problems)


_TOO_MANY = Problem(
    f"A post takes at most {MOST_REVISIONS} requests to edit it, refused ones included", "edit_limit_reached"
)
_VERSIONS_TOO_LARGE = Problem(
    "With all its earlier versions the post would be larger than 4 MiB", "post_too_large", "content"
)


def _growth(post: Post, target: Target, text: str) -> int:
    before = public_text(target.edited_content, post.content, target.custom_content)
    return edit_bytes(before, text)


async def _wait(deps: Dependencies, post_id: str, revision_id: str, deadline: Deadline) -> None:
    async def settled() -> bool:
        async with deps.database.transaction() as session:
            revision = await current_row(session, Revision, revision_id)
        return revision is None or revision.state != RevisionState.WAITING

    await deps.outcomes.wait(post_id, settled, deadline.seconds_left)


def _of_target(problem: Problem, target: Target) -> Problem:
    return replace(problem, platform=target.platform, account_id=target.account_id)


def _refusals(revision: Revision, post: Post) -> list[Problem]:
    """Return the error of each target that refused the edit."""
    problem, codes = _refusal(revision), revision.body.get("results", {})
    return [_of_target(problem, target) for target in post.targets if codes.get(target.id)] or [problem]


def _refusal(revision: Revision) -> Problem:
    sentence, code = revision.error or "The platform refused the edit", revision.error_code
    if is_problem_code(code):
        return Problem(sentence, code, revision.param)
    return Problem(sentence, "edit_refused", revision.param, platform_code=known_codes(code).platform_code)

"""Edit the text of published posts on platforms that allow it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from api.dependencies import Dependencies
from api.http.body import JsonObject
from api.http.body_validation import read_valid
from api.posts.answers.answer import Answer, answer_post
from api.posts.bodies.platform_rules import text_problems
from api.posts.bodies.schemas import EditBody
from api.posts.changes.post_change import PostChange
from api.posts.clock import now_ms
from api.posts.lookup import plan_for, post_accounts, require_post
from api.shared.waiting import Deadline
from domain.attempts import RevisionState
from domain.codes import is_problem_code
from domain.content import EditedText, edit_bytes
from domain.errors import InvalidRequest, Problem, Unprocessable
from domain.ids import new_id
from domain.post import TargetStatus, public_text
from domain.workspaces import LARGEST_ANSWER
from platforms.capabilities import Editable
from platforms.codes import known_codes
from platforms.registry import platforms
from store.models import ConnectedAccount, Post, Revision, Target
from store.posts.contents import post_content
from store.posts.queries import add_revision
from store.rows import count_rows, current_row

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
        raise Unprocessable(_TOO_LARGE)
    if problems := text_problems(content, contents, accounts, text):
        raise Unprocessable(problems)


_TOO_MANY = Problem(
    f"A post takes at most {MOST_REVISIONS} requests to edit it, refused ones included", "edit_limit_reached"
)
_TOO_LARGE = Problem("With all its earlier versions the post would be larger than 4 MiB", "post_too_large", "content")


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

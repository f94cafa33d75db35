"""Corrections of a post's failed targets: those that are not public may send other content with their next try."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.http.body import MAX_PROBLEMS, JsonObject
from api.posts.bodies.parse_patch import read_correction
from api.posts.bodies.platform_rules import collect_platform_problems
from api.posts.campaign_rules import require_campaign_to_join
from api.posts.changes.retry import require_tries_left
from api.posts.clock import now_ms
from api.posts.lookup import post_accounts
from api.posts.uploads import read_upload_problems
from domain.audit import Actor
from domain.content import PostContent
from domain.errors import Conflict, Problem, Unprocessable
from domain.loop_share import LoopShare
from domain.ownership import TargetRow, may_correct
from domain.post import TargetStatus
from domain.workspaces import LARGEST_ANSWER
from platforms.registry import platforms
from store.models import ConnectedAccount, Post, Target
from store.posts.contents import correct, post_content

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

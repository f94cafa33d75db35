"""Texts for operators in the Web UI, which renders them as markdown.

User names, ids, codes and addresses come from platforms and their servers. They are put into code spans, in which
markdown has no links and no images. A backslash would not suffice, because the Web UI also searches for addresses in
plain text.
"""

import re
from datetime import datetime
from typing import Any, NamedTuple

from temporalio import workflow
from temporalio.common import SearchAttributeUpdate

with workflow.unsafe.imports_passed_through():
    from domain.codes import reason
    from domain.plan import Plan, TargetPlan, WaitsFor
    from domain.post import HoldReason, PostStatus, TargetStatus
    from domain.printable import make_printable
    from domain.schedule import rfc3339
    from workflows.messages import StatusView, TargetStatusView
    from workflows.search_attributes import CAMPAIGN, DUE_AT, POST_STATUS, WAITS_FOR, Ending


class _Shown(NamedTuple):
    """The search attributes of a run that change."""

    status: str
    due_at: datetime
    waits_for: WaitsFor | None
    campaign_id: str | None


class Visibility:
    """The view that operators have of a post: its status and what its workflow waits for."""

    def __init__(self, plan: Plan, status: PostStatus) -> None:
        self.waiting_for = ""
        # Set at the start, or by the run before this one.
        self._shown = _Shown(status.value, plan.due_at, plan.waits_for, plan.campaign_id)

    def publish(
        self,
        plan: Plan,
        status: PostStatus | Ending,
        waiting_for: str,
        waits_for: WaitsFor | None,
        *,
        within_task: bool = False,
    ) -> None:
        """Show operators a state of the post from now on.

        Search attributes are not written if they change again `within_task`: writing them costs Temporal as much as
        everything else that it does for a post.
        """
        self.waiting_for = waiting_for
        workflow.set_current_details(details(plan, status, waiting_for))
        if within_task:
            return
        before, self._shown = self._shown, _Shown(status.value, plan.due_at, waits_for, plan.campaign_id)
        waits = WAITS_FOR.value_set(waits_for.value) if waits_for else WAITS_FOR.value_unset()
        campaign = CAMPAIGN.value_set(plan.campaign_id) if plan.campaign_id else CAMPAIGN.value_unset()
        changed: list[SearchAttributeUpdate[Any]] = [
            *([POST_STATUS.value_set(status.value)] if before.status != status.value else []),
            *([DUE_AT.value_set(plan.due_at)] if before.due_at != plan.due_at else []),
            *([waits] if before.waits_for != waits_for else []),
            *([campaign] if before.campaign_id != plan.campaign_id else []),
        ]
        if changed:
            workflow.upsert_search_attributes(changed)

    def view(self, plan: Plan, status: PostStatus) -> StatusView:
        """Return the response to a query."""
        return StatusView(
            post_id=plan.post_id,
            version=plan.version,
            status=status,
            due_at=plan.due_at,
            waiting_for=self.waiting_for,
            targets=[TargetStatusView.model_validate(target.model_dump()) for target in plan.targets],
        )


_LONGEST, _LONGEST_NAME = 255, 60
"""Characters. Names are also in the summaries of timers and steps, which Temporal requires to be short."""
_WEB_ADDRESS = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9/?#@!$&'()*+,;=%:._~-]*)?")


def short(moment: datetime) -> str:
    """Format a time for people: to the minute, or to the second if it has seconds."""
    text = rfc3339(moment.replace(microsecond=0)).replace("T", " ")
    return f"{text.removesuffix(':00Z')}Z" if text.endswith(":00Z") else text


def account_name(target: TargetPlan) -> str:
    """Return the name of a target's account as people know it, as one line of markdown."""
    name = f"@{target.username}" if target.username else target.account_id
    return f"{target.platform} {as_code(name, _LONGEST_NAME)}"


def as_code(text: str, longest: int = _LONGEST) -> str:
    """Return the text as a code span of one line, cut to `longest` characters: nothing in it is markup."""
    shown = make_printable(text)
    if len(shown) > longest:
        shown = f"{shown[: longest - 1]}…"
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    # CommonMark takes one space off each end; without it, backticks at an end would become part of the fence.
    space = " " if shown[:1] in {"`", " ", ""} or shown.endswith(("`", " ")) else ""
    return f"{fence}{space}{shown}{space}{fence}"


def summary(plan: Plan) -> str:
    """Return the line at the top of a workflow's page; it is never rewritten, so it has only what cannot change."""
    return f"{plan.post_id} of {as_code(plan.workspace or plan.workspace_id, _LONGEST_NAME)}"


def details(plan: Plan, status: PostStatus | Ending, waiting_for: str) -> str:
    """Return the post's state as markdown: what it waits for, then one line for each target."""
    lines = [f"**{status.value}**: {waiting_for}", ""]
    if status in {Ending.DELETED, Ending.DRAFT}:
        lines.extend(f"- {account_name(target)}{_still_public(target)}" for target in plan.targets)
    else:
        lines.extend(f"- {account_name(target)}: {_state(target)}" for target in plan.targets)
    workspace = f", workspace {as_code(plan.workspace, _LONGEST_NAME)}" if plan.workspace else ""
    lines.extend(["", f"Due {short(plan.due_at)}{workspace}, `{plan.post_id}`"])
    return "\n".join(lines)


def _still_public(target: TargetPlan) -> str:
    return f": still {_state(target)}" if target.may_be_public else ""


def _until_released(target: TargetPlan) -> str:
    if target.hold_reason is HoldReason.OPERATOR:
        return "until the operator has corrected the app at the platform; `socialsyncer doctor` says how"
    if target.hold_reason is HoldReason.PAUSED:
        return "until the pause ends: `socialsyncer resume`"
    return "until its account is reconnected"


def _state(target: TargetPlan) -> str:
    if target.status is TargetStatus.PUBLISHED:
        return "**published**" + _public_as(target)
    why = _why(target)
    if target.status is TargetStatus.HELD:
        until = f"until {short(target.resumes_at)}" if target.resumes_at else _until_released(target)
        return f"**held**{why} {until}"
    if target.waits_for_a_time and target.resumes_at:
        if target.error_code:
            return f"**refused for now**{why}, tried again at {short(target.resumes_at)}"
        return f"**publishing**, waits for its account's rate limit until {short(target.resumes_at)}"
    if target.status is TargetStatus.UNCONFIRMED:
        if target.confirming:
            return f"**unconfirmed**{why}, it may be public and is waiting for confirmation"
        return (
            f"**unconfirmed**{why}, it may be public: a person must look at the account, then report it by "
            "`socialsyncer resolve`"
        )
    return f"**{target.status.value}**{why}"


def _why(target: TargetPlan) -> str:
    """Return the reason of a target's state, in words, and the code."""
    if not target.error_code:
        return ""
    words = reason(target.error_code, target.error_category)
    return f": {words} ({as_code(target.error_code)})" if words else f" ({as_code(target.error_code)})"


def _public_as(target: TargetPlan) -> str:
    if not target.platform_post_id:
        return ""
    post, address = as_code(target.platform_post_id), target.platform_post_url
    return f" as [{post}](<{address}>)" if address and _WEB_ADDRESS.fullmatch(address) else f" as {post}"

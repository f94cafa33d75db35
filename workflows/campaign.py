"""The workflow of one campaign: it shows operators the campaign, and makes the changes that have a time.

No post depends on it. A campaign is what its row says, and its gate and its posts' rows decide what is sent.
"""

import contextlib
from datetime import timedelta
from typing import Any

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities import options
    from activities.campaigns import CampaignActivities
    from activities.commands import PauseCampaignCommand, ResumeCampaignCommand
    from domain.campaigns import CampaignPlan, CampaignState, CampaignStatus, PauseRequest, ResumeRequest
    from workflows.details import as_code, short
    from workflows.search_attributes import CAMPAIGN_STATUS


_LONGEST_REASON = 255


def campaign_details(state: CampaignState, answer: str | None) -> str:
    """Return the state of a campaign: its status, its posts, what comes next, and what was done last."""
    lines = [f"**{state.status.value}**: {_what_happens(state)}", ""]
    lines += [f"- {number:,} {status.value}" for status, number in state.posts.items() if number]
    lines += [f"- drafts that were skipped: {state.skipped:,}"] if state.skipped else []
    if state.behind:
        lines.append(f"- {state.total - state.behind:,} of {state.total:,} workflows know the newest version")
    lines += [f"- next: `{post.post_id}` at {short(post.due_at)}" for post in state.next_posts]
    lines += [f"- last operation: {state.last_operation}"] if state.last_operation else []
    lines += [f"- last request to this workflow: {answer}"] if answer else []
    workspace = f", workspace {as_code(state.workspace)}" if state.workspace else ""
    return "\n".join([*lines, "", f"{as_code(state.name)}{workspace}"])


def _what_happens(state: CampaignState) -> str:
    match state.status:
        case CampaignStatus.DRAFT:
            return "its posts are drafts until it is started."
        case CampaignStatus.ACTIVE:
            ends = f", until {short(state.ends_at)}" if state.ends_at else ""
            return f"still to be published: {state.open_posts:,}{ends}."
        case CampaignStatus.ENDED:
            return "no post of it is published any more."
        case CampaignStatus.PAUSED:
            return _pause(state)


def _pause(state: CampaignState) -> str:
    since = f" since {short(state.paused_since)}" if state.paused_since else ""
    by = f" by {as_code(state.paused_by)}" if state.paused_by else ""
    why = f": {as_code(state.reason, _LONGEST_REASON)}" if state.reason else ""
    ends = "until `socialsyncer resume`"
    if state.resume_at is not None:
        ends = f"until {short(state.resume_at)} (missed: {state.resume_missed})"
    return f"paused{since}{by}{why}. Nothing of it is published {ends}. Missed posts: {state.missed:,}."


_CHANGE: dict[str, Any] = {"start_to_close_timeout": timedelta(minutes=1), "retry_policy": options.DATABASE_RETRY}
"""The options of a change: that of ten thousand posts takes some seconds."""


@workflow.defn
class CampaignWorkflow:
    """A workflow that shows one campaign, and makes its changes that have a time, until it has ended."""

    @workflow.init
    def __init__(self, plan: CampaignPlan) -> None:
        self._plan = plan
        self._state: CampaignState | None = None
        self._shown_status: str | None = None
        self._is_stale = False
        self._requests: list[PauseRequest | ResumeRequest] = []
        self._answer: str | None = None

    @workflow.run
    async def run(self, plan: CampaignPlan) -> None:
        """Show the campaign and make its changes, until it has ended or is deleted."""
        while True:
            self._is_stale = False
            state = self._state = await self._read()
            if state is None:
                workflow.set_current_details("**deleted**: nothing more is done.")
                return
            self._show(state)
            if state.due_change is not None:
                await workflow.execute_activity_method(CampaignActivities.change_campaign_at_its_time, plan, **_CHANGE)
                continue
            if state.is_over and not self._has_news():
                return
            if workflow.info().is_continue_as_new_suggested() and not self._has_news():
                workflow.continue_as_new(plan)
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    self._has_news, timeout=state.again_in, timeout_summary="until the campaign is read again"
                )
            while self._requests:
                self._answer = await self._carry_out(self._requests.pop(0))

    def _has_news(self) -> bool:
        return self._is_stale or bool(self._requests)

    async def _read(self) -> CampaignState | None:
        return await workflow.execute_local_activity_method(
            CampaignActivities.read_campaign,
            self._plan,
            start_to_close_timeout=options.DATABASE_TIMEOUT,
            retry_policy=options.DATABASE_RETRY,
        )

    async def _carry_out(self, request: PauseRequest | ResumeRequest) -> str:
        """Carry out a request, and return for people what has become of it."""
        fields = self._plan.model_dump() | request.model_dump()
        if isinstance(request, PauseRequest):
            pause = PauseCampaignCommand(**fields)
            return await workflow.execute_activity_method(CampaignActivities.pause_campaign, pause, **_CHANGE)
        resume = ResumeCampaignCommand(**fields)
        return await workflow.execute_activity_method(CampaignActivities.resume_campaign, resume, **_CHANGE)

    def _show(self, state: CampaignState) -> None:
        workflow.set_current_details(campaign_details(state, self._answer))
        if state.status.value != self._shown_status:
            self._shown_status = state.status.value
            workflow.upsert_search_attributes([CAMPAIGN_STATUS.value_set(state.status.value)])

    @workflow.query(description="The state of the campaign as it was last read")
    def status(self) -> CampaignState | None:
        """Return the state of the campaign."""
        return self._state

    @workflow.signal(description="Read the campaign now")
    async def look(self) -> None:
        """Read the campaign now."""
        self._is_stale = True

    @workflow.signal(description='Pause the campaign, such as {"reason": "a mistake"}')
    async def pause(self, request: PauseRequest) -> None:
        """Pause the campaign, for operators."""
        self._requests.append(request)

    @workflow.signal(description='End its pause: {"missed": "publish", "spacing_s": 600}, or "shift" or "skip"')
    async def resume(self, request: ResumeRequest) -> None:
        """End the pause of the campaign, for operators."""
        self._requests.append(request)

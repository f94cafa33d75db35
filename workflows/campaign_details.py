"""Texts about campaigns for operators in the Web UI, which renders them as markdown."""

from domain.campaigns import CampaignState, CampaignStatus
from workflows.details import as_code, short

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

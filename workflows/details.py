"""Word what an operator reads in the Web UI."""

from datetime import datetime

from domain.plan import Plan, TargetPlan
from domain.post import PostStatus, TargetStatus
from domain.schedule import rfc3339

_MARKS = {
    TargetStatus.PENDING: "⏳",
    TargetStatus.PUBLISHING: "📤",
    TargetStatus.PUBLISHED: "✅",
    TargetStatus.FAILED: "❌",
    TargetStatus.UNCONFIRMED: "❓",
}


def short(moment: datetime) -> str:
    """Write a time for people: to the minute, or to the second where it has any."""
    text = rfc3339(moment)
    return text.replace("T", " ").removesuffix(":00Z") + ("Z" if text.endswith(":00Z") else "")


def name_of(target: TargetPlan) -> str:
    """Name a target's account as people know it."""
    return f"{target.platform} @{target.username}" if target.username else f"{target.platform} {target.account_id}"


def summary(plan: Plan) -> str:
    """Return the one line that stands in the list of workflows."""
    where = " + ".join(dict.fromkeys(target.platform for target in plan.targets))
    return f"{where}, now" if plan.immediate else f"{where}, due {short(plan.due_at)}"


def details(plan: Plan, status: PostStatus, waiting_for: str) -> str:
    """Return the post's standing as markdown: one line a target."""
    lines = [
        f"**{status.value}** · due {short(plan.due_at)} · `{plan.post_id}`",
        "",
        waiting_for,
        "",
        "| target | status | |",
        "|---|---|---|",
    ]
    for target in plan.targets:
        remark = target.platform_post_url or target.platform_post_id or target.error_code or ""
        mark = _MARKS[target.status]
        lines.append(f"| {name_of(target)} (`{target.account_id}`) | {mark} {target.status.value} | {remark} |")
    return "\n".join(lines)

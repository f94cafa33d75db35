"""Word what an operator reads in the Web UI."""

from datetime import datetime

from domain.plan import Plan, TargetPlan
from domain.post import PostStatus, TargetStatus
from domain.schedule import rfc3339


def short(moment: datetime) -> str:
    """Write a time for people: to the minute, or to the second where it has any."""
    text = rfc3339(moment.replace(microsecond=0)).replace("T", " ")
    return f"{text.removesuffix(':00Z')}Z" if text.endswith(":00Z") else text


def name_of(target: TargetPlan) -> str:
    """Name a target's account as people know it."""
    return f"{target.platform} @{target.username}" if target.username else f"{target.platform} {target.account_id}"


def summary(plan: Plan) -> str:
    """Return the one line that stands in the list of workflows."""
    where = " + ".join(dict.fromkeys(target.platform for target in plan.targets))
    return f"{where}, now" if plan.immediate else f"{where}, due {short(plan.due_at)}"


def details(plan: Plan, status: PostStatus, waiting_for: str) -> str:
    """Return the post's standing as markdown: what it waits for, then one line a target."""
    lines = [f"**{status.value}**: {waiting_for}", ""]
    lines.extend(f"- {name_of(target)}: {_standing(target)}" for target in plan.targets)
    lines.extend(["", f"Due {short(plan.due_at)}, `{plan.post_id}`"])
    return "\n".join(lines)


def _standing(target: TargetPlan) -> str:
    if target.status is TargetStatus.PUBLISHED and target.platform_post_url:
        return f"**published** as [{target.platform_post_id}]({target.platform_post_url})"
    if target.status is TargetStatus.PUBLISHED:
        return f"**published** as {target.platform_post_id}"
    if target.status is TargetStatus.HELD:
        until = f"until {short(target.resumes_at)}" if target.resumes_at else "until its account is reconnected"
        return f"**held** (`{target.error_code}`) {until}"
    if target.waits_for_its_turn and target.resumes_at:
        return f"**publishing**, at its account's turn at {short(target.resumes_at)}"
    if target.status is TargetStatus.UNCONFIRMED:
        doing = "being looked up" if target.looking else "not found; a person must decide"
        return f"**unconfirmed** (`{target.error_code}`), {doing}"
    return f"**{target.status.value}**" + (f" (`{target.error_code}`)" if target.error_code else "")

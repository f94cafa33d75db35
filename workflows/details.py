"""Texts that an operator reads in the Web UI, which renders them as markdown.

User names, ids, codes and addresses come from networks and their servers. They stand in code spans, where markdown has
no links and no images; a backslash would not do, because the Web UI also looks for addresses in plain text.
"""

import re
from datetime import datetime

from domain.plan import Plan, TargetPlan
from domain.post import HoldReason, PostStatus, TargetStatus
from domain.printable import make_printable
from domain.schedule import rfc3339

_LONGEST, _LONGEST_NAME = 255, 60
"""Characters. Names are also in the summaries of timers and steps, which Temporal wants to be short."""
_WEB_ADDRESS = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9/?#@!$&'()*+,;=%:._~-]*)?")


def short(moment: datetime) -> str:
    """Write a time for people: to the minute, or to the second where it has any."""
    text = rfc3339(moment.replace(microsecond=0)).replace("T", " ")
    return f"{text.removesuffix(':00Z')}Z" if text.endswith(":00Z") else text


def name_of(target: TargetPlan) -> str:
    """Name a target's account as people know it, as one line of markdown."""
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
    """Return the one line that stands in the list of workflows."""
    where = " + ".join(dict.fromkeys(target.platform for target in plan.targets))
    return f"{where}, now" if plan.immediate else f"{where}, due {short(plan.due_at)}"


def details(plan: Plan, status: PostStatus, waiting_for: str) -> str:
    """Return the post's standing as markdown: what it waits for, then one line a target."""
    lines = [f"**{status.value}**: {waiting_for}", ""]
    lines.extend(f"- {name_of(target)}: {_standing(target)}" for target in plan.targets)
    lines.extend(["", f"Due {short(plan.due_at)}, `{plan.post_id}`"])
    return "\n".join(lines)


def _until_mended(target: TargetPlan) -> str:
    if target.hold_reason is HoldReason.OPERATOR:
        return "until the operator has mended the app at the network; `socialsyncer doctor` says how"
    return "until its account is reconnected"


def _standing(target: TargetPlan) -> str:
    why = f" ({as_code(target.error_code)})" if target.error_code else ""
    if target.status is TargetStatus.PUBLISHED:
        return "**published**" + _public_as(target)
    if target.status is TargetStatus.HELD:
        until = f"until {short(target.resumes_at)}" if target.resumes_at else _until_mended(target)
        return f"**held**{why} {until}"
    if target.waits_for_its_turn and target.resumes_at:
        return f"**publishing**, at its account's turn at {short(target.resumes_at)}"
    if target.status is TargetStatus.UNCONFIRMED:
        doing = "being looked up" if target.looking else "not found; a person must decide"
        return f"**unconfirmed**{why}, {doing}"
    return f"**{target.status.value}**{why}"


def _public_as(target: TargetPlan) -> str:
    if not target.platform_post_id:
        return ""
    post, address = as_code(target.platform_post_id), target.platform_post_url
    return f" as [{post}](<{address}>)" if address and _WEB_ADDRESS.fullmatch(address) else f" as {post}"

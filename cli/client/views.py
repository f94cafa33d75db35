"""Posts and campaigns as a person at a terminal reads them."""

from collections.abc import Mapping
from typing import Any

_LONGEST_TEXT = 50
_COUNTS = ("scheduled", "draft", "publishing", "published", "partial", "failed", "skipped")


def post_row(post: Mapping[str, Any]) -> dict[str, Any]:
    """Return a post as a row of a table."""
    return {
        "id": post["id"],
        "status": post["status"],
        "time": _time(post),
        "platforms": ",".join(target["platform"] for target in post["platforms"]) or None,
        "content": _shortened(post.get("content") or ""),
    }


def post_lines(post: Mapping[str, Any]) -> list[str]:
    """Return a post, the outcome on each account, and its warnings."""
    lines = [f"{post['id']}  {post['status']}  {_time(post) or 'no time'}"]
    if post.get("content"):
        lines.append(f"  {_shortened(post['content'])}")
    for target in post["platforms"]:
        lines += _target_lines(target)
    lines += [f"  Warning: {warning['error']}" for warning in post.get("warnings") or []]
    return lines


def _target_lines(target: Mapping[str, Any]) -> list[str]:
    about = f"  {target['platform']}/{target['accountId']}  {target['status']}"
    if target.get("platformPostUrl"):
        about += f"  {target['platformPostUrl']}"
    elif target.get("nextAttemptAt"):
        about += f"  continues at {target['nextAttemptAt']}"
    details = [target["error"]] if target.get("error") else []
    if target.get("errorCode"):
        details.append(f"({target['errorCode']})")
    if target.get("hint"):
        details.append(f"What to do: {target['hint']}")
    return [about, *([f"    {' '.join(details)}"] if details else [])]


def campaign_row(campaign: Mapping[str, Any]) -> dict[str, Any]:
    """Return a campaign as a row of a table, with the number of its posts of each status that occurs."""
    progress = campaign["progress"]
    counts = [f"{progress[name]:,} {name}" for name in _COUNTS if progress.get(name)]
    return {
        "id": campaign["id"],
        "name": _shortened(campaign["name"]),
        "status": campaign["status"],
        "posts": ", ".join(counts) or "none",
        "next": campaign["nextAt"],
    }


def _time(post: Mapping[str, Any]) -> str | None:
    local = post.get("scheduledForLocal")
    return None if local is None else f"{local} {post['timezone']}"


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST_TEXT else f"{line[: _LONGEST_TEXT - 1]}…"

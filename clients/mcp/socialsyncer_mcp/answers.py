"""Answers that are short enough for a model to read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp.server.mcpserver.exceptions import ToolError
from socialsyncer_client import ConnectionFailed, ResponseError, SocialSyncerError, models

Answer = dict[str, Any]
"""JSON."""
_SHOWN_TEXT = 200
_SHOWN_PROBLEMS = 20
_TARGET_FIELDS = (
    "platform",
    "accountId",
    "status",
    "platformPostUrl",
    "error",
    "errorCode",
    "retryable",
    "holdReason",
    "nextAttemptAt",
)
_CAMPAIGN_FIELDS = ("id", "name", "status", "nextAt", "lastAt")
_NEXT = "Nothing has changed. Show this to the person. If they agree, call again with this `confirm`."
_POST_FIELDS = ("id", "status", "scheduledFor", "scheduledForLocal", "timezone", "publishedAt", "tags", "campaignId")


def short_post(post: models.Post) -> dict[str, Any]:
    """Return a post of a list: its state on each account, and the beginning of its text."""
    fields = post.to_dict()
    text = fields.get("content") or ""
    return {
        **_some(fields, _POST_FIELDS),
        "content": text if len(text) <= _SHOWN_TEXT else f"{text[:_SHOWN_TEXT]}…",
        "platforms": [_some(target, _TARGET_FIELDS) for target in fields["platforms"]],
        **({"warnings": fields["warnings"]} if fields.get("warnings") else {}),
    }


def short_rules(rules: models.PlatformRules) -> dict[str, Any]:
    """Return a platform's rules without the JSON Schema of its settings and the forms of its files."""
    return _some(rules.to_dict(), ("platform", "label", "text", "media"))


def preview_pause(campaign: models.Campaign, confirm: str) -> dict[str, Any]:
    """Return what pausing a campaign would stop as counted at `asOf`, and the word that confirms it."""
    fields = campaign.to_dict()
    progress = fields["progress"]
    return {
        "paused": False,
        "campaign": _some(fields, _CAMPAIGN_FIELDS),
        "stops": progress["scheduled"],
        "inFlight": progress["publishing"],
        "asOf": progress["asOf"],
        "confirm": confirm,
        "next": _NEXT,
    }


def preview_resume(campaign: models.Campaign, confirm: str) -> dict[str, Any]:
    """Return what the end of a campaign's pause would do, and the word that confirms it."""
    fields = campaign.to_dict()
    return {
        "resumed": False,
        "campaign": _some(fields, _CAMPAIGN_FIELDS),
        "missed": (fields.get("pause") or {}).get("missed", 0),
        "would": fields.get("result", {}),
        "confirm": confirm,
        "next": _NEXT,
    }


def short_campaign(campaign: models.Campaign) -> dict[str, Any]:
    """Return a campaign of a list."""
    return _some(campaign.to_dict(), (*_CAMPAIGN_FIELDS, "timezone", "startsAt", "endsAt", "progress"))


@asynccontextmanager
async def calling() -> AsyncIterator[None]:
    """Turn errors of the API into errors of tools."""
    try:
        yield
    except SocialSyncerError as error:
        raise tool_error(error) from error


def tool_error(error: SocialSyncerError) -> ToolError:
    """Return an error as a text that says what is wrong where, and what to do."""
    if isinstance(error, ResponseError):
        lines = [f"{error} ({error.code or error.status})"]
        for problem in error.errors[:_SHOWN_PROBLEMS] if len(error.errors) > 1 or error.param else ():
            place = problem.get("param") or problem.get("accountId") or ""
            lines.append(f"- {place}: {problem.get('error')} ({problem.get('code')})")
        if error.retry_after is not None:
            lines.append(f"Call again in {error.retry_after:g} seconds.")
        return ToolError("\n".join(lines))
    if isinstance(error, ConnectionFailed):
        return ToolError(f"{error} Call again with the same arguments: no post is created twice.")
    return ToolError(str(error))


def _some(fields: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: fields[name] for name in names if fields.get(name) is not None}

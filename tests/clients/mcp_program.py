"""A program that uses the MCP server by the SDK's own client, over stdio or HTTP.

It plans a week on two networks, corrects, stops and continues it, as the descriptions of the tools say.

The environment of the MCP server runs it. It prints JSON, which the test compares.
"""

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from mcp import Client, StdioServerParameters, stdio_client
from mcp.types import TextContent


def connection(name: str) -> Any:
    """Return how the client reaches the server: by an address, or as a process of its own."""
    if name.startswith("http"):
        return name
    names = ("SOCIALSYNCER_API_URL", "SOCIALSYNCER_API_KEY")
    environment = {variable: os.environ[variable] for variable in names}
    return stdio_client(StdioServerParameters(command=name, args=[], env=environment))


UNMARKED: set[str] = set()
"""The fields with texts that no answer has marked as untrusted."""


async def call(client: Any, tool: str, **arguments: Any) -> dict[str, Any]:
    """Return the answer of a tool, or its error as text."""
    result = await client.call_tool(tool, arguments)
    (content,) = result.content[:1]
    assert isinstance(content, TextContent)
    if result.is_error:
        return {"error": content.text}
    answer: dict[str, Any] = json.loads(content.text)
    # The texts of platforms' rules are the service's own.
    if tool != "list_platforms":
        UNMARKED.update(unmarked_texts(answer, {"next", *answer.get("untrusted", [])}))
    return answer


def unmarked_texts(part: Any, marked: set[str], name: str = "") -> Iterator[str]:
    """Yield the names of fields whose text is a sentence, as an instruction would be."""
    if isinstance(part, str) and " " in part:
        yield name
    for inner, value in part.items() if isinstance(part, dict) else ():
        if inner not in marked:
            yield from unmarked_texts(value, marked, inner)
    for value in part if isinstance(part, list) else ():
        yield from unmarked_texts(value, marked, name)


async def pause_preview(client: Any, campaign: str, since: datetime) -> dict[str, Any]:
    """Return what a pause would stop, counted at or after `since`: the API counts a campaign at most once a second."""
    while True:
        preview = await call(client, "pause_campaign", campaign_id=campaign, reason="The plan is wrong")
        if datetime.fromisoformat(preview["asOf"]) >= since:
            return preview
        await asyncio.sleep(0.1)


async def plan_a_week(client: Any, name: str, week: str) -> dict[str, Any]:
    """Plan a week on X and Bluesky, and return what was seen on the way."""
    accounts = (await call(client, "list_accounts"))["accounts"]
    targets = [{"platform": account["platform"], "account_id": account["accountId"]} for account in accounts]
    campaigns = (await call(client, "list_campaigns"))["campaigns"]
    (campaign,) = [campaign["id"] for campaign in campaigns if campaign["name"] == name]
    rules = await call(client, "list_platforms", platform="twitter")
    too_long = await call(client, "validate_post", content="x" * 2000, targets=targets)
    posts = []
    for day in range(2, 9):
        arguments = {"content": f"{week}, day {day}", "targets": targets, "tags": [week], "campaign_id": campaign}
        first = await call(client, "create_post", **arguments)
        again = await call(client, "create_post", **arguments)
        assert first["id"] == again["id"], "a repeat has made a second post"
        assert first["status"] == "draft"
        time = f"2030-12-0{day}T09:00"
        planned = {"post_id": first["id"], "scheduled_for": time, "timezone": "Europe/Berlin"}
        posts.append(await call(client, "schedule_post", **planned))
    corrected = await call(
        client, "update_post", post_id=posts[1]["id"], content=f"{week}, day 3, corrected", tags=[week, "new"]
    )
    narrowed = await call(client, "update_post", post_id=posts[2]["id"], targets=targets[:1])
    cancelled = await call(client, "cancel_post", post_id=posts[-1]["id"])
    second = await call(client, "create_post", content=f"{week}, day 2", targets=targets, tags=[week],
                        campaign_id=campaign, idempotency_key="another")  # fmt: skip
    page = await call(client, "list_posts", tag=[week], status=["scheduled"], limit=4)
    rest = await call(client, "list_posts", tag=[week], status=["scheduled"], cursor=page["cursor"])
    nothing = await call(client, "retry_post", post_id=posts[0]["id"])
    strange = {"content": "x", "targets": [{"platform": "twitter", "account_id": "tw_0"}], "publish": "now"}
    now = await call(client, "create_post", content=f"{week}, now", targets=targets, publish="now")
    published = await call(client, "get_post", post_id=now["id"])
    too_late = await call(client, "update_post", post_id=now["id"], content="Something else")
    preview = await pause_preview(client, campaign, datetime.now().astimezone())
    guessed = await call(client, "pause_campaign", campaign_id=campaign, reason="x", confirm="yes")
    paused = await call(client, "pause_campaign", campaign_id=campaign, reason="x", confirm=preview["confirm"])
    asked = {"campaign_id": campaign, "missed": "shift"}
    would = await call(client, "resume_campaign", **asked)
    other = await call(client, "resume_campaign", **{**asked, "missed": "publish"}, confirm=would["confirm"])
    resumed = await call(client, "resume_campaign", **asked, confirm=would["confirm"])
    again = await call(client, "resume_campaign", **asked, confirm=would["confirm"])
    results = [await call(client, "get_post", post_id=post["id"]) for post in posts]
    return {
        "corrected": [
            corrected["content"][-9:],
            corrected["status"],
            len(corrected["tags"]),
            len(corrected["platforms"]),
        ],
        "narrowed": [len(narrowed["platforms"]), narrowed["content"] == f"{week}, day 4"],
        "tooLate": too_late["error"].splitlines()[0].rpartition("(")[2],
        "resume": [
            would["resumed"],
            would["missed"],
            other["resumed"],
            resumed["resumed"],
            resumed["campaign"]["status"],
            again["resumed"],
        ],
        "results": [result["status"] for result in results],
        "rules": rules["platform"],
        "tooLong": [too_long["valid"], *sorted({problem["code"] for problem in too_long["errors"]})],
        "strange": (await call(client, "create_post", **strange))["error"],
        "unmarked": sorted(UNMARKED),
        "times": [post["scheduledFor"] for post in posts],
        "cancelled": cancelled["status"],
        "second": second["id"] not in {post["id"] for post in posts},
        "listed": [len(page["posts"]), len(rest["posts"])],
        "nothing": nothing,
        "published": published["status"],
        "pause": [
            preview["paused"],
            preview["stops"],
            guessed["paused"],
            paused["paused"],
            paused["campaign"]["status"],
        ],
        "missing": await call(client, "get_post", post_id="post_0"),
        "inside": [
            (await call(client, "upload_media_from_url", url=url))["error"]
            for url in ("https://localhost/a.png", "https://[::ffff:169.254.169.254]/", "x")
        ],
    }


async def main(server: str, campaign: str, week: str) -> None:
    """Print what the client saw."""
    async with Client(connection(server)) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        hints = {name: tool.annotations for name, tool in tools.items() if tool.annotations}
        reading = sorted(name for name, hint in hints.items() if hint.read_only_hint)
        changing = sorted(name for name, hint in hints.items() if hint.destructive_hint)
        week_seen = await plan_a_week(client, campaign, week)
        sys.stdout.write(
            json.dumps(
                {
                    "protocol": client.protocol_version,
                    "tools": len(tools),
                    "reading": reading,
                    "changing": changing,
                    **week_seen,
                }
            )
        )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))

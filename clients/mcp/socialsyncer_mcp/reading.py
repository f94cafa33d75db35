"""Tools that read, and change nothing."""

from __future__ import annotations

from typing import Annotated, Any

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field
from socialsyncer_client import AsyncClient

from socialsyncer_mcp.answers import Answer, calling, short_campaign, short_post, short_rules, with_tool_words
from socialsyncer_mcp.bodies import (
    CampaignId,
    Content,
    Files,
    PostId,
    Publish,
    PublishHow,
    ScheduledFor,
    Tags,
    Targets,
    Zone,
    post_body,
    without_gaps,
)

_MOST_ACCOUNTS = 500
Statuses = Annotated[
    list[str] | None,
    Field(description="Some of draft, scheduled, publishing, published, partial, failed, held, unconfirmed."),
]


class ReadingTools:
    """The tools that read."""

    def __init__(self, api: AsyncClient) -> None:
        self._api = api

    async def list_accounts(self) -> Answer:
        """List the connected accounts, and whether each can publish at the moment (`health`)."""
        accounts: list[Answer] = []
        async with calling():
            async for account in self._api.iterate_accounts(limit=100):
                accounts.append(account.to_dict())
                if len(accounts) == _MOST_ACCOUNTS:
                    break
        return {"accounts": accounts}

    async def list_campaigns(
        self, cursor: Annotated[str | None, Field(description="The `cursor` of the page before.")] = None
    ) -> Answer:
        """List the campaigns, which group posts, with their status and how many of their posts are in which state."""
        async with calling():
            page = await (self._api.list_campaigns(cursor=cursor) if cursor else self._api.list_campaigns())
        return {"campaigns": [short_campaign(campaign) for campaign in page.campaigns], "cursor": page.cursor}

    async def list_platforms(
        self, platform: Annotated[str | None, Field(description="Name one for all its rules and settings.")] = None
    ) -> Answer:
        """List the networks with the limits of texts and media; of one network everything, with its settings."""
        async with calling():
            rules = (await self._api.list_platforms()).platforms
        if platform is None:
            return {"platforms": [short_rules(known) for known in rules]}
        everything: dict[str, Answer] = {known.platform: known.to_dict() for known in rules}
        if platform not in everything:
            raise ToolError(f"There is no platform {platform}. There are {', '.join(everything)}.")
        return everything[platform]

    async def validate_post(
        self,
        content: Content = None,
        targets: Targets = None,
        media: Files = None,
        publish: PublishHow = "draft",
        scheduled_for: ScheduledFor = None,
        timezone: Zone = None,
        tags: Tags = None,
        campaign_id: CampaignId = None,
        check_media: Annotated[
            bool, Field(description="Whether the service looks into the files; it takes some seconds.")
        ] = True,
    ) -> Answer:
        """Say whether a post can be published as it is, on every account. Nothing is saved or published.

        A draft is judged as if it were published: it can be saved with errors, and not be published with them.
        """
        judged: Publish = publish if publish != "draft" else "schedule" if scheduled_for else "now"
        body = post_body(content, targets, media, judged, scheduled_for, timezone, tags, campaign_id)
        async with calling():
            result: Answer = (await self._api.validate_post({**body, "checkMedia": check_media})).to_dict()
        return with_tool_words(result)

    async def get_post(self, post_id: PostId) -> Answer:
        """Read a post with its state on every account, and the reason where it has failed or waits."""
        async with calling():
            post: Answer = (await self._api.get_post(post_id)).to_dict()
        return post

    async def list_posts(
        self,
        status: Statuses = None,
        campaign_id: CampaignId = None,
        tag: Tags = None,
        scheduled_from: Annotated[str | None, Field(description="Due from then on: a date or a time.")] = None,
        scheduled_to: Annotated[str | None, Field(description="Due until then; a date with its whole day.")] = None,
        timezone: Zone = None,
        limit: Annotated[int, Field(ge=1, le=50)] = 20,
        cursor: Annotated[str | None, Field(description="The `cursor` of the page before.")] = None,
    ) -> Answer:
        """List posts with their states. Those that are failed, partial, held or unconfirmed may need a person."""
        filters: dict[str, Any] = without_gaps(
            {
                "status": status,
                "campaign_id": campaign_id,
                "tag": tag,
                "scheduled_from": scheduled_from,
                "scheduled_to": scheduled_to,
                "timezone": timezone,
                "cursor": cursor,
            }
        )
        async with calling():
            page = await self._api.list_posts(limit=limit, **filters)
        return {"posts": [short_post(post) for post in page.posts], "cursor": page.cursor}

"""Tools that create, move, continue and stop posts."""

from __future__ import annotations

from typing import Annotated, Literal

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field
from socialsyncer_client import AsyncClient, NotFound

from socialsyncer_mcp.answers import (
    Answer,
    NotAsMeantError,
    calling,
    preview_pause,
    preview_resume,
    short_post,
    with_tool_words,
)
from socialsyncer_mcp.bodies import (
    MEANT,
    CampaignId,
    Content,
    Files,
    PostId,
    PublishHow,
    ScheduledFor,
    Tags,
    Targets,
    Zone,
    body_key,
    post_body,
)

SecondKey = Annotated[
    str | None,
    Field(
        description="The same arguments within 24 hours are the same post, so that a repeat makes no second one. If a "
        "second one is meant, name any other value here."
    ),
]
Confirm = Annotated[
    str | None, Field(description="The `confirm` of the answer before, once a person has agreed to what it shows.")
]


class ChangingTools:
    """The tools that change posts."""

    def __init__(self, api: AsyncClient) -> None:
        self._api = api

    async def upload_media_from_url(
        self, url: Annotated[str, Field(description="The address of one picture, video or document.")]
    ) -> Answer:
        """Let the service fetch a file of the public internet; posts name it by the `publicUrl` of the answer.

        Use it for a file whose address may end before its post is due. A file that no post names is deleted after a
        week. A repeat uploads it once more.
        """
        async with calling():
            file = (await self._api.upload_from_url(url)).to_dict()
        return {name: file[name] for name in ("id", "publicUrl", "contentType", "size", "state") if name in file}

    async def create_post(
        self,
        content: Content = None,
        targets: Targets = None,
        media: Files = None,
        publish: PublishHow = "draft",
        scheduled_for: ScheduledFor = None,
        timezone: Zone = None,
        tags: Tags = None,
        campaign_id: CampaignId = None,
        idempotency_key: SecondKey = None,
    ) -> Answer:
        """Save a post as a draft, or publish it at a time or now. It says at once what a platform would refuse.

        No tool takes back what is public. If no answer comes, call again with the same arguments.
        """
        body = post_body(content, targets, media, publish, scheduled_for, timezone, tags, campaign_id)
        key = f"mcp-named/{idempotency_key}" if idempotency_key else body_key(body)
        async with calling():
            created = await self._api.create_post(body, idempotency_key=key)
            try:
                # A repeat gets the first answer: the post may have changed meanwhile, or be gone.
                post = await self._api.get_post(created.id)
            except NotFound:
                sentence = f"{created.id} had these arguments and was deleted: name another idempotency_key."
                raise ToolError(sentence) from None
        if created.status not in MEANT[publish] or (publish == "now" and post.status not in MEANT[publish]):
            raise NotAsMeantError(short_post(post), publish)
        return with_tool_words(post.to_dict())

    async def schedule_post(
        self,
        post_id: PostId,
        scheduled_for: Annotated[str, Field(description="ISO 8601, as 2030-12-03T09:00 in `timezone`.")],
        timezone: Zone = None,
    ) -> Answer:
        """Schedule a draft, or move a scheduled post to another time.

        The answer is certain: a post of which publishing has begun is not moved, and the error says so.
        """
        change: Answer = {"scheduledFor": scheduled_for, "isDraft": False}
        async with calling():
            post = await self._api.update_post(post_id, {**change, "timezone": timezone} if timezone else change)
        return short_post(post)

    async def update_post(
        self,
        post_id: PostId,
        content: Content = None,
        targets: Targets = None,
        media: Files = None,
        tags: Tags = None,
    ) -> Answer:
        """Correct a draft or a scheduled post. Of a failed post it corrects the accounts that retry_post publishes to.

        Fields that are left out stay. A list replaces the whole list, so name all accounts and files; an empty list
        removes them. A text that is public already is not changed, and the error says so.
        """
        change: Answer = {
            "content": content,
            "platforms": None if targets is None else [target.body() for target in targets],
            "mediaItems": None if media is None else [file.body() for file in media],
            "tags": tags,
        }
        async with calling():
            named = {name: value for name, value in change.items() if value is not None}
            post: Answer = (await self._api.update_post(post_id, named)).to_dict()
        return post

    async def retry_post(self, post_id: PostId) -> Answer:
        """Publish again to the accounts on which the post has failed. Published ones are left alone.

        An unconfirmed account may have the post already: it is looked for, and not sent again before it is certainly
        absent. Held accounts continue by themselves once their reason has ended.
        """
        async with calling():
            return short_post(await self._api.retry_post(post_id))

    async def cancel_post(self, post_id: PostId) -> Answer:
        """Make a draft of a scheduled post: it will certainly not be published, and can be scheduled again.

        If publishing has begun, nothing is cancelled and the error says so: what is in flight or public stays.
        """
        async with calling():
            return short_post(await self._api.update_post(post_id, {"isDraft": True}))

    async def pause_campaign(
        self,
        campaign_id: Annotated[str, Field(description="The campaign's id.", min_length=1)],
        reason: Annotated[str, Field(description="For the people who see the pause.", max_length=500)],
        confirm: Confirm = None,
    ) -> Answer:
        """Stop all posts of a campaign. The first call only shows what would stop; the second one confirms it.

        Requests that are under way end as the platforms answer: `inFlight` counts them. The counts are those of
        `asOf`, a second ago at most. Once its status is paused, nothing leaves any more, and nothing fails because
        of the pause. resume_campaign continues it.
        """
        async with calling():
            campaign = await self._api.get_campaign(campaign_id)
            # A change of the campaign makes the preview old: the person must see the new one.
            expected = f"{campaign.id}@{campaign.version}"
            if campaign.status != "paused":
                if confirm != expected:
                    return preview_pause(campaign, expected)
                key = f"mcp-pause/{expected}"
                campaign = await self._api.pause_campaign(campaign_id, {"reason": reason}, idempotency_key=key)
        return {"paused": True, "campaign": campaign.to_dict()}

    async def resume_campaign(
        self,
        campaign_id: Annotated[str, Field(description="The campaign's id.", min_length=1)],
        missed: Annotated[
            Literal["publish", "shift", "skip"],
            Field(
                description="The outcome of posts that fell due meanwhile. publish: they are published at once, in "
                "public. shift: all posts move by whole days. skip: they become drafts. Ask the person."
            ),
        ],
        spacing: Annotated[
            int, Field(description="With publish: seconds between two missed posts to the same account.", ge=0)
        ] = 0,
        confirm: Confirm = None,
    ) -> Answer:
        """Let a paused campaign continue. The first call only shows what would happen; the second one confirms it."""
        body: Answer = {"missed": missed, "spacing": spacing}
        async with calling():
            campaign = await self._api.get_campaign(campaign_id)
            # Another choice, or a change of the campaign, makes the preview old.
            expected = f"{campaign.id}@{campaign.version}/{missed}/{spacing}"
            if campaign.status == "paused":
                if confirm != expected:
                    preview = await self._api.resume_campaign(campaign_id, {**body, "dryRun": True})
                    return preview_resume(preview, expected)
                campaign = await self._api.resume_campaign(campaign_id, body, idempotency_key=f"mcp-resume/{expected}")
        return {"resumed": True, "campaign": campaign.to_dict()}

"""The arguments with which a model describes a post, and the bodies that they make."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, ConfigDict, Field

Publish = Literal["draft", "schedule", "now"]

MEANT = {"draft": {"draft"}, "schedule": {"scheduled"}, "now": {"publishing", "published"}}
"""The statuses of a post that was created as `publish` says."""

PostId = Annotated[str, Field(description="As create_post or list_posts says.", min_length=1)]
Content = Annotated[str | None, Field(description="The text. Accounts may have one of their own.")]
PublishHow = Annotated[
    Publish,
    Field(
        description="draft: save it, nothing is published. schedule: publish at `scheduled_for`. now: publish at once, "
        "in public. Choose schedule or now only if the person has asked for it."
    ),
]
ScheduledFor = Annotated[
    str | None,
    Field(description="ISO 8601, as 2030-12-03T09:00 in `timezone`, or with an offset. A draft may have one, too."),
]
Zone = Annotated[str | None, Field(description="IANA time zone, as Europe/Berlin. UTC if there is none.")]
Tags = Annotated[list[str] | None, Field(description="Labels, by which posts can be listed.")]
CampaignId = Annotated[
    str | None, Field(description="The campaign that the post belongs to; list_campaigns names them.")
]


class Target(BaseModel):
    """An account that the post goes to."""

    model_config = ConfigDict(extra="forbid")

    platform: str = Field(description="As list_accounts says, for example twitter.")
    account_id: str = Field(description="As list_accounts says.")
    content: str | None = Field(None, description="A text for this account instead of the post's.")
    settings: dict[str, Any] | None = Field(
        None, description="Settings of the platform; list_platforms with its name has their JSON Schema."
    )

    def body(self) -> dict[str, Any]:
        """Return it as the API takes it."""
        fields = {
            "platform": self.platform,
            "accountId": self.account_id,
            "customContent": self.content,
            "platformSpecificData": self.settings,
        }
        return without_gaps(fields)


class Media(BaseModel):
    """A file of the post."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(description="A public https address.")
    type: Literal["image", "video", "gif", "document"]
    alt_text: str | None = Field(None, description="A description for people who do not see it.")

    def body(self) -> dict[str, Any]:
        """Return it as the API takes it."""
        fields = {"url": self.url, "type": self.type, "altText": self.alt_text}
        return without_gaps(fields)


def without_gaps(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that have a value. Of an empty list the API thinks the same as of none."""
    return {name: value for name, value in fields.items() if value not in (None, [])}


Targets = Annotated[list[Target] | None, Field(description="The accounts. A draft may have none yet.")]
Files = Annotated[list[Media] | None, Field(description="Pictures, videos and documents, in their order.")]


def post_body(
    content: str | None,
    targets: list[Target] | None,
    media: list[Media] | None,
    publish: Publish,
    scheduled_for: str | None,
    timezone: str | None,
    tags: list[str] | None,
    campaign_id: str | None,
) -> dict[str, Any]:
    """Return the body that creates or validates a post. Raises ToolError if the time is missing."""
    if publish == "schedule" and not scheduled_for:
        raise ToolError("schedule needs scheduled_for: ask the person when the post is to be published.")
    fields: dict[str, Any] = {
        "content": content,
        "platforms": [target.body() for target in targets or ()],
        "mediaItems": [file.body() for file in media or ()],
        "scheduledFor": scheduled_for,
        "timezone": timezone,
        "tags": tags,
        "campaignId": campaign_id,
        "publishNow": publish == "now" or None,
        "isDraft": publish == "draft" or None,
    }
    return without_gaps(fields)


def body_key(body: dict[str, Any]) -> str:
    """Return an Idempotency-Key that is the same for the same body.

    A model that gets no answer calls again with the same arguments, and must not make a second post.
    """
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return f"mcp/{hashlib.sha256(canonical).hexdigest()[:40]}"

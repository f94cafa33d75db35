"""The content of a post as its client wants it: its form in the API, in rows and in waiting revisions."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from domain.post import PUBLISH_WITHIN_S, Media, media_in_effect, text_in_effect


class TargetContent(BaseModel):
    """The content for one account."""

    platform: str
    account_id: str
    custom_content: str | None = None
    custom_media: list[Media] | None = None
    settings: dict[str, Any] = {}


class PostContent(BaseModel):
    """The content of a post, its targets and its time."""

    content: str | None = None
    media_items: list[Media] = []
    targets: list[TargetContent] = []
    tags: list[str] = []
    timezone: str = "UTC"
    scheduled_for: datetime | None = None
    scheduled_wall: str | None = None
    external_id: str | None = None
    """The client's own id of the post."""
    campaign_id: str | None = None
    after_post_id: str | None = None
    """The post that it waits for as a draft (domain.chains); it has no time meanwhile."""
    after_delay: str | None = None
    """How long after that one it is published: an ISO 8601 duration; None for right after it."""
    after_on_failure: str | None = None
    """What becomes of it if that one fails (domain.chains.OnFailure)."""
    planned_for: datetime | None = None
    """The value of `scheduled_for` before the post was published ahead of it."""
    tiktok_settings: dict[str, Any] = {}
    facebook_settings: dict[str, Any] = {}
    publish_within: int = PUBLISH_WITHIN_S
    """Seconds after its due time in which the post may still be published."""

    def text_for(self, target: TargetContent) -> str:
        """Return the text of a target."""
        return text_in_effect(self.content, target.custom_content)

    def media_for(self, target: TargetContent) -> list[Media]:
        """Return the media of a target."""
        return media_in_effect(self.media_items, target.custom_media)

    def sent_to(self, target: TargetContent) -> tuple[str, list[Media], dict[str, Any]]:
        """Return text, media and settings of a target, as its platform gets them."""
        return self.text_for(target), self.media_for(target), self.settings_for(target)

    def settings_for(self, target: TargetContent) -> dict[str, Any]:
        """Merge the root settings of the target's platform under its own."""
        return merge_settings(target.platform, target.settings, self.tiktok_settings, self.facebook_settings)


class EditedText(BaseModel):
    """The new text of published targets."""

    content: str
    target_ids: list[str]


def merge_settings(
    platform: str, own: dict[str, Any], tiktok: dict[str, Any], facebook: dict[str, Any]
) -> dict[str, Any]:
    """Return the settings in effect: the target's own win over the root ones of its platform.

    A name is the same in camelCase and in snake_case: clients may write both.
    """
    root = {"tiktok": tiktok, "facebook": facebook}.get(platform, {})
    overridden = {to_camel(name) for name in own}
    return {**{name: value for name, value in root.items() if to_camel(name) not in overridden}, **own}

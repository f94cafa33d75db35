"""The cells of a row and of a post, compared by what they mean: how a file spells them makes no difference."""

import hashlib
import json
from base64 import b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic.alias_generators import to_camel

from api.posts.many.problems import cut
from domain.content import PostContent
from domain.moves import OnFailure, parse_delay
from domain.post import PUBLISH_WITHIN_S, Media, PostStatus
from domain.schedule import ScheduledTime, rfc3339
from store.models import Post
from store.posts.contents import post_content

Digests = Mapping[str, str]
"""The digest of each cell that is not empty."""

FIELDS: Mapping[str, tuple[str, ...]] = {
    "content": ("content",),
    "mediaItems": ("media_items",),
    "platforms": ("targets",),
    "scheduledFor": ("scheduled_for", "scheduled_wall"),
    "timezone": ("timezone",),
    "isDraft": (),
    "queue": (),
    "after": ("after_post_id", "after_delay", "after_on_failure"),
    "tags": ("tags",),
    "tiktokSettings": ("tiktok_settings",),
    "facebookSettings": ("facebook_settings",),
    "publishWithin": ("publish_within",),
    "campaignId": ("campaign_id",),
}
"""The fields of a post's content that each cell sets."""
FOR_PLATFORMS = frozenset({"content", "mediaItems", "platforms", "tiktokSettings", "facebookSettings"})
"""The cells that platforms have rules for."""


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of a row or of a post."""

    content: PostContent
    is_draft: bool
    """Whether the post is to stay a draft. A post that waits for another one is none."""
    queue: str | None = None

    @classmethod
    def of_post(cls, post: Post) -> "Cells":
        """Return the cells of a post as it is now."""
        return cls(post_content(post), post.status == PostStatus.DRAFT and post.after_post_id is None, post.queue_id)

    @property
    def values(self) -> dict[str, Any]:
        """Return the value of each cell, the same for equal meanings."""
        content, at = self.content, self.content.scheduled_for
        within = content.publish_within
        return {
            "content": content.content and content.content.replace("\r\n", "\n").strip(),
            "mediaItems": _media(content.media_items),
            "platforms": sorted(
                [
                    target.platform,
                    target.account_id,
                    target.custom_content,
                    None if target.custom_media is None else _media(target.custom_media),
                    _settings(target.settings),
                ]
                for target in content.targets
            ),
            "scheduledFor": content.scheduled_wall or (rfc3339(at) if at else None),
            "timezone": content.timezone,
            "isDraft": self.is_draft,
            "queue": self.queue,
            "after": _after(content),
            "tags": sorted(set(content.tags)),
            "tiktokSettings": _settings(content.tiktok_settings),
            "facebookSettings": _settings(content.facebook_settings),
            "publishWithin": None if within == PUBLISH_WITHIN_S else within,
            "campaignId": content.campaign_id,
        }

    def digests(self) -> Digests:
        """Return the digests of the cells that are not empty."""
        return {name: _digest(value) for name, value in self.values.items() if value}

    def show(self, name: str) -> str | None:
        """Return the beginning of a cell for a person; None if it is empty."""
        value = self.values[name]
        if name == "platforms":
            value = " ".join(f"{platform}:{account}" for platform, account, *_ in value)
        if not value:
            return None
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return cut(text)

    def to_json(self, names: Collection[str]) -> dict[str, Any]:
        """Return some cells with their full values, as `from_json` reads them."""
        fields = {field for name in names for field in FIELDS[name]} | {"scheduled_for", "scheduled_wall", "timezone"}
        return {"content": self.content.model_dump(mode="json", include=fields), "isDraft": self.is_draft}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Cells":
        """Return the cells of such a document; all others are empty."""
        return cls(PostContent.model_validate(document["content"]), document["isDraft"])

    def with_cells(self, other: "Cells", names: Collection[str]) -> "Cells":
        """Return these cells with some of another's. Raises UnknownZone if the time zone no longer exists."""
        fields = {field: getattr(other.content, field) for name in names for field in FIELDS[name]}
        content = self.content.model_copy(update=fields)
        source = other.content if "scheduledFor" in names else self.content
        if source.scheduled_for is not None and not {"scheduledFor", "timezone"}.isdisjoint(names):
            time = ScheduledTime(source.scheduled_for, source.scheduled_wall, source.timezone)
            if content.timezone != source.timezone:
                time = time.in_zone(content.timezone)
            content.scheduled_for, content.scheduled_wall = time.instant, time.wall
            if "scheduledFor" in names:
                content.after_post_id = content.after_delay = content.after_on_failure = None
        is_draft = other.is_draft if "isDraft" in names else self.is_draft
        return replace(self, content=content, is_draft=is_draft and content.after_post_id is None)


def differing(first: Digests, second: Digests) -> set[str]:
    """Return the names of the cells that differ."""
    return {name for name in FIELDS if first.get(name) != second.get(name)}


def _digest(value: Any) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return b64encode(hashlib.sha256(canonical.encode()).digest()[:9]).decode()


def _media(items: list[Media]) -> list[list[str | None]]:
    return [[item.type.value, item.url, item.alt_text or None] for item in items]


def _settings(value: Any) -> Any:
    """Return settings with their names in camelCase, because clients may write both."""
    if isinstance(value, dict):
        return {to_camel(name): _settings(item) for name, item in value.items()}
    return [_settings(item) for item in value] if isinstance(value, list) else value


def _after(content: PostContent) -> list[str] | None:
    if content.after_post_id is None:
        return None
    delay = str(parse_delay(content.after_delay)) if content.after_delay else ""
    return [content.after_post_id, delay, content.after_on_failure or OnFailure.SKIP.value]

"""Conversions between the body that creates a post and the post's content."""

from api.posts.bodies.schemas import AfterBody, MediaBody, PostBody, TargetBody
from domain.content import PostContent, TargetContent, answer_bytes
from domain.errors import InvalidRequest, Problem
from domain.post import PUBLISH_WITHIN_S, Media, MediaType
from domain.schedule import ScheduledTime
from domain.workspaces import LARGEST_POST


def to_content(body: PostBody, schedule: ScheduledTime | None, zone: str = "UTC") -> PostContent:
    """Return the content of a valid body, with its resolved time; `zone` is that of a body without one.

    Raises InvalidRequest if an answer with the post would be too large.
    """
    content = PostContent(
        content=body.content,
        media_items=_media(body.media_items or []),
        targets=[
            TargetContent(
                platform=target.platform,
                account_id=target.account_id,
                custom_content=target.custom_content,
                custom_media=None if target.custom_media is None else _media(target.custom_media),
                settings=target.platform_specific_data or {},
            )
            for target in body.platforms or []
        ],
        tags=body.tags or [],
        timezone=body.timezone or zone,
        scheduled_for=schedule.instant if schedule else None,
        scheduled_wall=schedule.wall if schedule else None,
        tiktok_settings=body.tiktok_settings or {},
        facebook_settings=body.facebook_settings or {},
        publish_within=body.publish_within or PUBLISH_WITHIN_S,
        external_id=body.external_id,
        after_post_id=body.after.post_id if body.after else None,
        after_delay=body.after.delay if body.after else None,
        after_on_failure=body.after.on_failure if body.after else None,
        campaign_id=body.campaign_id,
    )
    if answer_bytes(content) > LARGEST_POST:
        raise InvalidRequest(_TOO_LARGE)
    return content


_TOO_LARGE = Problem(
    f"The post would be larger than {LARGEST_POST // 2**20} MiB, counting its text once for each target without a text "
    "of its own: shorten it, or send it as several posts",
    "invalid_field_value",
    "content",
)


def to_body(content: PostContent) -> PostBody:
    """Return the body that would create a post with this content, apart from its time."""
    return PostBody.model_construct(
        content=content.content,
        media_items=_media_bodies(content.media_items),
        platforms=[
            TargetBody.model_construct(
                platform=target.platform,
                account_id=target.account_id,
                custom_content=target.custom_content,
                custom_media=None if target.custom_media is None else _media_bodies(target.custom_media),
                platform_specific_data=target.settings,
            )
            for target in content.targets
        ],
        timezone=content.timezone,
        tags=content.tags,
        tiktok_settings=content.tiktok_settings,
        facebook_settings=content.facebook_settings,
        publish_within=content.publish_within,
        external_id=content.external_id,
        after=_after_body(content),
        campaign_id=content.campaign_id,
    )


def _media(items: list[MediaBody]) -> list[Media]:
    return [Media(type=MediaType(item.type), url=item.url, alt_text=item.alt_text) for item in items]


def _media_bodies(items: list[Media]) -> list[MediaBody]:
    return [MediaBody.model_construct(type=item.type.value, url=item.url, alt_text=item.alt_text) for item in items]


def _after_body(content: PostContent) -> AfterBody | None:
    if content.after_post_id is None:
        return None
    body = AfterBody.model_construct(post_id=content.after_post_id, delay=content.after_delay)
    return body.model_copy(update={"on_failure": content.after_on_failure})

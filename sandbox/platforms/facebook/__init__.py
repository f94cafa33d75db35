"""Facebook Pages: a feed, photos uploaded before their post, videos that are uploaded, published and processed."""

from typing import ClassVar

from sandbox.platforms.facebook.posts import PostRoutes
from sandbox.platforms.facebook.reads import ReadRoutes
from sandbox.platforms.facebook.videos import VideoRoutes


class Facebook(PostRoutes, VideoRoutes, ReadRoutes):
    """The fake Facebook, in place of https://graph.facebook.com and https://rupload.facebook.com."""

    without_effect: ClassVar[frozenset[str]] = frozenset(
        {"access_token", "fields", "description", "unpublished_content_type"}
    )
    platform: ClassVar[str] = "facebook"
    label: ClassVar[str] = "Facebook"
    colour: ClassVar[str] = "#0866ff"
    account_prefix: ClassVar[str] = "fb"

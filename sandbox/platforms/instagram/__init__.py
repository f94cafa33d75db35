"""Instagram with Instagram Login: a container per media item, its status, then one call that publishes it."""

from typing import ClassVar

from sandbox.platforms.instagram.containers import ContainerRoutes
from sandbox.platforms.instagram.publishing import PublishRoutes
from sandbox.platforms.instagram.reads import ReadRoutes


class Instagram(ContainerRoutes, PublishRoutes, ReadRoutes):
    """The fake Instagram, in place of https://graph.instagram.com."""

    without_effect: ClassVar[frozenset[str]] = frozenset(
        {"access_token", "fields", "audio_name", "cover_url", "location_id"}
    )
    platform: ClassVar[str] = "instagram"
    label: ClassVar[str] = "Instagram"
    colour: ClassVar[str] = "#d62976"
    account_prefix: ClassVar[str] = "ig"

"""Google Business Profile: accounts with locations, and posts that Google checks before it shows them."""

from typing import ClassVar

from sandbox.platforms.googlebusiness.places import PlaceRoutes
from sandbox.platforms.googlebusiness.posts import PostRoutes


class GoogleBusiness(PostRoutes, PlaceRoutes):
    """The fake Google, in place of the hosts of the Business Profile APIs and of its token endpoint."""

    without_effect: ClassVar[frozenset[str]] = frozenset({"pageSize", "readMask", "client_id", "client_secret"})
    platform: ClassVar[str] = "googlebusiness"
    label: ClassVar[str] = "Google Business Profile"
    colour: ClassVar[str] = "#1a73e8"
    account_prefix: ClassVar[str] = "gb"

"""LinkedIn's versioned REST API: uploads by URN, posts whose id is in a header, pages that can be read."""

from typing import ClassVar

from sandbox.platforms.linkedin.posts import PostRoutes
from sandbox.platforms.linkedin.users import UserRoutes


class LinkedIn(PostRoutes, UserRoutes):
    """The fake LinkedIn, in place of https://api.linkedin.com and of the sign-in at https://www.linkedin.com."""

    without_effect: ClassVar[frozenset[str]] = frozenset({"q", "state", "client_id", "client_secret"})
    platform: ClassVar[str] = "linkedin"
    label: ClassVar[str] = "LinkedIn"
    colour: ClassVar[str] = "#0a66c2"
    account_prefix: ClassVar[str] = "li"

"""Pinterest's API v5: pins on boards, made from addresses or from a video that was uploaded to a storage before."""

from typing import ClassVar

from sandbox.platforms.pinterest.pins import PinRoutes
from sandbox.platforms.pinterest.users import UserRoutes


class Pinterest(PinRoutes, UserRoutes):
    """The fake Pinterest, in place of https://api.pinterest.com and of its storage."""

    platform: ClassVar[str] = "pinterest"
    label: ClassVar[str] = "Pinterest"
    colour: ClassVar[str] = "#e60023"
    account_prefix: ClassVar[str] = "pi"

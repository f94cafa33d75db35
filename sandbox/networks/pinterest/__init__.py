"""Pinterest's API v5: pins on boards, made from addresses or from a video that was uploaded to a storage before."""

from typing import ClassVar

from sandbox.networks.pinterest.pins import PinRoutes
from sandbox.networks.pinterest.users import UserRoutes


class Pinterest(PinRoutes, UserRoutes):
    """Be Pinterest, in place of https://api.pinterest.com and of its storage."""

    platform: ClassVar[str] = "pinterest"
    label: ClassVar[str] = "Pinterest"
    colour: ClassVar[str] = "#e60023"

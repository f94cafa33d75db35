"""The models of platformSpecificData and of credentials for Pinterest."""

from pydantic import Field

from platforms.access.oauth import OAuthCredentials
from platforms.client_model import ClientModel
from platforms.texts.patterns import Digits, WebAddress


class PinterestSettings(ClientModel):
    """The board and the texts of a pin. The limits are those of PinCreate in Pinterest's API document."""

    board_id: Digits = Field(description="The board that takes the pin.", examples=["549755885175"])
    board_section_id: Digits | None = Field(None, description="A section of that board.", examples=["549755885176"])
    title: str | None = Field(
        None, min_length=1, max_length=100, description="Up to 100 characters.", examples=["Ten knots to know"]
    )
    link: WebAddress | None = Field(
        None,
        description="The address that the pin links to, up to 2,048 characters.",
        examples=["https://example.com/knots"],
    )
    cover_image_url: WebAddress | None = Field(
        None, description="A video's cover.", examples=["https://cdn.example.com/cover.jpg"]
    )
    cover_image_key_frame_time: int | None = Field(
        None,
        ge=0,
        description="The moment of a video that becomes its cover, in seconds; the first if none is given.",
        examples=[3],
    )


class PinterestCredentials(OAuthCredentials):
    """A user's token (30 days) and its refresh token (60 days, used once: each renewal brings another)."""

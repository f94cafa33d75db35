"""The body of POST /v5/pins."""

from typing import Annotated, Literal

import msgspec

Digits = Annotated[str, msgspec.Meta(pattern=r"^\d+$")]
Short = Annotated[str, msgspec.Meta(max_length=100)]
ContentType = Literal["image/jpeg", "image/png"]


class Source(msgspec.Struct, forbid_unknown_fields=True, tag_field="source_type"):
    """The media of a pin."""


class ImageUrl(Source, tag="image_url"):
    """An image by its address."""

    url: str
    is_standard: bool = True


class ImageData(Source, tag="image_base64"):
    """An image by its bytes."""

    content_type: ContentType
    data: str
    is_standard: bool = True


class UrlItem(msgspec.Struct, forbid_unknown_fields=True):
    """One image of a carousel."""

    url: str
    title: str | None = None
    description: str | None = None
    link: str | None = None


class ImageUrls(Source, tag="multiple_image_urls"):
    """A carousel."""

    items: Annotated[list[UrlItem], msgspec.Meta(min_length=2, max_length=5)]
    index: Annotated[int, msgspec.Meta(ge=0)] = 0


class VideoId(Source, tag="video_id"):
    """A video that was uploaded."""

    media_id: Digits
    cover_image_url: str | None = None
    cover_image_content_type: ContentType | None = None
    cover_image_data: str | None = None
    cover_image_key_frame_time: Annotated[int, msgspec.Meta(ge=0)] | None = None
    is_standard: bool = True

    @property
    def has_cover(self) -> bool:
        """Return whether the body gives a cover in one of the three ways."""
        return any((self.cover_image_url, self.cover_image_data, self.cover_image_key_frame_time is not None))


class NewPin(msgspec.Struct, forbid_unknown_fields=True):
    """The whole body."""

    board_id: Digits
    media_source: ImageUrl | ImageData | ImageUrls | VideoId
    board_section_id: Digits | None = None
    title: Short | None = None
    description: Annotated[str, msgspec.Meta(max_length=800)] | None = None
    alt_text: Annotated[str, msgspec.Meta(max_length=500)] | None = None
    link: Annotated[str, msgspec.Meta(max_length=2048)] | None = None
    dominant_color: str | None = None
    parent_pin_id: Digits | None = None

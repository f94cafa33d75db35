"""The settings of media: where uploads are, at which addresses they are served, and what a worker spends on files."""

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, Field, field_validator

from domain.uploads import MEDIA_KEPT
from runtime.empty_settings import NoneIfEmpty
from storage.opening import storage_opener


class MediaSettings(BaseModel):
    """The settings of media among those that every part shares; a group of `runtime.settings.Settings`."""

    public_url: str | None = Field(
        default=None,
        pattern=r"^(https?://[^\s?#]+)?$",
        description="the address at which platforms reach the api, for converted media that they fetch",
    )
    storage: Annotated[str | None, NoneIfEmpty] = Field(
        default=None,
        description="where uploads are: file:DIR, a directory that the api and all workers share, or s3://bucket/prefix?endpoint=…",
    )
    media_public_url: Annotated[str | None, NoneIfEmpty] = Field(
        default=None,
        pattern=r"^https?://[^\s?#]+$",
        description="the address at which platforms and people reach uploads if it is another, such as a CDN's",
    )
    media_keep_days: int = Field(
        default=MEDIA_KEPT.days,
        ge=0,
        le=36_500,
        description="days for which an upload is kept after the last post that names it can be retried no more",
    )
    verification_files: dict[str, str] = Field(
        default_factory=dict,
        description="JSON object of small texts by file name, served under /media/ for platforms that verify it",
    )
    media_fetches: int = Field(
        default=10,
        ge=1,
        le=30,
        description="how many media files of one workspace a worker fetches at the same time",
    )
    media_disk_mb: Annotated[int | None, NoneIfEmpty] = Field(
        default=None,
        ge=64,
        description="MiB that all media of a worker may take on disk; by default half of what is free, at most 16,384",
    )
    media_memory_mb: int = Field(
        default=2048,
        ge=512,
        le=65536,
        description="MiB of address space that decoding one media file may take; a worker decodes up to five at a time",
    )

    @property
    def media_kept(self) -> timedelta:
        """Return how long an upload is kept after its last post can be retried no more."""
        return timedelta(days=self.media_keep_days)

    @property
    def uploads_base(self) -> str | None:
        """Return the address before the public addresses of uploads; None if platforms cannot reach this service."""
        return self.media_public_url or self.public_url or None

    @field_validator("storage")
    @classmethod
    def _known_storage(cls, value: str | None) -> str | None:
        if value is not None:
            storage_opener(value)
        return value

"""One job of a decoding process: what is asked of a file."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from media.decoding.confinement import JobLimits
from media.decoding.facts import ImageDemand

MAX_MESSAGE = 64 * 1024
"""Bytes of a job, and of all that comes back."""
IMAGES, VIDEOS = "images", "videos"


def media_kind(content_type: str) -> str:
    """Return which decoders a file needs."""
    return VIDEOS if content_type.startswith("video/") else IMAGES


@dataclass(frozen=True, slots=True)
class Job:
    """The work on one file: a conversion to a JPEG that meets the demand, or an examination.

    Of a video the first picture is converted.

    Its process is also given the file, and the empty file that it may write to if it strips or converts.
    """

    content_type: str
    limits: JobLimits
    strips: bool = False
    demand: ImageDemand | None = None

    def to_message(self) -> bytes:
        """Return the job as it is sent to its process."""
        return json.dumps(asdict(self)).encode()

    @staticmethod
    def from_message(message: bytes) -> "Job":
        """Return the job that a message holds."""
        read: dict[str, Any] = json.loads(message)
        demand = read.pop("demand")
        return Job(limits=JobLimits(**read.pop("limits")), demand=demand and ImageDemand(**demand), **read)

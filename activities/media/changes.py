"""Record what was changed about a media file before a network got it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Change:
    """Name one change; `detail` is a short phrase for the person whose file it is."""

    what: Literal["metadata_removed", "converted", "scaled", "recompressed"]
    detail: str

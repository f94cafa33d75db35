"""Files that are fetched before anything is known of them but their address."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AnyFile:
    """A file of any type that may be uploaded, by its URL, which may hold a key. Its type shows in its first bytes."""

    url: str = field(repr=False)
    type: None = None

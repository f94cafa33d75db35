"""Find metadata in Matroska and WebM: the tags, which hold titles, dates and places."""

from collections.abc import Iterator

from activities.media.metadata.patches import Patch
from activities.media.metadata.source import Damaged, Source

_SEGMENT, _CLUSTER, _TAGS = 0x18538067, 0x1F43B675, 0x1254C367
_VOID = 0xEC
_LONGEST_HEAD = 16
"""Bytes of an element's name and length, eight each at most."""


def patches(source: Source) -> Iterator[Patch]:
    """Yield the tags, each to be blanked by an element that players skip, so that no offset changes."""
    at = 0
    while at < source.size:
        head = source.upto(at, _LONGEST_HEAD)
        # Some recorders pad the end with zeros, which begin no element.
        if head[:1] == b"\0":
            return
        name, body = _number(head, 0, keep_marker=True)
        length, content = _number(head, body, keep_marker=False)
        unknown = length == (1 << 7 * (content - body)) - 1
        if name == _SEGMENT or (unknown and name == _CLUSTER):
            # What stands inside follows as if it were on this level.
            at += content
            continue
        if unknown:
            raise Damaged("a Matroska element has no length")
        end = at + content + length
        if name == _TAGS:
            end = min(end, source.size)
            yield Patch(at, end, "tags", _void(end - at), fill=b"\0")
        at = end


def _number(head: bytes, at: int, *, keep_marker: bool) -> tuple[int, int]:
    """Return a number of variable width in the head of an element, and where it ends."""
    width = 9 - head[at].bit_length() if at < len(head) else 9
    if width > 8 or at + width > len(head):
        raise Damaged("a Matroska number is malformed")
    value = int.from_bytes(head[at : at + width], "big")
    return (value if keep_marker else value & ~(1 << 7 * width)), at + width


def _void(length: int) -> bytes:
    if length < 9:
        return bytes([_VOID, 0x80 | (length - 2)])
    return bytes([_VOID, 0x01]) + (length - 9).to_bytes(7, "big")

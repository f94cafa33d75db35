"""Find metadata in Matroska and WebM: tags, attached files, and the description in the head.

Everything is blanked by an element that players skip, so that no offset changes. The names of the programs that wrote a
file stay: the format demands them.
"""

from collections.abc import Iterator

from media.metadata.source import BytePatch, Damaged, Source

_SEGMENT, _CLUSTER, _INFO = 0x18538067, 0x1F43B675, 0x1549A966
_REMOVED = {0x1254C367: "tags", 0x1941A469: "attachments"}
_DATE, _TITLE, _FILE_NAMES = 0x4461, 0x7BA9, {0x7384, 0x3C83AB, 0x3E83BB}
_ABOUT = {_DATE, _TITLE, *_FILE_NAMES}
_CHECKSUM = 0xBF
_VOID = 0xEC
_LONGEST_HEAD = 16
"""Bytes of an element's name and length, eight each at most."""

_Element = tuple[int, int, int, int]
"""Name, start, content's start, end."""


def patches(source: Source) -> Iterator[BytePatch]:
    """Yield the patches that blank metadata."""
    for name, start, content, end in _elements(source, 0, source.size):
        if name in _REMOVED:
            yield _blank(start, end, _REMOVED[name])
        elif name == _INFO:
            yield from _head(source, content, end)


def _head(source: Source, start: int, end: int) -> Iterator[BytePatch]:
    inside = list(_elements(source, start, end))
    blanks = [_blank(start, end, "title and date") for name, start, _, end in inside if name in _ABOUT]
    if blanks:
        # The checksum would no longer be right.
        blanks += [_blank(start, end, "") for name, start, _, end in inside if name == _CHECKSUM]
    yield from blanks


def _elements(source: Source, at: int, end: int) -> Iterator[_Element]:
    """Yield the elements up to an end, those in segments and in clusters without a length as if on one level."""
    while at < end:
        head = source.upto(at, _LONGEST_HEAD)
        # Some recorders pad the end with zeros, which begin no element.
        if head[:1] == b"\0":
            return
        name, body = _number(head, 0, keep_marker=True)
        length, content = _number(head, body, keep_marker=False)
        unknown = length == (1 << 7 * (content - body)) - 1
        if name == _SEGMENT or (unknown and name == _CLUSTER):
            at += content
            continue
        if unknown or at + content > end:
            raise Damaged("a Matroska element has no length")
        yield name, at, at + content, min(at + content + length, end)
        at += content + length


def _blank(start: int, end: int, what: str) -> BytePatch:
    return BytePatch(start, end, what, _void(end - start), fill=b"\0")


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

"""Patches that remove metadata from a file in place, and the bounded reading of hostile files."""

import struct
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from media.decoding.work import FINDERS
from media.metadata.exif import orientation, orientation_only
from media.metadata.source import READS_PER_KIB, SPARE_READS, BytePatch, Damaged, Source, apply, merge
from media.sniff import HEAD, sniff
from media.spool import Spool
from tests.cpu import cpu_seconds
from tests.media import files
from tests.media.hostile_files import FILES


class Counting(Spool):
    """A file that counts the bytes read from it."""

    read = 0

    def read_at(self, start: int, length: int) -> bytes:
        data = super().read_at(start, length)
        self.read += len(data)
        return data


@pytest.mark.parametrize("name", FILES)
def test_reading_is_bounded_by_the_size(name: str) -> None:
    file = FILES[name]
    content = file.make()
    assert sniff(content[:HEAD]) == file.content_type
    with Counting() as spool:
        spool.append(content)
        source = Source(spool)
        replaced: list[BytePatch] = []

        def read() -> None:
            with suppress(Damaged):
                patches = merge(FINDERS[file.content_type](source), len(content))
                replaced.extend([patch for patch in patches if patch.changes(spool)])

        assert cpu_seconds(read) < 1
        assert source.reads <= SPARE_READS + len(content) * READS_PER_KIB // 1024 + 1
        # Up to 4 KiB for each read, and once more to see what a patch would change.
        assert spool.read <= 4096 * source.reads + 2 * len(content)
        assert sum(patch.end - patch.start for patch in replaced) <= len(content)


@pytest.mark.parametrize("size", [150_000, 1_000_000])
def test_stray_bytes_are_searched_once(size: int) -> None:
    content = b"\xff\xd8" + b"a" * size + b"\xff\xd9"
    with Counting() as spool:
        spool.append(content)
        patches = list(FINDERS["image/jpeg"](Source(spool)))
        assert [(patch.start, patch.end) for patch in patches] == [(2, size + 2)]
        assert spool.read < 1.2 * size + 10_000
    assert files.MADE == []


@given(
    st.binary(min_size=1, max_size=200),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20), st.binary(max_size=20))),
)
@example(b"\0", [(0, 0, b""), (0, 1, b"")])
def test_patches_in_place_give_the_same_bytes_as_slicing(content: bytes, edits: list[tuple[int, int, bytes]]) -> None:
    patches, expected, at = [], b"", 0
    for gap, length, new in edits:
        start = at + gap
        end = start + length
        if end > len(content):
            break
        patches.append(BytePatch(start, end, new=new[:length]))
        expected += content[at:start] + new[:length]
        at = end
    with Spool() as spool:
        spool.append(content)
        apply(spool, reversed(patches))
        assert spool.read_at(0, 1000) == expected + content[at:]
        assert spool.size == len(expected + content[at:])


@given(
    st.integers(1, 100),
    st.lists(st.tuples(st.integers(0, 120), st.integers(0, 50), st.binary(max_size=5)), max_size=20),
    st.sampled_from([None, b"\0"]),
)
def test_merged_patches_cover_the_same_bytes_once(
    size: int, ranges: list[tuple[int, int, bytes]], fill: bytes | None
) -> None:
    patches = [BytePatch(start, start + length, new=new[:length], fill=fill) for start, length, new in ranges]
    merged = merge(patches, size)
    covered = [at for patch in merged for at in range(patch.start, patch.end)]
    assert covered == sorted({at for patch in patches for at in range(patch.start, min(patch.end, size))})
    assert merge(merged, size) == merged


def test_a_patch_has_room_for_its_new_bytes() -> None:
    with pytest.raises(ValueError, match="range"):
        BytePatch(0, 1, new=b"ab")


@pytest.mark.parametrize("value", range(1, 9))
def test_orientation_round_trip(value: int) -> None:
    assert orientation(orientation_only(value)) == value
    little = struct.pack("<4sIHHHIHHI", b"II*\0", 8, 1, 0x0112, 3, 1, value, 0, 0)
    assert orientation(little) == value


@pytest.mark.parametrize(
    "data",
    [b"", b"MM\0*", b"MM\0*\xff\xff\xff\xff", orientation_only(9), orientation_only(0), b"MM\0*\0\0\0\x08\xff\xff"],
)
def test_orientation_of_nonsense_is_upright(data: bytes) -> None:
    assert orientation(data) == 1

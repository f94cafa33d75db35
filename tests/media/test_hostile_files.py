"""No file costs more work than its size allows: the test counts reads and measures processor time, not elapsed time."""

from contextlib import suppress

import pytest

from media.decoding.work import FINDERS
from media.metadata.source import READS_PER_KIB, SPARE_READS, BytePatch, Damaged, Source, merge
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

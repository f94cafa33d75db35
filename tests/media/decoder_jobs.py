"""Jobs of a pool of decoders, and programs that run in place of one."""

import pytest

from media.decoder_pool import DecoderPool
from media.decoding.facts import MediaFacts
from media.stored import StoredFile
from platforms.errors import PlatformError
from tests.media import files


def fitting(program: str) -> str:
    """Return a server program whose processes run the given lines instead of decoding a BMP."""
    lines = "".join(f"\n        {line}" for line in program.splitlines())
    return f"""import sys
number, kind, *sys.path[:] = sys.argv[1:]
from media.decoding import server
decode = server.answer
def answer(job, files):
    if job.content_type == "image/bmp":{lines}
    return decode(job, files)
server.answer = answer
server.main(int(number), kind)"""


def bitmap() -> StoredFile:
    return files.stored_file(files.saved(files.photo(), "BMP"), "image/bmp")


async def refused(pool: DecoderPool, file: StoredFile) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        await pool.examine("workspace", file)
    return caught.value


async def measured(pool: DecoderPool, file: StoredFile) -> MediaFacts:
    _, facts, _ = await pool.examine("workspace", file)
    return facts

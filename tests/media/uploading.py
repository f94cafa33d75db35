"""A process that uploads one video to platforms as a worker does, and prints the memory that it needed.

`python -m tests.media.uploading SANDBOX SMALL LARGE PLATFORM…`
"""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import httpx

from domain.post import Media, MediaType
from media.changes import ChangeRecord, MediaChange
from media.decoder_pool import DecoderPool
from media.fetch import MediaFetcher
from media.shared_files import SharedFiles
from media.step_media import MediaTools, StepMedia
from platforms.base import Published
from tests.platforms.rig import Sandbox, open_account
from tests.platforms.sources import MediaFromUrl


def memory(name: str) -> int:
    """Return one of the kernel's figures for this process, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024


class Unwritten(ChangeRecord):
    """A record that writes nothing: this process has no database."""

    def __init__(self) -> None:
        """Store nothing."""

    async def save(self, url: str, changes: Sequence[MediaChange]) -> None:
        """Ignore a change."""


async def publish(tools: MediaTools, sandbox: Sandbox, platform: str, url: str) -> Published:
    """Publish the video on a new account."""
    rig = await open_account(sandbox, platform)
    draft_media = [Media(type=MediaType.VIDEO, url=url)]
    source = StepMedia(tools, "workspace", url, rig.platform, rig.platform.rules.files, Unwritten(), lambda _: None)
    rig.source = cast("MediaFromUrl", source)
    context = rig.context(f"A video for {platform}", draft_media)
    await rig.platform.prepare(rig.connection(), context)
    return await rig.platform.publish(rig.connection(), context)


async def main(sandbox_url: str, small: str, large: str, *platforms: str) -> None:
    """Publish the small video, so that everything is loaded, then the large one to all platforms concurrently."""
    hosts = [urlsplit(url).netloc for url in (small, large)]
    tools = MediaTools(SharedFiles(MediaFetcher(private_hosts=hosts)), DecoderPool())
    async with httpx.AsyncClient(timeout=30) as client:
        sandbox = Sandbox(sandbox_url, client, client)
        for url in (small, large):
            Path("/proc/self/clear_refs").write_text("5")  # noqa: ASYNC240 - a file of the kernel's, not of a disk
            before = memory("VmRSS")
            await asyncio.gather(*(publish(tools, sandbox, platform, url) for platform in platforms))
    await tools.close()
    sys.stdout.write(str(memory("VmHWM") - before))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))

"""The measurement of the disk that a worker's media are on, whether or not posts need it at the moment."""

import asyncio

from activities.meters import Meters
from media.disk import MediaDisk

EVERY_S = 5.0


async def measure_disk_forever(disk: MediaDisk, meters: Meters) -> None:
    """Measure when the worker starts, and every few seconds."""
    while True:
        meters.record_media_disk(await asyncio.to_thread(disk.measure))
        await asyncio.sleep(EVERY_S)

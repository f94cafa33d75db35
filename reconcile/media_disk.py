"""The measurement of the disk that a worker's media are on, whether or not posts need it at the moment."""

import asyncio

from activities.meters import Meters
from media.admission import MediaDisk
from reconcile.rounds import BackgroundTask

EVERY_S = 5.0


def disk_task(disk: MediaDisk, meters: Meters) -> BackgroundTask:
    """Return the task that measures when the worker starts, and every few seconds."""

    async def measure() -> None:
        meters.record_media_disk(await asyncio.to_thread(disk.measure))

    return BackgroundTask(measure, EVERY_S, "disk.not_measured")

"""Examine, clean and convert media in processes of their own, which workspaces get in turn."""

import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import structlog
from pydantic import TypeAdapter, ValidationError

from domain.printable import error_words, system_words
from domain.shares import Shares, Turns
from media.changes import MediaChange, conversion_changes
from media.decoders import Decoders, ProcessEnd, ServerUnavailable
from media.decoding.confinement import JobLimits
from media.decoding.facts import Conversion, Examined, ImageDemand, MediaFacts, TooManyBytes, TooManyPixels
from media.decoding.jobs import IMAGES, VIDEOS, Job, media_kind
from media.refusals import (
    cannot_shrink,
    damaged,
    no_decoder,
    too_costly,
    too_many_pixels,
    too_much_memory,
)
from media.sniff import sniff
from media.spool import Spool
from media.stored import StoredFile, stored
from platforms.errors import PlatformError

MEMORY = 2 * 2**30
"""Bytes of address space of one process: pictures of 120 megapixels of every type are converted within it. A quick job
may have half of it."""
WAITING = 16
"""Jobs of one workspace that may wait in each queue. Their steps take slots, of which each platform has a hundred."""
MAX_CONVERTED = 100 * 2**20
"""Bytes of a converted image."""
MAX_THUMBNAIL = 8 * 2**10
"""Bytes of a thumbnail. Pictures of 96 x 96 pixels take some 3 KiB."""
_THUMBNAIL = ImageDemand(max_bytes=MAX_THUMBNAIL, max_longer=96)
"""Twice the pixels of the calendar's largest picture, for screens with two for each; our choice."""
_THUMBNAIL_SECONDS = 5
"""Seconds of the processor: enough for a photo of 100 megapixels. A thumbnail is given up sooner than a post's file."""
_READERS: dict[type, TypeAdapter[Any]] = {kind: TypeAdapter(kind) for kind in (Examined, Conversion)}
"""Made once, because making one takes some milliseconds."""
_LARGE_FILE = 64 * 2**20
_LARGE_PICTURE = 8_000_000
"""Pixels from which a conversion takes about a second."""
_REPEATED_PICTURE = 2_000_000
"""The same if it probably must be repeated to get below a limit of bytes."""
_THREADED = {"image/heic"}
"""Types whose decoder needs a thread of its own."""

Examination = tuple[StoredFile, MediaFacts, tuple[MediaChange, ...]]
"""A file or its changed copy, what it is, and what was changed."""

T = TypeVar("T", Examined, Conversion)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class JobQueue:
    """A number of processes for jobs of one length: their memory, seconds of the processor, and by the clock."""

    slots: Turns
    memory: int
    cpu_seconds: int
    seconds: float


class DecoderPool:
    """The decoding processes of one worker, for jobs of two lengths; `memory` is in bytes, six processes may use it.

    A job begins in the quick queue, unless it surely takes longer. If it uses up its second there, it is ended and
    begins again in the slow queue, of whose processes a workspace has one at a time. So no other file waits long behind
    those that are made to take long, however many they are. Thumbnails have a process of their own, one at a time, so
    that no post's file waits for one.
    """

    def __init__(self, *, memory: int = MEMORY, cpu_seconds: int = 60, seconds: float = 300) -> None:
        self._decoders = {kind: Decoders(kind) for kind in (IMAGES, VIDEOS)}
        self._quick = JobQueue(_slots(3, 2), memory // 2, 1, min(seconds, 10))
        self._long = (JobQueue(_slots(2, 1), memory, cpu_seconds, seconds),)
        self._all = (self._quick, *self._long)
        self._thumbnails = JobQueue(_slots(1, 1), memory // 2, min(cpu_seconds, _THUMBNAIL_SECONDS), min(seconds, 30))

    def start(self, kind: str) -> None:
        """Start the server of processes for a kind of file ahead of the first job, as while a file is fetched."""
        self._decoders[kind].start()

    async def close(self) -> None:
        """End all processes."""
        for decoders in self._decoders.values():
            await decoders.close()

    async def examine(self, workspace: str, file: StoredFile, room: Spool | None = None) -> Examination:
        """Measure an image or video, and first take its metadata out if there is an empty `room` for its copy.

        Return the file or the copy, what it is, and what was changed. No more of it is decoded than one frame, and of
        most images nothing. Raises PlatformError: `rejected` if the file is damaged or beyond measure, `transient` if
        no decoder can be had. Raises TooManyWaiting, and Exhausted if the workspace has no disk space for the copy.
        """
        job = partial(Job, file.content_type, strips=room is not None)
        if room is not None:
            room.reserve(file.size)
        queues = self._long if file.size > _LARGE_FILE else self._all
        examined = await self._ask(workspace, file, room, job, Examined, file.size if room else 0, queues)
        result: StoredFile = file
        changes: tuple[MediaChange, ...] = ()
        if room is not None:
            room.release_unused()
        if examined.removed and room is not None:
            result = stored(room, file.content_type)
            changes = (MediaChange("metadata_removed", f"Removed {', '.join(examined.removed)}"),)
        # The file's type and size are known here; the decoder's values for them are not trusted.
        return result, replace(examined.facts, content_type=result.content_type, size=result.size), changes

    @asynccontextmanager
    async def converted(
        self, workspace: str, file: StoredFile, facts: MediaFacts, demand: ImageDemand
    ) -> AsyncIterator[Examination]:
        """Yield an image as a new JPEG that meets the demand, for the length of the block.

        Raises PlatformError as `examine` does, and `rejected` if no picture fits the bytes.
        """
        job = partial(Job, file.content_type, demand=demand)
        repeats = demand.max_bytes is not None and file.size > demand.max_bytes
        slow = facts.width * facts.height > (_REPEATED_PICTURE if repeats else _LARGE_PICTURE)
        with Spool() as out:
            queues = self._long if slow else self._all
            conversion = await self._ask(workspace, file, out, job, Conversion, MAX_CONVERTED, queues)
            result = stored(out, "image/jpeg")
            new = MediaFacts(result.content_type, result.size, conversion.width, conversion.height)
            yield result, new, conversion_changes(facts, conversion)

    async def thumbnail(self, workspace: str, file: StoredFile) -> bytes:
        """Return an image, or a video's first picture, as a small JPEG.

        Raises PlatformError as `examine` does, and `rejected` if it takes more than some seconds of the processor.
        """
        job = partial(Job, file.content_type, demand=_THUMBNAIL)
        with Spool() as out:
            await self._ask(workspace, file, out, job, Conversion, MAX_THUMBNAIL, (self._thumbnails,))
            content = out.read_at(0, MAX_THUMBNAIL)
        if sniff(content) != "image/jpeg":
            # If a file has taken over its decoder, the result may be anything.
            raise damaged(file.content_type)
        return content

    async def _ask(
        self,
        workspace: str,
        file: StoredFile,
        room: Spool | None,
        job: Callable[..., Job],
        result: type[T],
        file_size: int,
        queues: tuple[JobQueue, ...],
    ) -> T:
        threads = file.content_type in _THREADED
        with ExitStack() as stack:
            files = [file.spool.duplicate(writable=False), *([room.duplicate(writable=True)] if room else [])]
            for descriptor in files:
                stack.callback(os.close, descriptor)
            for queue in queues:
                limits = JobLimits(queue.memory, file_size, queue.cpu_seconds, threads, urgent=queue is self._quick)
                ending = await self._run(workspace, queue, job(limits=limits), files)
                if not _needs_more(ending):
                    break
                if room is not None:
                    room.truncate(0)
        return _result(ending, file, result, workspace)

    async def _run(self, workspace: str, queue: JobQueue, job: Job, files: Sequence[int]) -> ProcessEnd:
        slot = await queue.slots.take(workspace)
        try:
            return await self._decoders[media_kind(job.content_type)].run(job, files, queue.seconds)
        except ServerUnavailable as error:
            log.warning("media.no_decoder", reason=system_words(error) or error_words(error))
            raise no_decoder() from error
        finally:
            queue.slots.release(slot)


def _slots(number: int, per_workspace: int) -> Turns:
    return Turns(Shares(number, per_workspace, leaves_room=False), WAITING)


def _needs_more(ending: ProcessEnd) -> bool:
    """Return whether a job may succeed with more time or memory."""
    lacked_memory = (ending.answer or {}).get("refused") == MemoryError.__name__
    return ending.used_up_its_seconds or ending.too_late or lacked_memory


def _result(ending: ProcessEnd, file: StoredFile, result: type[T], workspace: str) -> T:
    """Return the result of a process. Raises PlatformError, `transient` if the machine may have been too slow."""
    answer = ending.answer or {}
    name = result.__name__.lower()
    if name in answer:
        # If a file has taken over its decoder, the answer may be anything.
        with contextlib.suppress(ValidationError):
            value: T = _READERS[result].validate_json(json.dumps(answer[name]), strict=True)
            return value
    elif "refused" in answer:
        raise _refusal(answer, file.content_type)
    log.warning(
        "media.decoder_ended",
        workspace_id=workspace,
        content_type=file.content_type,
        size=file.size,
        signal=ending.signal,
        cpu_seconds=round(ending.cpu_seconds, 2),
        too_late=ending.too_late,
    )
    if ending.too_late:
        raise no_decoder()
    raise (too_costly if ending.used_up_its_seconds else damaged)(file.content_type)


def _refusal(answer: dict[str, Any], content_type: str) -> PlatformError:
    limit = answer.get("limit")
    refusals = {TooManyPixels.__name__: too_many_pixels, TooManyBytes.__name__: cannot_shrink}
    refusal = refusals.get(str(answer["refused"]))
    if refusal and isinstance(limit, int):
        return refusal(limit)
    return (too_much_memory if answer["refused"] == MemoryError.__name__ else damaged)(content_type)

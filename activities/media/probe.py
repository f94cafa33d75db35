"""Find out what a file holds before it is sent: size in pixels, frames, duration, codecs."""

import asyncio
from dataclasses import dataclass

import av
import av.error
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from activities.media.images import opened, orientation_of
from activities.media.metadata.animation import timing
from activities.media.metadata.patches import Damaged, Source
from activities.media.refusals import damaged, too_many_pixels
from activities.media.spool import StoredFile

_DEMUXERS = {
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/3gpp": "3gp",
    "video/webm": "webm",
    "video/x-matroska": "matroska",
    "video/x-msvideo": "avi",
}
"""FFmpeg's name of each type: the sniffed type's demuxer alone is tried. Playlists would make FFmpeg open URLs."""

MAX_VIDEO_PIXELS = 8192 * 8192
"""Pixels of one frame, above 8K; a frame decodes to one and a half bytes each."""

_ON_ITS_SIDE = range(5, 9)


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """Hold what a file was found to be. Width and height are in pixels as a viewer sees them, turned upright."""

    content_type: str
    size: int
    width: int
    height: int
    frames: int = 1
    """Pictures of an image: more than one if it moves. Not counted in videos."""
    duration: float | None = None
    """Seconds; None for a still image."""
    fps: float | None = None
    video_codec: str | None = None
    audio_codec: str | None = None
    transparent: bool = False
    """An image that has an alpha channel or a transparent colour."""

    @property
    def ratio(self) -> float:
        """Return width over height."""
        return self.width / self.height


async def inspect(file: StoredFile) -> MediaFacts:
    """Probe an image or video in a thread; no more of it is decoded than one frame.

    Raises NetworkError(rejected) where the file is damaged or beyond measure.
    """
    return await asyncio.to_thread(_video if file.content_type in _DEMUXERS else _image, file)


def _image(file: StoredFile) -> MediaFacts:
    try:
        frames, seconds = timing(Source(file.spool), file.content_type)
    except Damaged as error:
        raise damaged(file.content_type) from error
    with opened(file) as image:
        width, height = image.size
        if orientation_of(image) in _ON_ITS_SIDE:
            width, height = height, width
        return MediaFacts(
            content_type=file.content_type,
            size=file.size,
            width=width,
            height=height,
            frames=frames,
            duration=seconds or None,
            fps=frames / seconds if seconds else None,
            transparent=image.has_transparency_data,
        )


def _video(file: StoredFile) -> MediaFacts:
    options = {"protocol_whitelist": "none"}
    try:
        with (
            file.spool.reader() as data,
            av.open(data, "r", format=_DEMUXERS[file.content_type], container_options=options) as container,
        ):
            # A cover picture counts as a video stream.
            moving = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
            if not moving:
                raise damaged(file.content_type)
            return _video_facts(file, container, moving[0])
    except (av.error.FFmpegError, ValueError) as error:
        raise damaged(file.content_type) from error


def _video_facts(file: StoredFile, container: InputContainer, video: VideoStream) -> MediaFacts:
    width, height = video.width, video.height
    if width * height > MAX_VIDEO_PIXELS:
        raise too_many_pixels(MAX_VIDEO_PIXELS)
    audio = container.streams.audio
    rate = video.average_rate or video.guessed_rate
    # Before the duration: finding that may read the file to its end.
    if _turned(container, video):
        width, height = height, width
    return MediaFacts(
        content_type=file.content_type,
        size=file.size,
        width=width,
        height=height,
        duration=_duration(container, video),
        fps=float(rate) if rate else None,
        video_codec=video.codec_context.name,
        audio_codec=audio[0].codec_context.name if audio else None,
    )


def _turned(container: InputContainer, video: VideoStream) -> bool:
    """Tell whether players show the video turned to its side; a frame must be decoded to know."""
    video.thread_count = 1
    video.codec_context.options = {"max_pixels": str(MAX_VIDEO_PIXELS)}
    for frame in container.decode(video):
        return frame.rotation % 180 != 0
    return False


def _duration(container: InputContainer, video: VideoStream) -> float | None:
    if container.duration:
        return container.duration / av.time_base
    if video.duration and video.time_base:
        return float(video.duration * video.time_base)
    # Recordings of browsers give no duration: the last packet tells.
    container.seek(0)
    ends = (packet.pts + (packet.duration or 0) for packet in container.demux(video) if packet.pts is not None)
    last = max(ends, default=0)
    return float(last * video.time_base) if last and video.time_base else None

"""Measure videos with FFmpeg without being hurt by them."""

from collections.abc import Iterator
from contextlib import contextmanager

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from domain.printable import error_words
from media.decoding.facts import MediaFacts, TooManyBytes, TooManyPixels, Undecodable
from media.spool import Spool

DEMUXERS = {
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


@contextmanager
def opened_video(spool: Spool, content_type: str) -> Iterator[InputContainer]:
    """Open a video for the length of the block; raises Undecodable for whatever goes wrong there, but for limits."""
    options = {"protocol_whitelist": "none"}
    if content_type not in DEMUXERS:
        raise Undecodable(content_type)
    try:
        with (
            spool.reader() as data,
            av.open(data, "r", format=DEMUXERS[content_type], container_options=options) as container,
        ):
            yield container
    except (TooManyBytes, TooManyPixels):
        raise
    except Exception as error:
        # FFmpeg's own errors, and whatever PyAV stumbles over in half-described streams.
        raise Undecodable(error_words(error)) from error


def video_facts(spool: Spool, content_type: str) -> MediaFacts:
    """Measure a video, decoding no more of it than one frame; raises Undecodable, TooManyPixels."""
    with opened_video(spool, content_type) as container:
        return _facts(spool.size, content_type, container)


def first_frame(container: InputContainer) -> VideoFrame:
    """Decode a video's first picture. Raises Undecodable, TooManyPixels."""
    video = _moving_stream(container)
    video.thread_count = 1
    video.codec_context.options = {"max_pixels": str(MAX_VIDEO_PIXELS)}
    for frame in container.decode(video):
        return frame
    raise Undecodable("there is no picture in it")


def _moving_stream(container: InputContainer) -> VideoStream:
    # A cover picture counts as a video stream.
    moving = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not moving or not moving[0].width or not moving[0].height:
        raise Undecodable("there is no video in it")
    if moving[0].width * moving[0].height > MAX_VIDEO_PIXELS:
        raise TooManyPixels(MAX_VIDEO_PIXELS)
    return moving[0]


def _facts(size: int, content_type: str, container: InputContainer) -> MediaFacts:
    video = _moving_stream(container)
    width, height = video.width, video.height
    rate = video.average_rate or video.guessed_rate
    # Before the duration: finding that may read the file to its end.
    if first_frame(container).rotation % 180 != 0:
        # Players turn it by a quarter; only a frame says so.
        width, height = height, width
    return MediaFacts(
        content_type=content_type,
        size=size,
        width=width,
        height=height,
        duration=_duration(container, video),
        fps=float(rate) if rate else None,
        video_codec=video.codec_context.name,
        audio_codec=next(
            (stream.codec_context.name for stream in container.streams.audio if stream.codec_context), None
        ),
    )


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

"""Measure videos with FFmpeg without being hurt by them, and make a small JPEG of the first picture."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane
from av.video.stream import VideoStream

from domain.printable import error_words
from media.decoding.facts import Conversion, ImageDemand, MediaFacts, TooManyBytes, TooManyPixels, Undecodable
from media.spool import Spool

_PIXELS = "yuvj444p"
"""Three planes of the same size, so that all are turned alike."""
_SCALES = {90: 3, 75: 6, 50: 12, 25: 24}
"""FFmpeg's scale of quantization, by about the same quality of JPEG."""


def frame_to_jpeg(spool: Spool, content_type: str, demand: ImageDemand, out: Spool) -> Conversion:
    """Write a video's first picture as JPEG: upright, within the demand. Pixels are decoded of no other picture.

    Raises Undecodable, TooManyPixels, TooManyBytes.
    """
    with opened_video(spool, content_type) as container:
        picture = _upright(container, demand)
        for quality, scale in _SCALES.items():
            content = _encoded(picture, scale)
            if demand.max_bytes is None or len(content) <= demand.max_bytes:
                out.append(content)
                return Conversion(picture.width, picture.height, quality)
    raise TooManyBytes(demand.max_bytes)


def _upright(container: InputContainer, demand: ImageDemand) -> VideoFrame:
    frame = first_frame(container)
    width, height = demand.box(frame.width, frame.height)
    # A job may start no thread, as this would by default.
    picture = frame.reformat(width, height, _PIXELS, threads=1)
    turns = round(-frame.rotation / 90) % 4
    if not turns:
        return picture
    turned = VideoFrame(height if turns % 2 else width, width if turns % 2 else height, _PIXELS)
    for source, target in zip(picture.planes, turned.planes, strict=True):
        _write_rows(target, _turned(_rows(source), turns))
    return turned


def _rows(plane: VideoPlane) -> list[bytes]:
    content, length = bytes(plane), plane.line_size
    return [content[start : start + plane.width] for start in range(0, plane.height * length, length)]


def _turned(rows: list[bytes], quarters: int) -> list[bytes]:
    for _ in range(quarters):
        rows = [bytes(column) for column in zip(*reversed(rows), strict=True)]
    return rows


def _write_rows(plane: VideoPlane, rows: list[bytes]) -> None:
    plane.update(b"".join(row.ljust(plane.line_size, b"\0") for row in rows))


def _encoded(picture: VideoFrame, scale: int) -> bytes:
    encoder = av.VideoCodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, _PIXELS
    # One picture has no time, but the encoder demands a unit of it.
    encoder.time_base = Fraction(1)
    encoder.thread_count = 1
    encoder.options = {"qmin": str(scale), "qmax": str(scale)}
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])


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

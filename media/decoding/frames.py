"""Conversion of a video's first picture to a small JPEG, by FFmpeg alone."""

from fractions import Fraction

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane

from media.decoding.facts import Conversion, ImageDemand, TooManyBytes
from media.decoding.videos import first_frame, opened_video
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

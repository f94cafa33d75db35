"""Functions that paint sample media: colours from the name, the name in the middle.

They need Pillow, and PyAV for video.
"""

import colorsys
import hashlib
import io
import math
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from PIL import Image, ImageDraw, ImageFont, ImageOps

IMAGE_SIZE = (1080, 1080)
"""Square, because every platform allows that aspect ratio, and as wide as the feeds show."""
GIF_SIZE = (480, 480)
GIF_FRAMES = 10
VIDEO_SIZE = (540, 960)
VIDEO_FPS = 24
VIDEO_SECONDS = 4
"""Longer than the 3 s that Reels require."""

SIZES = {
    ("jpg", "wide"): (1280, 720),
    ("jpg", "portrait"): (810, 1080),
    ("mp4", "wide"): (960, 540),
}
"""The sizes of samples whose name begins with such a word, by kind."""

Colour = tuple[int, int, int]


def jpeg(name: str) -> bytes:
    """Paint a JPEG."""
    return _encoded(_still(name, _size("jpg", name, IMAGE_SIZE)), "JPEG", quality=82)


def png(name: str) -> bytes:
    """Paint a PNG."""
    return _encoded(_still(name, IMAGE_SIZE), "PNG")


def gif(name: str) -> bytes:
    """Paint an animated GIF."""
    first, *others = [
        frame.convert("P", palette=Image.Palette.ADAPTIVE, colors=64) for frame in _frames(name, GIF_SIZE, GIF_FRAMES)
    ]
    return _encoded(first, "GIF", save_all=True, append_images=others, duration=100, loop=0)


def mp4(name: str) -> bytes:
    """Paint a silent MP4 (H.264, or MPEG-4 if that encoder is missing) with its index at the front."""
    import av  # noqa: PLC0415  (still pictures work without it)

    size = _size("mp4", name, VIDEO_SIZE)
    codec: Literal["libx264", "mpeg4"] = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    # Moving the index to the front means writing the file twice, which needs a real one.
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "sample.mp4")
        with av.open(path, "w", options={"movflags": "faststart"}) as container:
            stream = container.add_stream(codec, rate=VIDEO_FPS)
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            if codec == "libx264":
                stream.options = {"preset": "ultrafast", "crf": "20"}
            for image in _frames(name, size, VIDEO_FPS * VIDEO_SECONDS):
                frame = av.VideoFrame.from_bytes(image.convert("RGBA").tobytes(), *size)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path.read_bytes()


def pdf(name: str) -> bytes:
    """Paint a PDF of one page."""
    return _encoded(_still(name, IMAGE_SIZE), "PDF")


def vtt(name: str) -> bytes:
    """Write captions that show the name."""
    return f"WEBVTT\n\n00:00.000 --> 00:01.000\n{name}\n".encode()


def srt(name: str) -> bytes:
    """Write captions that show the name, as SubRip."""
    return f"1\n00:00:00,000 --> 00:00:01,000\n{name}\n".encode()


PAINTERS: dict[str, Callable[[str], bytes]] = {
    "jpg": jpeg,
    "png": png,
    "gif": gif,
    "mp4": mp4,
    "pdf": pdf,
    "vtt": vtt,
    "srt": srt,
}


def _size(extension: str, name: str, otherwise: tuple[int, int]) -> tuple[int, int]:
    sizes = (size for (kind, word), size in SIZES.items() if kind == extension and name.startswith(word))
    return next(sizes, otherwise)


def _encoded(image: Image.Image, image_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, image_format, **options)
    return buffer.getvalue()


def _colours(name: str) -> tuple[Colour, Colour, Colour]:
    """Derive a dark, a middle and a bright colour from the name."""
    digest = hashlib.blake2b(name.encode(), digest_size=4).digest()
    hue = int.from_bytes(digest[:2], "big") / 65536
    turn = 0.08 + digest[2] / 255 * 0.2

    def colour(shift: float, lightness: float) -> Colour:
        red, green, blue = colorsys.hls_to_rgb((hue + shift) % 1, lightness, 0.72)
        return round(red * 255), round(green * 255), round(blue * 255)

    return colour(0, 0.32), colour(turn, 0.52), colour(2 * turn, 0.74)


def _still(name: str, size: tuple[int, int]) -> Image.Image:
    return next(iter(_frames(name, size, 1)))


def _frames(name: str, size: tuple[int, int], count: int) -> list[Image.Image]:
    """Paint `count` frames of one turn of a planet around the name."""
    dark, middle, bright = _colours(name)
    # After a turn by 45°, only the middle of the gradient's 256 by 256 pixels is without empty corners.
    slope = Image.linear_gradient("L").rotate(45, Image.Resampling.BICUBIC).crop((38, 38, 218, 218))
    ground = ImageOps.colorize(slope.resize(size), dark, middle, blackpoint=50, whitepoint=205)
    draw = ImageDraw.Draw(ground)
    width, height = size
    radius = min(size) * 0.36
    box = (width / 2 - radius, height / 2 - radius, width / 2 + radius, height / 2 + radius)
    draw.ellipse(box, outline=bright, width=max(2, min(size) // 120))
    _write(draw, name, size, radius * 1.7)
    frames = []
    for index in range(count):
        frame = ground.copy() if count > 1 else ground
        angle = math.tau * (index / count - 0.125)
        x, y, dot = width / 2 + radius * math.cos(angle), height / 2 + radius * math.sin(angle), min(size) * 0.06
        ImageDraw.Draw(frame).ellipse((x - dot, y - dot, x + dot, y + dot), fill=bright)
        frames.append(frame)
    return frames


def _write(draw: ImageDraw.ImageDraw, name: str, size: tuple[int, int], room: float) -> None:
    text = name if len(name) <= 40 else f"{name[:39]}…"
    font = ImageFont.load_default(size=min(size) * 0.11)
    width = draw.textlength(text, font=font)
    if width > room:
        font = ImageFont.load_default(size=min(size) * 0.11 * room / width)
    draw.text((size[0] / 2, size[1] / 2), text, font=font, anchor="mm", fill=(255, 255, 255))

"""Small real media files with the metadata that phones and cameras put into them."""

import io
import os
import struct
import sys
import zlib
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from PIL import Image, ImageCms, PngImagePlugin

from media.spool import Spool
from media.stored import StoredFile, stored

PLACE = "+48.8577+002.2950/"
CAMERA = "SecretCam"
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><GPS>+48.8577+002.2950/</GPS>SecretCam</x:xmpmeta>'
RECORDED = "2026-03-04T05:06:07Z"
SECRETS = (PLACE.encode(), CAMERA.encode(), b"GPS", b"48.8577")
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


MADE: list[Spool] = []


def stored_file(content: bytes, content_type: str) -> StoredFile:
    """Return a stored file; the fixtures close it."""
    spool = room()
    spool.append(content)
    return stored(spool, content_type)


def room() -> Spool:
    """Return an empty spool; the fixtures close it."""
    MADE.append(Spool())
    return MADE[-1]


def file_content(file: StoredFile) -> bytes:
    return file.spool.read_at(0, file.size + 1)


def photo(width: int = 60, height: int = 40) -> Image.Image:
    """Return a picture whose corners differ."""
    red = Image.linear_gradient("L").resize((width, height))
    return Image.merge(
        "RGB", (red, red.transpose(Image.Transpose.ROTATE_180), Image.radial_gradient("L").resize((width, height)))
    )


def exif(orientation: int = 6) -> bytes:
    """Return EXIF with camera, place and orientation, as a phone writes it."""
    data = Image.Exif()
    data[0x010F] = CAMERA
    data[0x0112] = orientation
    data[0x8825] = {1: "N", 2: (48.0, 51.0, 27.72), 3: "E", 4: (2.0, 17.0, 42.0), 29: "2026:01:01", 27: b"GPS"}
    return data.tobytes()


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def jpeg(orientation: int = 6, *, progressive: bool = False) -> bytes:
    """Return a JPEG with every kind of metadata: EXIF, XMP, IPTC, a comment and an appended video."""
    plain = saved(
        photo(),
        "JPEG",
        exif=exif(orientation),
        icc_profile=SRGB,
        comment=b"taken with SecretCam",
        progressive=progressive,
    )
    extra = _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP)
    extra += _segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x09SecretCam\0")
    extra += _segment(0xE2, b"FPXR\0GPS") + _segment(0xEB, b"JP\0\0GPS c2pa")
    return plain[:2] + extra + plain[2:] + b"\0\0\0\x18ftypmp42GPS" + PLACE.encode()


def png(orientation: int = 6) -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", CAMERA)
    text.add_text("Place", PLACE, zip=False)
    text.add_itxt("XML:com.adobe.xmp", XMP.decode())
    image = photo().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return saved(image, "PNG", pnginfo=text, exif=exif(orientation), icc_profile=SRGB, dpi=(72, 72)) + b"GPS"


def webp(orientation: int = 6) -> bytes:
    return saved(photo(), "WEBP", lossless=True, exif=exif(orientation), xmp=XMP, icc_profile=SRGB) + b"GPS!"


def gif(frames: int = 3) -> bytes:
    first, *rest = [photo().rotate(90 * n) for n in range(frames)]
    plain = saved(
        first,
        "GIF",
        save_all=True,
        append_images=rest,
        duration=[100, 200, 300][:frames],
        loop=0,
        comment=CAMERA.encode(),
    )
    magic = bytes([1, *range(255, -1, -1), 0])
    xmp = b"\x21\xff\x0bXMP DataXMP" + XMP + magic
    # Before the trailer.
    return plain[:-1] + xmp + b";GPS"


def _frame(number: int) -> av.VideoFrame:
    picture = photo(64, 48).rotate(number * 10)
    frame: av.VideoFrame = av.VideoFrame.from_image(picture)  # type: ignore[no-untyped-call]  # PyAV's own gap
    return frame


def video(
    path: Path,
    seconds: float = 1,
    *,
    kind: str = "mp4",
    codec: str = "libx264",
    audio: bool = True,
    rotation: int = 0,
    **options: str,
) -> bytes:
    """Return an encoded video of 64 x 48 at 10 frames per second with a silent track."""
    name = path / f"video.{kind}"
    with av.open(name, "w", format=kind, options=options) as out:
        out.metadata["location"] = PLACE
        out.metadata["make"] = CAMERA
        out.metadata["title"] = CAMERA
        out.metadata["creation_time"] = RECORDED
        if kind == "matroska":
            out.add_attachment("cover.jpg", "image/jpeg", saved(photo(8, 8), "JPEG", exif=exif()))
        stream = cast("VideoStream", out.add_stream(codec, rate=10, options={"g": "5"}))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        if rotation:
            stream.set_display_rotation(rotation)
        coder = "libopus" if kind == "webm" else "aac"
        sound = cast("AudioStream", out.add_stream(coder, rate=48000, layout="mono")) if audio else None
        for number in range(int(seconds * 10)):
            frame = _frame(number)
            frame.pts, frame.time_base = number, Fraction(1, 10)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if sound is not None:
            silence = av.AudioFrame("flt" if kind == "webm" else "fltp", "mono", 960)
            silence.sample_rate = 48000
            for number in range(int(seconds * 50)):
                silence.pts = number * 960
                silence.planes[0].update(bytes(silence.planes[0].buffer_size))
                out.mux(sound.encode(silence))
            out.mux(sound.encode(None))
    if codec == "libsvtav1" and sys.platform == "linux":
        # If this encoder runs as root, it makes the calling thread a real-time thread, and leaves it so. Threads and
        # processes that this thread starts later would inherit the priority, and starve the machine.
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return name.read_bytes()


def box(kind: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return (len(body) + 8).to_bytes(4, "big") + kind + body


def full(kind: bytes, *content: bytes, version: int = 0) -> bytes:
    return box(kind, bytes([version, 0, 0, 0]), *content)


def _position_track(at: int, lengths: list[int], handler: bytes, name: bytes = b"GoPro MET") -> bytes:
    stbl = box(
        b"stbl",
        full(b"stsc", struct.pack(">IIII", 1, 1, len(lengths), 1)),
        full(b"stsz", struct.pack(">II", 0, len(lengths)), *(length.to_bytes(4, "big") for length in lengths)),
        full(b"stco", struct.pack(">II", 1, at)),
    )
    hdlr = full(b"hdlr", bytes(4), handler, bytes(12), name + b"\0")
    return box(b"trak", box(b"mdia", hdlr, box(b"minf", stbl)))


def phone_video(path: Path, handler: bytes = b"meta", name: bytes = b"GoPro MET") -> bytes:
    """Return an MP4 with a location in every place that phones and action cameras use."""
    plain = video(path)
    at = plain.rindex(b"moov") - 4
    head, moov = plain[:at], plain[at + 8 :]
    samples = [b"GPS5" + PLACE.encode(), b"GPS9"]
    keys = full(b"keys", struct.pack(">I", 1), box(b"mdta", b"com.apple.quicktime.location.ISO6709"))
    values = box(b"ilst", box(b"\0\0\0\1", box(b"data", bytes(8), PLACE.encode())))
    positions = box(b"mdat", *samples)
    wide = struct.pack(">I4sQ", 1, b"mdat", 16 + 4) + b"\1\2\3\4"
    extra = [
        _position_track(len(head) + 8, [len(sample) for sample in samples], handler, name),
        box(b"meta", full(b"hdlr", bytes(4), b"mdta", bytes(12)), keys, values),
        box(
            b"udta",
            box(b"\xa9xyz", struct.pack(">HH", len(PLACE), 0x15C7), PLACE.encode()),
            box(b"\xa9mak", CAMERA.encode()),
        ),
        box(b"uuid", bytes(16), b"GPS"),
        box(b"free", b"stale " + PLACE.encode()),
    ]
    tail = box(b"uuid", bytes.fromhex("BE7ACFCB97A942E89C71999491E3AFAC"), XMP) + box(b"free", CAMERA.encode())
    tail += struct.pack(">I4sQ", 1, b"thum", 16 + 3) + b"GPS"
    return head + positions + wide + box(b"moov", moov, *extra) + tail


def heic(path: Path, quarter_turns: int = 0) -> bytes:
    """Return a HEIC with EXIF and XMP: one HEVC picture in hand-made boxes."""
    with av.open(path / "one.mp4", "w", format="mp4") as out:
        stream = out.add_stream("libx265", rate=1, options={"x265-params": "log-level=none:keyint=1", "tag": "hvc1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        out.mux(stream.encode(_frame(0)))
        out.mux(stream.encode(None))
    mp4 = (path / "one.mp4").read_bytes()
    at = mp4.index(b"hvcC") - 4
    hvcc = mp4[at : at + int.from_bytes(mp4[at : at + 4], "big")]
    with av.open(path / "one.mp4") as source:
        picture = b"".join(bytes(packet) for packet in source.demux(video=0) if packet.size)
    metadata = bytes(4) + exif(1).removeprefix(b"Exif\0\0")
    items = [(1, b"hvc1", picture), (2, b"Exif", metadata), (3, b"mime", XMP)]
    infe = [
        full(
            b"infe",
            struct.pack(">HH4s", n, 0, kind),
            b"\0",
            b"application/rdf+xml\0" if kind == b"mime" else b"",
            version=2,
        )
        for n, kind, _ in items
    ]
    ftyp = box(b"ftyp", b"heic", bytes(4), b"mif1heic")

    def meta(start: int) -> bytes:
        places = []
        for number, _, content in items:
            places.append(struct.pack(">HHHII", number, 0, 1, start, len(content)))
            start += len(content)
        return full(
            b"meta",
            full(b"hdlr", bytes(4), b"pict", bytes(13)),
            full(b"pitm", struct.pack(">H", 1)),
            full(b"iloc", b"\x44\x00", struct.pack(">H", len(items)), *places),
            full(b"iinf", struct.pack(">H", len(items)), *infe),
            full(b"iref", *(box(b"cdsc", struct.pack(">HHH", n, 1, 1)) for n in (2, 3))),
            box(
                b"iprp",
                box(b"ipco", hvcc, full(b"ispe", struct.pack(">II", 64, 48)), box(b"irot", bytes([quarter_turns]))),
                full(b"ipma", struct.pack(">IHBBBB", 1, 1, 3, 0x81, 2, 0x83)),
            ),
        )

    start = len(ftyp) + len(meta(0)) + 8
    return ftyp + meta(start) + box(b"mdat", *(content for _, _, content in items)) + box(b"mpvd", b"GPS")


def bomb(width: int, height: int) -> bytes:
    """Return a PNG whose header claims huge dimensions."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big") for kind, body in chunks
    )

import io
from pathlib import Path

import pytest
from PIL import Image

from media.decoding.facts import TooManyPixels, Undecodable
from media.decoding.headers import facts_by_headers
from media.decoding.images import image_facts
from media.metadata.source import Damaged
from media.spool import Spool
from tests.media import files


def moving_webp() -> bytes:
    out = io.BytesIO()
    first, second = files.photo(), files.photo().rotate(90)
    first.save(out, "WEBP", save_all=True, append_images=[second], duration=[100, 300])
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        *((files.jpeg(turned), "image/jpeg") for turned in range(1, 9)),
        (files.jpeg(progressive=True), "image/jpeg"),
        (files.saved(files.photo(61, 7), "JPEG"), "image/jpeg"),
        *((files.png(turned), "image/png") for turned in (1, 6)),
        (files.saved(files.photo().quantize(), "PNG", transparency=0), "image/png"),
        (files.saved(files.photo(), "PNG"), "image/png"),
        *((files.webp(turned), "image/webp") for turned in (1, 8)),
        (files.saved(files.photo(61, 7), "WEBP", quality=50), "image/webp"),
        (files.saved(files.photo(61, 7), "WEBP", lossless=True), "image/webp"),
        (files.saved(files.photo().convert("RGBA"), "WEBP", lossless=True), "image/webp"),
        (moving_webp(), "image/webp"),
    ],
)
def test_headers_and_decoder_agree(content: bytes, content_type: str) -> None:
    spool = files.stored_file(content, content_type).spool
    from_headers, decoded = facts_by_headers(spool, content_type), image_facts(spool, content_type)
    assert from_headers is not None
    assert (from_headers.width, from_headers.height, from_headers.frames, from_headers.duration) == (
        decoded.width,
        decoded.height,
        decoded.frames,
        decoded.duration,
    )
    assert (from_headers.content_type, from_headers.size) == (content_type, len(content))


def test_other_types_need_a_decoder(tmp_path: Path) -> None:
    assert facts_by_headers(files.stored_file(files.gif(), "image/gif").spool, "image/gif") is None
    assert facts_by_headers(files.stored_file(files.video(tmp_path), "video/mp4").spool, "video/mp4") is None
    assert facts_by_headers(files.stored_file(b"\x89PNG\r\n\x1a\nnonsense", "image/png").spool, "image/png") is None


@pytest.mark.parametrize(("kind", "content_type"), [("JPEG", "image/jpeg"), ("PNG", "image/png")])
def test_truncated_files_are_refused_by_the_decoder(kind: str, content_type: str) -> None:
    content = files.saved(files.photo(600, 400), kind)
    spool = files.stored_file(content[: len(content) // 2], content_type).spool
    assert facts_by_headers(spool, content_type) is None
    with pytest.raises(Undecodable):
        image_facts(spool, content_type)


def test_gigantic_picture_is_refused_without_decoding() -> None:
    with pytest.raises(TooManyPixels):
        facts_by_headers(files.stored_file(files.bomb(20_000, 20_000), "image/png").spool, "image/png")


@pytest.mark.parametrize("length", [2, 3, 4, 20, 100])
def test_truncated_headers_are_damaged_or_left_to_the_decoder(length: int) -> None:
    spool = files.stored_file(files.jpeg()[:length], "image/jpeg").spool
    try:
        facts = facts_by_headers(spool, "image/jpeg")
    except Damaged:
        facts = None
    assert facts is None


class Counting(Spool):
    """A spool that counts the bytes read from it."""

    read = 0

    def read_at(self, start: int, length: int) -> bytes:
        data = super().read_at(start, length)
        self.read += len(data)
        return data


def test_a_large_picture_is_not_read_from_beginning_to_end() -> None:
    content = files.saved(Image.effect_noise((1500, 1500), 90).convert("RGB"), "JPEG", quality=95)
    with Counting() as spool:
        spool.append(content)
        facts = facts_by_headers(spool, "image/jpeg")
        assert spool.read < len(content) / 10
    assert facts is not None
    assert (facts.width, facts.height) == (1500, 1500)

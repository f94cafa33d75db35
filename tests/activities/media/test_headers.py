import io
from pathlib import Path

import pytest
from PIL import Image

from activities.media.decoding.facts import TooManyPixels
from activities.media.decoding.images import image_facts
from activities.media.headers import facts_by_headers
from activities.media.metadata.patches import Damaged
from tests.activities.media import files


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
def test_headers_say_what_the_decoder_says(content: bytes, content_type: str) -> None:
    spool = files.file_of(content, content_type).spool
    found, decoded = facts_by_headers(spool, content_type), image_facts(spool, content_type)
    assert found is not None
    assert (found.width, found.height, found.frames, found.duration) == (
        decoded.width,
        decoded.height,
        decoded.frames,
        decoded.duration,
    )
    assert (found.content_type, found.size) == (content_type, len(content))


def test_only_a_decoder_can_tell_of_other_types(tmp_path: Path) -> None:
    assert facts_by_headers(files.file_of(files.gif(), "image/gif").spool, "image/gif") is None
    assert facts_by_headers(files.file_of(files.video(tmp_path), "video/mp4").spool, "video/mp4") is None
    assert facts_by_headers(files.file_of(b"\x89PNG\r\n\x1a\nnonsense", "image/png").spool, "image/png") is None


def test_a_picture_beyond_measure_is_refused_without_decoding() -> None:
    with pytest.raises(TooManyPixels):
        facts_by_headers(files.file_of(files.bomb(20_000, 20_000), "image/png").spool, "image/png")


@pytest.mark.parametrize("length", [2, 3, 4, 20, 100])
def test_what_breaks_off_in_its_headers_is_damaged_or_left_to_the_decoder(length: int) -> None:
    spool = files.file_of(files.jpeg()[:length], "image/jpeg").spool
    try:
        found = facts_by_headers(spool, "image/jpeg")
    except Damaged:
        found = None
    assert found is None


def test_a_large_picture_is_not_read_to_its_end() -> None:
    image = Image.effect_noise((1500, 1500), 90).convert("RGB")
    content = files.saved(image, "JPEG", quality=95)
    cut = files.file_of(content[:2000], "image/jpeg")
    found = facts_by_headers(cut.spool, "image/jpeg")
    assert found is not None
    assert (found.width, found.height) == (1500, 1500)

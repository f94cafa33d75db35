"""The names of uploads in their public addresses."""

import re

from hypothesis import given
from hypothesis import strategies as st

from domain.uploads import public_url, safe_name


def test_names_are_safe_and_have_an_ending() -> None:
    names = {
        ("holiday 1.JPG", "image/jpeg"): "holiday-1.JPG",
        ("Überraschung.png", "image/png"): "Uberraschung.png",
        ("../../etc/passwd", "image/gif"): "passwd.gif",
        ("C:\\clips\\a.mp4", "video/mp4"): "a.mp4",
        ("写真", "image/jpeg"): "file.jpg",
        (".htaccess", "image/png"): "htaccess.png",
        ("a" * 300 + ".mov", "video/quicktime"): "a" * 76 + ".mov",
    }
    assert {case: safe_name(*case) for case in names} == names
    assert public_url("https://posts.example.com/", "t", "a b.jpg") == "https://posts.example.com/media/u/t/a-b.jpg"


@given(st.text(max_size=300))
def test_any_name_becomes_safe(filename: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}", safe_name(filename, "video/mp4"))

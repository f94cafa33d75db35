"""LinkedIn's notation of texts, in which no character can cut off a text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platforms.linkedin.rules import little
from sandbox.platforms.linkedin import shown

PAGE = "urn:li:organization:5515715"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", "plain"),
        ("a (b) c", r"a \(b\) c"),
        ("#launch!", r"{hashtag|\#|launch}!"),
        ("C# and #1", r"C\# and \#1"),
        ("https://e.com/#top", r"https://e.com/\#top"),
        ("#a_b", r"\#a\_b"),
        (f"@[Acme]({PAGE})", f"@[Acme]({PAGE})"),
        ("@[Acme](https://e.com)", r"\@\[Acme\]\(https://e.com\)"),
        ("back\\slash", r"back\\slash"),
    ],
)
def test_reserved_characters_are_escaped(text: str, written: str) -> None:
    assert little(text) == written


@given(st.text(alphabet=st.one_of(st.sampled_from(r"\|{}@[]()<>#*_~ab1 "), st.characters(codec="utf-8"))))
def test_every_text_reads_as_it_was_written(text: str) -> None:
    assert shown(little(text)) == text

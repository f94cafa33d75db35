"""The length of texts as Mastodon counts it, and texts in the HTML of servers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platforms.mastodon.rules import comparable, length, shown_text


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("abc", 3),
        ("e\u0301", 1),
        ("👩‍👩‍👧‍👦", 1),
        ("https://a-very-long-address.example/with/a/path?and=a&query=1", 23),
        ("http://a.example", 23),
        ("(https://a.example).", 26),
        ("https://en.wikipedia.org/wiki/A_(b)", 23),
        ("https://a.example https://b.example", 47),
        ("ftp://a.example", 15),
        ("@ann@remote.example", 4),
        ("@ann hi", 7),
        ("mail ann@remote.example", 23),
        ("Hi @ann@remote.example, @bob@b.example:3000!", 14),
    ],
)
def test_links_cost_a_flat_price_and_mentions_their_name_alone(text: str, count: int) -> None:
    assert length(text) == count


@given(st.text(st.sampled_from("ab @.:/#()\nhtps<>&é👩\u200d"), max_size=80))
def test_every_text_is_recognised_in_its_html(text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br />")
    assert comparable(shown_text(f"<p>{escaped}</p>", text)) == comparable(text)

"""The metadata of a video at YouTube."""

from platforms.youtube.media import video_body
from platforms.youtube.rules import tags_length, video_title
from tests.platforms.drafts import draft


def test_the_first_line_is_the_title_where_none_is_given() -> None:
    assert video_title(draft("youtube", "\n  Waves \nand more")) == "Waves"
    assert video_title(draft("youtube", "w" * 99 + " more words")) == "w" * 99
    assert video_title(draft("youtube", "Waves", title="Other")) == "Other"


def test_tags_count_as_youtube_counts_them() -> None:
    assert tags_length([]) == 0
    assert tags_length(["one", "two three"]) == 3 + 1 + 11


def test_a_video_gets_only_the_given_fields() -> None:
    assert video_body(draft("youtube", "Waves")) == {
        "snippet": {"title": "Waves", "description": "Waves", "categoryId": "22"},
        "status": {"privacyStatus": "public", "selfDeclaredMadeForKids": False},
    }

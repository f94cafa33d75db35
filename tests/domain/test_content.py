"""The content of a target: its own text, media and settings, otherwise the post's."""

from hypothesis import given
from hypothesis import strategies as st

from domain.content import PostContent, TargetContent, merge_settings
from domain.post import Media, MediaType

IMAGE = Media(type=MediaType.IMAGE, url="https://example.com/a.jpg")
settings = st.dictionaries(st.from_regex(r"[a-z]{1,4}([A-Z][a-z]{1,3})?", fullmatch=True), st.integers(), max_size=5)


@given(settings, settings, settings)
def test_a_targets_own_settings_win_over_the_root_ones_of_its_platform(
    own: dict[str, int], tiktok: dict[str, int], facebook: dict[str, int]
) -> None:
    assert merge_settings("tiktok", own, tiktok, facebook) == {**tiktok, **own}
    assert merge_settings("facebook", own, tiktok, facebook) == {**facebook, **own}
    assert merge_settings("twitter", own, tiktok, facebook) == own


def test_both_spellings_of_a_setting_are_one() -> None:
    assert merge_settings("tiktok", {"privacyLevel": "A"}, {"privacy_level": "B"}, {}) == {"privacyLevel": "A"}
    assert merge_settings("tiktok", {"privacy_level": "A"}, {"privacyLevel": "B"}, {}) == {"privacy_level": "A"}


def test_empty_custom_text_and_media_replace_the_posts() -> None:
    post = PostContent(content="post", media_items=[IMAGE])
    plain = TargetContent(platform="twitter", account_id="a")
    own = TargetContent(platform="twitter", account_id="a", custom_content="own", custom_media=[])
    assert (post.text_for(plain), post.media_for(plain)) == ("post", [IMAGE])
    assert (post.text_for(own), post.media_for(own)) == ("own", [])
    assert PostContent().text_for(plain) == ""

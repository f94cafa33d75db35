"""Texts that a person may enter as the id of a post: its id, or the address of its page."""

import time

import pytest

from platforms.registry import platforms

READ = [
    ("twitter", "https://x.com/i/status/2126000000000000000", "2126000000000000000"),
    ("twitter", "https://x.com/somebody/status/2126/photo/1", "2126"),
    ("twitter", "http://mobile.twitter.com/somebody/status/2126?s=20&t=x", "2126"),
    ("twitter", "https://x.com/i/web/status/2126#reply", "2126"),
    ("discord", "https://discord.com/channels/1/22/333", "333"),
    ("discord", "https://ptb.discord.com/channels/@me/22/333", "333"),
    ("facebook", "https://www.facebook.com/12_34", "12_34"),
    ("facebook", "https://www.facebook.com/12/posts/34?__cft__=x", "12_34"),
    ("facebook", "https://www.facebook.com/somepage/posts/34", "777_34"),
    ("facebook", "https://www.facebook.com/reel/34", "34"),
    ("facebook", "https://www.facebook.com/somepage/videos/34/", "34"),
    ("facebook", "https://www.facebook.com/watch/?v=34&x=y", "34"),
    ("linkedin", "https://www.linkedin.com/feed/update/urn:li:share:71/", "urn:li:share:71"),
    ("linkedin", "https://www.linkedin.com/feed/update/urn%3Ali%3Aactivity%3A71", "urn:li:activity:71"),
    ("linkedin", "https://www.linkedin.com/posts/some-body_a-word-activity-71-AbC_?utm_source=x", "urn:li:activity:71"),
    ("mastodon", "https://example.social/@somebody/1093", "1093"),
    ("mastodon", "https://example.social/users/somebody/statuses/1093", "1093"),
    ("pinterest", "https://www.pinterest.com/pin/99/", "99"),
    ("pinterest", "https://de.pinterest.com/pin/some-words--99/", "99"),
    ("reddit", "https://www.reddit.com/r/test/comments/1abcde/some_title/", "t3_1abcde"),
    ("reddit", "https://redd.it/1abcde", "t3_1abcde"),
    ("telegram", "https://t.me/some_channel/42", "42"),
    ("telegram", "https://t.me/c/123/42", "42"),
    ("telegram", "https://t.me/s/some_channel/42?single", "42"),
    ("tiktok", "https://www.tiktok.com/@some.body/video/7300?lang=en", "7300"),
    ("youtube", "https://www.youtube.com/watch?v=dQw4w9WgXcQ", "dQw4w9WgXcQ"),
    ("youtube", "https://www.youtube.com/watch?list=x&v=dQw4w9WgXcQ&t=1s", "dQw4w9WgXcQ"),
    ("youtube", "https://youtu.be/dQw4w9WgXcQ?si=x", "dQw4w9WgXcQ"),
    ("youtube", "https://youtube.com/shorts/dQw4w9WgXcQ", "dQw4w9WgXcQ"),
    ("bluesky", "https://bsky.app/profile/did:plc:abc/post/3k", "at://did:plc:abc/app.bsky.feed.post/3k"),
]


@pytest.mark.parametrize(("platform", "given", "found"), READ)
def test_the_id_is_read_from_an_address(platform: str, given: str, found: str) -> None:
    post_id = platforms()[platform].rules.post_id
    assert post_id.read(given, "777") == found
    assert post_id.read(found, "777") == found
    assert post_id.read(given) in {found, given}


def test_a_handle_stands_for_the_account() -> None:
    post_id = platforms()["bluesky"].rules.post_id
    given = "https://bsky.app/profile/some.body/post/3k"
    assert post_id.read(given, "did:plc:abc") == "at://did:plc:abc/app.bsky.feed.post/3k"
    assert post_id.read(given, "") is None


@pytest.mark.parametrize(
    ("platform", "given"),
    [
        ("twitter", "https://example.com/x.com/i/status/1"),
        ("twitter", "https://x.com.example.com/i/status/1"),
        ("twitter", "https://evil-x.com/i/status/1"),
        ("twitter", "https://x.com/somebody"),
        ("twitter", "https://x.com/i/status/12345678901234567890"),
        ("twitter", "ftp://x.com/i/status/1"),
        ("twitter", "x.com/i/status/1"),
        ("mastodon", "https://example.social/@somebody@elsewhere.social/1093"),
        ("instagram", "https://www.instagram.com/p/ABC123/"),
        ("threads", "https://www.threads.net/@somebody/post/ABC"),
        ("telegram", "https://t.me/some_channel/42/x"),
        ("youtube", "https://www.youtube.com/watch?v=../x"),
    ],
)
def test_no_id_is_read_from_another_address(platform: str, given: str) -> None:
    assert platforms()[platform].rules.post_id.read(given, "777") is None


@pytest.mark.parametrize("platform", platforms())
def test_reading_hostile_addresses_takes_less_than_a_second(platform: str) -> None:
    post_id = platforms()[platform].rules.post_id
    hosts = ("x.com", "www.facebook.com", "www.linkedin.com/posts", "www.youtube.com", "t.me", "a.pinterest.com/pin")
    begun = time.process_time()
    for host in hosts:
        for part in ("/", "-", "a-", "1", "&v=", "?v=", "--", "%2f", "-activity-1"):
            post_id.read(f"https://{host}/{part * (255 // len(part))}\n", "777")
    assert time.process_time() - begun < 1

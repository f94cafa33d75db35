"""Texts that a person may enter as the id of a post: its id, or the address of its page."""

import time

import pytest

from platforms.registry import platforms

READ = [
    ("twitter", "https://x.com/i/status/2126000000000000000", "2126000000000000000"),
    ("twitter", "https://x.com/somebody/status/2126/photo/1", "2126"),
    ("twitter", "http://mobile.twitter.com/somebody/status/2126?s=20&t=x", "2126"),
    ("twitter", "https://mobile.x.com/somebody/statuses/2126", "2126"),
    ("twitter", "https://x.com/i/web/status/2126#reply", "2126"),
    ("discord", "https://discord.com/channels/1/22/333", "333"),
    ("discord", "https://ptb.discord.com/channels/@me/22/333", "333"),
    ("discord", "https://www.discordapp.com/channels/1/22/333?x=y", "333"),
    ("facebook", "https://www.facebook.com/12_34", "12_34"),
    ("facebook", "https://www.facebook.com/12/posts/34?__cft__=x", "12_34"),
    ("facebook", "https://de-de.facebook.com/12/posts/some-words/34/", "12_34"),
    ("facebook", "https://www.facebook.com/somepage/posts/34", "777_34"),
    ("facebook", "https://web.facebook.com/somepage/posts/some-words/34/", "777_34"),
    ("facebook", "https://m.facebook.com/story.php?story_fbid=34&id=12&m_entstream_source=x", "12_34"),
    ("facebook", "https://www.facebook.com/permalink.php?id=12&story_fbid=34", "12_34"),
    ("facebook", "https://www.facebook.com/reel/34", "34"),
    ("facebook", "https://www.facebook.com/somepage/videos/34/", "34"),
    ("facebook", "https://www.facebook.com/somepage/videos/some-words/34/", "34"),
    ("facebook", "https://www.facebook.com/watch/?v=34&x=y", "34"),
    ("facebook", "https://m.facebook.com/watch/live/?ref=x&v=34", "34"),
    ("linkedin", "https://www.linkedin.com/feed/update/urn:li:share:71/", "urn:li:share:71"),
    ("linkedin", "https://www.linkedin.com/feed/update/urn%3Ali%3Aactivity%3A71", "urn:li:activity:71"),
    ("linkedin", "https://www.linkedin.com/embed/feed/update/urn:li:ugcPost:71", "urn:li:ugcPost:71"),
    ("linkedin", "https://www.linkedin.com/analytics/post-summary/urn:li:activity:71/", "urn:li:activity:71"),
    ("linkedin", "https://www.linkedin.com/posts/some-body_a-word-activity-71-AbC_?utm_source=x", "urn:li:activity:71"),
    ("linkedin", "https://de.linkedin.com/posts/somebody_activity-71-AbC_", "urn:li:activity:71"),
    ("mastodon", "https://example.social/@somebody/1093", "1093"),
    ("mastodon", "https://EXAMPLE.social:443/@somebody/1093/embed", "1093"),
    ("mastodon", "https://example.social/deck/@somebody/1093", "1093"),
    ("mastodon", "https://example.social/web/statuses/1093", "1093"),
    ("mastodon", "https://example.social/users/somebody/statuses/1093", "1093"),
    ("mastodon", "https://example.social/ap/users/12/statuses/1093", "1093"),
    ("mastodon", "https://example.social/@somebody/statuses/01JBCDEFGHJKMNPQRSTVWXYZ01", "01JBCDEFGHJKMNPQRSTVWXYZ01"),
    ("mastodon", "https://example.social/@somebody/posts/1093/", "1093"),
    ("mastodon", "https://example.social/notice/AnBcDeFgHiJkLmNoPq", "AnBcDeFgHiJkLmNoPq"),
    ("mastodon", "https://example.social/p/somebody/712345678901234567", "712345678901234567"),
    ("mastodon", "https://example.social/notes/9abcdef123", "9abcdef123"),
    (
        "mastodon",
        "https://example.social/post/0191e2a1-1111-7222-8333-444455556666",
        "0191e2a1-1111-7222-8333-444455556666",
    ),
    (
        "mastodon",
        "https://example.social/somebody/p/1795979495.284985",
        # The digest of the address, as md5sum prints it.
        "179597949552df8c5015be6c5d40a2d2c27bea2b3e",
    ),
    ("pinterest", "https://www.pinterest.com/pin/99/", "99"),
    ("pinterest", "https://de.pinterest.com/pin/some-words--99/", "99"),
    ("pinterest", "https://www.pinterest.co.uk/pin/99/sent/?invite_code=x", "99"),
    ("pinterest", "https://pinterest.de/pin/99", "99"),
    ("reddit", "https://www.reddit.com/r/test/comments/1abcde/some_title/", "t3_1abcde"),
    ("reddit", "https://old.reddit.com/r/test/comments/1abcde/some_title/ab12/", "t3_1abcde"),
    ("reddit", "https://www.reddit.com/u/somebody/comments/1abcde", "t3_1abcde"),
    ("reddit", "https://www.reddit.com/gallery/1abcde", "t3_1abcde"),
    ("reddit", "https://redd.it/1abcde", "t3_1abcde"),
    ("telegram", "https://t.me/some_channel/42", "42"),
    ("telegram", "https://t.me/some_channel/7/42", "42"),
    ("telegram", "https://some_channel.t.me/42", "42"),
    ("telegram", "https://t.me/c/123/42", "42"),
    ("telegram", "https://t.me/c/123/7/42/", "42"),
    ("telegram", "https://t.me/s/some_channel/42?single", "42"),
    ("tiktok", "https://www.tiktok.com/@some.body/video/7300?lang=en", "7300"),
    ("tiktok", "https://www.tiktok.com/@/photo/7300", "7300"),
    ("tiktok", "https://m.tiktok.com/v/7300.html", "7300"),
    ("tiktok", "https://www.tiktok.com/embed/v2/7300", "7300"),
    ("youtube", "https://www.youtube.com/watch?v=dQw4w9WgXcQ", "dQw4w9WgXcQ"),
    ("youtube", "https://www.youtube.com/watch?list=x&v=dQw4w9WgXcQ&t=1s", "dQw4w9WgXcQ"),
    ("youtube", "https://m.youtube.com/watch/?v=dQw4w9WgXcQ", "dQw4w9WgXcQ"),
    ("youtube", "https://music.youtube.com/watch?v=dQw4w9WgXcQ", "dQw4w9WgXcQ"),
    ("youtube", "https://studio.youtube.com/video/dQw4w9WgXcQ/edit", "dQw4w9WgXcQ"),
    ("youtube", "https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ", "dQw4w9WgXcQ"),
    ("youtube", "https://youtu.be/dQw4w9WgXcQ?si=x", "dQw4w9WgXcQ"),
    ("youtube", "https://youtube.com/shorts/dQw4w9WgXcQ", "dQw4w9WgXcQ"),
    ("bluesky", "https://bsky.app/profile/did:plc:abc/post/3k", "at://did:plc:abc/app.bsky.feed.post/3k"),
    ("bluesky", "https://main.bsky.dev/profile/did:plc:abc/post/3k/liked-by", "at://did:plc:abc/app.bsky.feed.post/3k"),
]

USERS = {"mastodon": "777@example.social", "telegram": "-100123", "bluesky": "did:plc:abc"}
"""The platforms' ids of the accounts, 777 at all others."""


@pytest.mark.parametrize(("platform", "address", "expected"), READ)
def test_the_id_is_read_from_an_address(platform: str, address: str, expected: str) -> None:
    post_id = platforms()[platform].rules.post_id
    user_id = USERS.get(platform, "777")
    assert post_id.read(address, user_id) == expected
    assert post_id.read(expected, user_id) == expected
    assert post_id.read(address) in {expected, address}


def test_addresses_of_every_platform_that_has_ids_in_them_are_read() -> None:
    assert {platform for platform, _, _ in READ} == platforms().keys() - {"instagram", "threads", "googlebusiness"}


def test_a_handle_stands_for_the_account() -> None:
    post_id = platforms()["bluesky"].rules.post_id
    address = "https://bsky.app/profile/some.body/post/3k"
    assert post_id.read(address, "did:plc:abc") == "at://did:plc:abc/app.bsky.feed.post/3k"
    assert post_id.read(address, "") is None


@pytest.mark.parametrize(
    ("platform", "address"),
    [
        ("twitter", "https://example.com/x.com/i/status/1"),
        ("twitter", "https://x.com.example.com/i/status/1"),
        ("twitter", "https://evil-x.com/i/status/1"),
        ("twitter", "https://x.com/somebody"),
        ("twitter", "https://x.com/i/status/12345678901234567890"),
        ("twitter", "ftp://x.com/i/status/1"),
        ("twitter", "x.com/i/status/1"),
        ("facebook", "https://www.facebook.com/somepage/posts/pfbid0abc"),
        ("facebook", "https://facebook.com.example.com/12_34"),
        ("mastodon", "https://example.social/@somebody@elsewhere.social/1093"),
        ("mastodon", "https://example.social/@somebody/statuses"),
        ("mastodon", "https://example.social/@somebody/statuses/"),
        ("mastodon", "https://example.social/@somebody/media"),
        ("mastodon", "https://example.social/@somebody/tagged/word"),
        ("mastodon", "https://example.social/@somebody/with_replies"),
        ("mastodon", "https://example.social/users/somebody/statuses"),
        ("instagram", "https://www.instagram.com/p/ABC123/"),
        ("pinterest", "https://www.pinterest.example.com/pin/99/"),
        ("threads", "https://www.threads.net/@somebody/post/ABC"),
        ("telegram", "https://t.me/some_channel/42/x"),
        ("youtube", "https://www.youtube.com/watch?v=../x"),
        ("googlebusiness", "https://local.google.com/place?id=1&use=posts&lpsid=2"),
    ],
)
def test_no_id_is_read_from_another_address(platform: str, address: str) -> None:
    post_id = platforms()[platform].rules.post_id
    assert post_id.read(address, USERS.get(platform, "777")) is None
    assert post_id.refusal(address, USERS.get(platform, "777")).startswith("must be ")


@pytest.mark.parametrize(
    ("platform", "address", "owners"),
    [
        ("mastodon", "https://other.social/@somebody/1093", ("other.social", "example.social")),
        ("mastodon", "https://example.social:8443/@somebody/1093", ("example.social:8443", "example.social")),
        ("mastodon", "https://other.social/somebody/p/1795979495.284985", ("other.social", "example.social")),
        ("telegram", "https://t.me/c/999/42", ("999", "123")),
        ("bluesky", "https://bsky.app/profile/did:plc:other/post/3k", ("did:plc:other", "did:plc:abc")),
        ("bluesky", "at://did:plc:other/app.bsky.feed.post/3k", ("did:plc:other", "did:plc:abc")),
    ],
)
def test_post_of_another_owner_is_refused(platform: str, address: str, owners: tuple[str, str]) -> None:
    post_id = platforms()[platform].rules.post_id
    assert post_id.read(address) is not None
    assert post_id.read(address, USERS[platform]) is None
    sentence = "names a post of {}, and the posts of this account are of {}".format(*owners)
    assert post_id.refusal(address, USERS[platform]) == sentence


@pytest.mark.parametrize("address", ["https://t.me/some_channel/42", "https://some_channel.t.me/42"])
def test_post_of_a_channel_of_another_name_is_refused(address: str) -> None:
    post_id = platforms()["telegram"].rules.post_id
    assert post_id.read(address, USERS["telegram"], "Some_Channel") == "42"
    assert post_id.read(address, USERS["telegram"], "another") is None
    assert post_id.refusal(address, USERS["telegram"], "another") == (
        "names a post of some_channel, and the posts of this account are of another; if its name has changed, give the "
        "message's number in its chat, digits alone"
    )


def test_server_in_another_spelling_is_the_same() -> None:
    post_id = platforms()["mastodon"].rules.post_id
    assert post_id.read("https://b\u00fccher.example/@somebody/1", "7@xn--bcher-kva.example") == "1"
    assert post_id.read("https://any.example/@somebody/1", "7") == "1"


@pytest.mark.parametrize(
    ("platform", "address"),
    [
        ("twitter", "https://t.co/AbC"),
        ("facebook", "https://www.facebook.com/share/p/AbC/"),
        ("facebook", "https://fb.watch/AbC/"),
        ("linkedin", "https://lnkd.in/AbC"),
        ("mastodon", "https://example.social/objects/0191e2a1-1111-7222-8333-444455556666"),
        ("pinterest", "https://pin.it/AbC"),
        ("reddit", "https://www.reddit.com/r/test/s/AbC"),
        ("tiktok", "https://vm.tiktok.com/ZMabc/"),
        ("tiktok", "https://www.tiktok.com/t/ZMabc/"),
        ("bluesky", "https://go.bsky.app/AbC"),
    ],
)
def test_address_that_leads_to_another_says_so(platform: str, address: str) -> None:
    post_id = platforms()[platform].rules.post_id
    assert post_id.read(address, USERS.get(platform, "777")) is None
    assert "open it in a browser" in post_id.refusal(address, USERS.get(platform, "777"))


PAGES = [
    ("twitter", "2126", "https://x.com/i/status/2126"),
    ("facebook", "12_34", "https://www.facebook.com/12_34"),
    ("linkedin", "urn:li:share:71", "https://www.linkedin.com/feed/update/urn:li:share:71/"),
    ("mastodon", "115678901234567890", "https://example.social/@somebody/115678901234567890"),
    ("mastodon", "712345678901234567", "https://example.social/p/somebody/712345678901234567"),
    (
        "mastodon",
        "01JBCDEFGHJKMNPQRSTVWXYZ01",
        "https://example.social/@somebody/statuses/01JBCDEFGHJKMNPQRSTVWXYZ01",
    ),
    ("mastodon", "AnBcDeFgHiJkLmNoPq", "https://example.social/notice/AnBcDeFgHiJkLmNoPq"),
    ("mastodon", "179597949552df8c5015be6c5d40a2d2c27bea2b3e", None),
    ("pinterest", "99", "https://www.pinterest.com/pin/99/"),
    ("reddit", "t3_1abcde", "https://www.reddit.com/comments/1abcde/"),
    ("telegram", "42", "https://t.me/c/123/42"),
    ("tiktok", "7300", None),
    ("youtube", "dQw4w9WgXcQ", "https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
    ("bluesky", "at://did:plc:abc/app.bsky.feed.post/3k", "https://bsky.app/profile/did:plc:abc/post/3k"),
    ("instagram", "1789", None),
]


@pytest.mark.parametrize(("platform", "named", "page"), PAGES)
def test_an_id_leads_to_the_page_of_the_post(platform: str, named: str, page: str | None) -> None:
    post_id, user_id = platforms()[platform].rules.post_id, USERS.get(platform, "777")
    assert post_id.page(named, user_id, "somebody@example.social") == page
    if page and platform != "facebook":
        assert post_id.read(page, user_id) == named


def test_no_page_is_guessed_without_the_server() -> None:
    post_id = platforms()["mastodon"].rules.post_id
    assert post_id.page("115678901234567890", "7", "somebody") is None
    assert post_id.page("115678901234567890", "7@localhost:3000", "somebody@localhost:3000") is None
    assert platforms()["telegram"].rules.post_id.page("42", "777") is None


@pytest.mark.parametrize("platform", platforms())
def test_reading_hostile_addresses_takes_less_than_a_second(platform: str) -> None:
    post_id = platforms()[platform].rules.post_id
    hosts = (
        *("m.facebook.com/story.php?", "example.social/@a/", "example.social/a/p/"),
        "x.com",
        "www.facebook.com",
        "www.linkedin.com/posts",
        "www.youtube.com",
        "t.me",
        "a.pinterest.com/pin",
    )
    begun = time.process_time()
    for host in hosts:
        for part in ("/", "-", "a-", "1", "&v=", "?v=", "--", "%2f", "-activity-1", "story_fbid=1&", "&id=1"):
            post_id.read(f"https://{host}/{part * (2000 // len(part))}\n", "777@example.social")
    assert time.process_time() - begun < 1

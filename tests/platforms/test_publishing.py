"""Every form of post is public as it was written: its text, its media in order and described, its kind, its address."""

import pytest

from tests.platforms.forms import EVENT, FIRST, FORMS, TIKTOK, Form, quick
from tests.platforms.googlebusiness.test_platform import BUTTON, OFFER
from tests.platforms.post_steps import publish
from tests.platforms.rig import Connect

__all__ = ["quick"]

ADDRESSES = {
    "bluesky": "https://bsky.app/profile/did:plc:{user}/post/",
    "discord": "https://discord.com/channels/",
    "facebook": "https://www.facebook.com/",
    "googlebusiness": "https://local.google.com/place?id={user}&",
    "instagram": "https://www.instagram.com/",
    "linkedin": "https://www.linkedin.com/feed/update/{id}/",
    "mastodon": "https://mastodon.social/",
    "pinterest": "https://www.pinterest.com/pin/{id}/",
    "reddit": "https://www.reddit.com/r/test/comments/",
    "telegram": "https://t.me/{name}/{id}",
    "threads": "https://www.threads.com/@{name}/post/",
    "tiktok": "https://www.tiktok.com/@{name}/{kind}/{id}",
    "twitter": "https://x.com/i/status/{id}",
    "youtube": "https://www.youtube.com/watch?v={id}",
}
PATHS = {
    "facebook": {"reel": "reel/"},
    "instagram": {"reel": "reel/", "story": "stories/", "post": "p/", "carousel": "p/"},
}
"""What follows in the address, by kind."""
NAME_NO_ID = {"facebook", "googlebusiness", "instagram", "threads"}
"""Platforms whose addresses of posts do not contain the post's id."""
DESCRIBED = {
    "bluesky": {"image", "video"},
    "discord": {"image", "gif", "video", "document"},
    "facebook": {"image"},
    "instagram": {"image"},
    "linkedin": {"image", "video"},
    "mastodon": {"image", "gif", "video"},
    "pinterest": {"image", "gif", "video"},
    "threads": {"image", "video"},
    "twitter": {"image", "gif"},
}
"""The types of media that have an alt text, by platform."""
REQUESTS = {
    "bluesky": "publish",
    "discord": "publish auth",
    "facebook": "publish",
    "googlebusiness": "publish",
    "instagram": "prepare prepare publish confirm",
    "linkedin": "publish",
    "mastodon": "confirm publish",
    "pinterest": "publish",
    "reddit": "publish",
    "telegram": "publish",
    "threads": "prepare prepare publish confirm",
    "tiktok": "prepare prepare publish confirm",
    "twitter": "publish",
    "youtube": "prepare prepare publish confirm",
}
"""The operations that the simplest post takes, from its preparation to its completion."""

IMAGES = tuple(f"{number}.jpg" for number in range(20))
BOARD = {"boardId": "549755885175"}
SUBREDDIT = {"subreddit": "test", "title": "A title"}
STORY = {"contentType": "story"}
MANUAL = {"graduationStrategy": "MANUAL"}
COMMERCIAL = {"commercialContentType": "brand_content", "video_made_with_ai": True}
PROMOTED = {"brand_partner_promote": True, "isBrandOrganicPost": True}
COVERED = {"photoCoverIndex": 1, "autoAddMusic": True, "mediaType": "photo", "description": "long"}
MOVING = {"allow_comment": True, "allow_duet": True, "allowStitch": True, "videoCoverTimestampMs": 1500}
REEL = {"shareToFeed": False, "audioName": "Waves", "thumbOffset": 1500, "collaborators": ["nasa"]}
POLL = {"question": "Tea or coffee?", "options": ["Tea", "Coffee"]}
X_POLL = {"options": ["Yes", "No"], "durationMinutes": 60}
LITTLE = (
    r"All of \ | { } @ [ ] ( ) < > # * _ ~ stands",
    "We (all) ship #launch_day, #Über and #2026goals: <b>50%</b> *off* ~now~ https://e.com/a_b#c?d=[e]",
)
"""Texts with the characters that LinkedIn's own markup reserves."""

MORE: dict[str, list[Form]] = {
    "post": [
        Form("facebook", settings={"link": "https://example.com/a"}),
        Form("instagram", ("a.jpg",), {"collaborators": ["@natgeo"], "locationId": "7640348500"}),
        Form("instagram", ("a.jpg",), {"userTags": [{"username": "nasa", "x": 0.5, "y": 0.25}]}),
        *[Form("linkedin", names, account="page") for names in [("a.png",), ("a.gif",), ("a.mp4",)]],
        *[Form("linkedin", names) for names in [("a.png",), ("a.gif",), ("a.mp4",), ("a.jpg", "b.png", "c.jpg")]],
        *[Form("linkedin", text=text) for text in LITTLE],
        Form("threads", settings={"topicTag": "photography", "replyControl": "mentioned_only"}),
        Form("threads", settings={"linkAttachment": "https://example.com"}),
        Form("threads", settings={"poll": {"options": ["Yes", "No", "Maybe"]}}),
        Form("threads", ("a.png",), {"replyControl": "followers_only"}),
        Form("threads", ("a.mp4",), {"topicTag": "film"}),
        *[Form("twitter", names) for names in [IMAGES[:4], ("a.gif",), ("a.mp4",)]],
    ],
    "message": [
        Form("discord", settings={"poll": POLL}),
        *[Form("discord", names) for names in [("a.mp4",), ("a.gif",), ("a.jpg", "b.mp4", "c.gif", "d.pdf")]],
        Form("discord", IMAGES[:10], text="Hi <@1> @everyone"),
    ],
    "webhook": [
        *[Form("discord", names, account="webhook") for names in [("a.gif",), ("a.jpg", "b.mp4", "c.gif", "d.pdf")]],
        Form("discord", IMAGES[:10], text="Hi <@1> @everyone", account="webhook"),
    ],
    "standard": [
        Form("googlebusiness", ("a.jpg",), {"callToAction": BUTTON, "languageCode": "de"}),
        Form("googlebusiness", settings={"callToAction": {"type": "CALL"}}),
    ],
    "event": [Form("googlebusiness", ("a.png",), {"event": EVENT, "callToAction": BUTTON})],
    "offer": [
        Form("googlebusiness", ("a.jpg",), {"event": EVENT, "offer": OFFER}),
        Form("googlebusiness", settings={"topicType": "OFFER", "event": EVENT}),
    ],
    "reel": [
        Form("instagram", ("a.mp4",), REEL),
        Form("instagram", ("a.mp4",), {"trialParams": MANUAL, "userTags": [{"username": "nasa"}]}),
        Form("instagram", ("a.mp4",), {"instagramThumbnail": "https://cdn.example.com/cover.jpg"}),
    ],
    "story": [Form("instagram", ("a.mp4",), {**STORY, "userTags": [{"username": "nasa"}]})],
    "carousel": [
        Form("instagram", ("a.jpg", "b.mp4"), {"userTags": [{"username": "nasa", "mediaIndex": 1}]}),
        Form("instagram", IMAGES[:10]),
        Form("pinterest", IMAGES[:5], {**BOARD, "boardSectionId": "77"}),
        Form("threads", ("a.jpg", "b.mp4")),
        Form("threads", IMAGES),
    ],
    "poll": [
        Form("linkedin", settings={"poll": POLL}),
        Form("twitter", settings={"poll": X_POLL, "replySettings": "mentionedUsers"}),
    ],
    "quote": [Form("threads", settings={"quotePostId": "18000000000000001"})],
    "image": [
        Form("pinterest", ("a.png",), {**BOARD, "title": "Ten knots", "link": "https://example.com/knots"}),
        Form("pinterest", ("a.gif",), BOARD),
        Form("reddit", ("a.png",), SUBREDDIT),
        Form("reddit", ("a.gif",), SUBREDDIT),
    ],
    "video": [
        Form("facebook", ("a.mp4",), {"title": "Waves"}),
        Form("pinterest", ("a.mp4",), {**BOARD, "coverImageKeyFrameTime": 2}),
        Form("pinterest", ("a.mp4",), {**BOARD, "coverImageUrl": "https://cdn.example.com/cover.jpg"}),
        *[Form("tiktok", ("a.mp4",), {**TIKTOK, **settings}) for settings in (MOVING, COMMERCIAL, PROMOTED)],
        Form("telegram", ("a.mp4",)),
    ],
    "gallery": [Form("reddit", IMAGES[:5], SUBREDDIT)],
    "photo": [Form("telegram", ("a.png",)), Form("tiktok", ("a.jpg", "b.jpg"), {**TIKTOK, **COVERED})],
    "animation": [Form("telegram", ("a.gif",))],
    "document": [Form("telegram", ("a.pdf",))],
    "album": [Form("telegram", names) for names in [("a.pdf", "b.pdf"), IMAGES[:10]]],
}
"""Forms beside those that are followed through lost responses, by their kind in the sandbox."""
KIND_OF = {id(form): kind for kind, forms in MORE.items() for form in forms}
TYPES = {"gif": "gif", "mp4": "video", "pdf": "document"}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("form", [*FORMS, *(form for forms in MORE.values() for form in forms)], ids=str)
async def test_a_post_is_public_as_it_was_written(connect: Connect, form: Form) -> None:
    rig = await form.open(connect)
    connecting = len(await rig.operations())
    published = await publish(rig, form.context(rig))
    operations = (await rig.operations())[connecting:]
    assert operations.count("publish") == 1
    if form in FIRST:
        assert " ".join(operations) == REQUESTS[form.platform]
    [card] = await rig.cards()
    kind = card["kind"]
    assert card["platformPostId"] == published.platform_post_id
    assert kind == KIND_OF.get(id(form), kind)
    text = form.text.strip() if form.platform == "reddit" else form.settings.get("description", form.text)
    assert card["text"] == ("" if kind == "story" else text)
    described: set[str] = (
        set() if (form.platform, kind) == ("instagram", "story") else DESCRIBED.get(form.platform, set())
    )
    for name, media in zip(form.media, card["media"], strict=True):
        assert media["type"] in {"image", TYPES.get(name.rpartition(".")[2])}
        assert form.size or media.get("src") in {None, f"/_/media/{name}"}
        assert set(media.get("alt", "").split("\n")) == {"what it shows" if media["type"] in described else ""}
    if poll := form.settings.get("poll"):
        assert card["note"] == " · ".join(poll["options"])
    assert published.warning is None
    assert published.url is not None
    names = {"user": rig.account.user_id, "name": rig.account.username, "id": published.platform_post_id, "kind": kind}
    path = PATHS.get(form.platform, {}).get(kind, "")
    assert published.url.startswith(ADDRESSES[form.platform].format(**names) + path)
    if form.platform not in NAME_NO_ID:
        assert rig.platform.rules.post_id.read(published.url, rig.account.user_id) == published.platform_post_id

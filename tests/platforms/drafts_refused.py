"""Drafts of posts that break one rule of their platform, with the place and the sentence."""

from typing import Any

from tests.platforms.drafts import (
    ACCOUNT,
    ARTICLE,
    BUTTON,
    CAPTION,
    DISCORD_BOT,
    DISCORD_WEBHOOK,
    EMBED,
    FAMILY,
    IMAGES,
    LARGE_SERVER,
    OFFER,
    PAGE,
    PICTURE,
    POLL,
    QUESTION,
    REEL_SETTINGS,
    STRICT_SERVER,
    SUBRIP,
    URL,
    WEBHOOK_SETTINGS,
    X_PREMIUM,
    post,
)
from tests.platforms.forms import EVENT

Refused = tuple[dict[str, Any], str] | tuple[dict[str, Any], str, str]
"""A draft, where it breaks a rule, and what is said if that is not the usual sentence of `platforms.rules`."""

MEDIA_SETTINGS: dict[str, Any] = {"hasSpoiler": True, "showCaptionAboveMedia": True}
CONSENT_REFUSED: dict[str, Any] = {"contentPreviewConfirmed": False, "expressConsentGiven": False}
WITHOUT_COMMENTS: dict[str, Any] = {"visibility": "private", "madeForKids": True}
ESCAPED = "with a backslash before each of | { } @ [ ] ( ) < > # * _ ~"
REFUSED: dict[str, list[Refused]] = {
    "bluesky": [
        (
            post(kinds="i", linkCard={"url": URL, "title": "x"}),
            "linkCard",
            "Bluesky shows a link card or media, not both",
        ),
        (
            post(FAMILY * 121),
            "content",
            "Bluesky allows 3,000 bytes of text; this has 3,025",
        ),
        (post(threadItems=[{"content": "fine"}, {"content": "x" * 301}]), "threadItems.1.content"),
        (post(threadItems=[{"content": " "}]), "threadItems.0.content"),
    ],
    "discord": [
        (post("😀" * 1001), "content", "Discord allows 2,000 characters; this has 2,002"),
        (post(" "), "content", "Discord needs text, media, an embed or a poll"),
        (post(kinds="i", poll=QUESTION), "poll", "Discord does not take a poll together with media"),
        (
            post("", embeds=[EMBED, EMBED, {"fields": [{"name": "a", "value": "b"}]}]),
            *("embeds", "Discord allows 6,000 characters in all embeds; these have 6,002"),
        ),
        *[
            (
                post(account=DISCORD_BOT, **{name: value}),
                name,
                f"Discord takes {name} only from webhooks; this account is a bot",
            )
            for name, value in WEBHOOK_SETTINGS.items()
        ],
        *[
            (post(account=DISCORD_WEBHOOK, channelId="5"), "channelId"),
            (post(account=DISCORD_WEBHOOK, threadId="5", threadName="x"), "threadName"),
        ],
    ],
    "facebook": [
        *[(post(kinds=kinds, contentType="reel"), "mediaItems") for kinds in ("", "i")],
        *[(post(kinds=kinds, contentType="story"), "mediaItems") for kinds in ("", "ii")],
        *[
            (post(kinds="i", link=URL), "link"),
            (post(kinds="i", title="Waves"), "title"),
            (post(pageId="99"), "pageId"),
        ],
        (post(kinds="v", title="Waves", contentType="story"), "title"),
        (post(kinds="i", contentType="story", firstComment="first"), "firstComment"),
        *[
            (post(kinds="i", contentType="story", draft=True), "draft"),
            (post(draft=True, firstComment="x"), "firstComment"),
        ],
        *[
            (post(captions=[{**SUBRIP, "language": "en_US"}], **more), "captions")
            for more in ({}, {"kinds": "i"}, {"kinds": "v", "contentType": "story"}, {"kinds": "v", "draft": True})
        ],
        (post(kinds="v", captions=[{**SUBRIP, "language": name} for name in ("en_US", "en-US")]), "captions"),
        (post(""), "content", "Facebook needs text, a link or media"),
    ],
    "googlebusiness": [
        *[
            (post(f"Call {number} now"), "content")
            for number in ("+1 555 123 4567", "+49 30 1234567", "(555) 123-4567", "555-123-4567", "555.123.4567")
        ],
        (post(event=EVENT, offer=OFFER, callToAction=BUTTON), "callToAction"),
        *[(post(topicType="EVENT"), "event"), (post(topicType="OFFER"), "event"), (post(offer=OFFER), "event")],
        (post(topicType="STANDARD", event=EVENT), "event"),
        *[
            (post(topicType="EVENT", event=EVENT, offer=OFFER), "offer"),
            (post(topicType="STANDARD", offer=OFFER), "offer"),
        ],
    ],
    "instagram": [
        (post(), "mediaItems", "Instagram requires media for all posts"),
        (post("", "g"), "mediaItems", "Instagram does not take GIFs"),
        (post("", "i" * 11), "mediaItems", "Instagram allows 10 images in a post; this has 11"),
        (post("", "i" * 6 + "v" * 5), "mediaItems", "Instagram allows 10 media items in a post; this has 11"),
        (post("#tag " * 31, "i"), "content", "Instagram allows 30 hashtags in a caption; this has 31"),
        (post("@name " * 21, "i"), "content", "Instagram allows 20 mentions in a caption; this has 21"),
        (
            post("", "ii", contentType="story"),
            *("mediaItems", "Instagram stories take exactly 1 image or video; this has 2"),
        ),
        (
            post("", "v", instagramThumbnail=PICTURE, reelCover=URL),
            *("reelCover", "instagramThumbnail and reelCover are the same cover; give one of them"),
        ),
        (
            post("", "i", userTags=[{"username": "a", "x": 0.5, "y": 0.5, "mediaIndex": 1}]),
            *("userTags.0.mediaIndex", "There is no media item of this index"),
        ),
        (
            post("", "i", userTags=[{"username": "a", "x": 0, "y": 0}, {"username": "b", "x": 0.5}]),
            *("userTags.1.y", "Instagram needs x and y for a tag on an image"),
        ),
        *[
            (post("", kinds, **{name: value}), name, f"Instagram takes {name} only with a reel (a post of one video)")
            for name, value in REEL_SETTINGS.items()
            for kinds in ("i", "vv")
        ],
        *[
            (post("", "v", contentType="story", **{name: value}), name, f"Instagram stories do not take {name}")
            for name, value in {"collaborators": ["a"], "firstComment": "first", "locationId": "7640348500"}.items()
        ],
    ],
    "linkedin": [
        *[
            (
                post(text),
                "content",
                f"LinkedIn allows 3,000 characters, {ESCAPED}; this has 3,001",
            )
            for text in ("(" * 1500 + "x", "x" * 2984 + " #tag")
        ],
        *[(post(kinds="i", article=ARTICLE), "article"), (post(kinds="i", poll=QUESTION), "poll")],
        *[(post(poll=QUESTION, article=ARTICLE), "poll"), (post(kinds="i", documentTitle="Report"), "documentTitle")],
        (post(organizationUrn=PAGE, visibility="CONNECTIONS"), "visibility"),
        (
            post(poll={**QUESTION, "options": ["Tea", "Tea"]}),
            *("poll.options", "LinkedIn does not take the same answer twice"),
        ),
    ],
    "mastodon": [
        *[
            (post(text, account=of, **settings), "content", "Mastodon allows 500 characters; this has 501")
            for text, of, settings in (
                ("x" * 490, ACCOUNT, {"spoilerText": "y" * 11}),
                ("x" * 401, ACCOUNT, {"spoilerText": "https://example.com/" + "x" * 80}),
                ("https://a.example " + "x" * 470, STRICT_SERVER, {}),
            )
        ],
        (post("x" * 5001, account=LARGE_SERVER), "content", "Mastodon allows 5,000 characters; this has 5,001"),
        (post("", "i", account=STRICT_SERVER, alt_text="x" * 11), "mediaItems"),
        (post(poll={"options": [*"12345"]}), "poll.options", "Mastodon allows 4 answers in a poll; this has 5"),
        (
            post(poll={"options": ["x" * 51, "y"]}),
            *("poll.options.0", "Mastodon allows 50 characters in an answer; this has 51"),
        ),
        (post(poll={"options": ["x", "x"]}), "poll.options", "Mastodon does not take the same answer twice"),
        *[
            (
                post(poll={**POLL, "expiresIn": seconds}),
                *("poll.expiresIn", "Mastodon keeps polls open for 300 to 2,629,746 seconds"),
            )
            for seconds in (299, 2_629_747)
        ],
        (post(kinds="i", poll=POLL), "poll", "Mastodon does not take a poll together with media"),
    ],
    "pinterest": [
        (post(kinds="v", coverImageUrl=PICTURE, coverImageKeyFrameTime=0), "coverImageKeyFrameTime"),
        *[
            (post(kinds="i", coverImageKeyFrameTime=0), "coverImageKeyFrameTime"),
            (post(kinds="i", coverImageUrl=PICTURE), "coverImageUrl"),
        ],
        # Alt texts of several images count together, with the line breaks between them.
        (post(kinds="ii", alt_text="x" * 250), "mediaItems"),
    ],
    "reddit": [
        *[(post(text), "content") for text in ("", " \n ")],
        *[(post("x" * 301), "content"), (post(title=" "), "title")],
        *[(post(kinds="i", url=URL), "url"), (post(kinds="i", forceSelf=True), "forceSelf")],
    ],
    "telegram": [
        *[
            (post(text, kinds), "content", f"Telegram allows {limit:,} characters{unit}; this has {limit + 1:,}")
            for kinds, limit, unit in (("", 4096, ""), ("i", 1024, " beside images"), ("d", 1024, " beside documents"))
            for text in ("x" * (limit + 1), "😀" * (limit // 2) + "x")
        ],
        (post("<b>" + "x" * 4097 + "</b>", parseMode="HTML"), "content"),
        *[(post("x" * 4097, parseMode="MarkdownV2"), "content"), (post("<b>" + "x" * 4096), "content")],
        *[(post(text), "content", "Telegram needs text or media") for text in ("", " \n")],
        (post("<b></b>", parseMode="HTML"), "content", "Telegram needs text or media"),
        *[
            (post(kinds=kinds, **{name: value}), name, f"Telegram takes {name} only with images, videos and GIFs")
            for name, value in MEDIA_SETTINGS.items()
            for kinds in ("", "d")
        ],
        (post(kinds="i", disableWebPagePreview=True), "disableWebPagePreview"),
    ],
    "threads": [
        (post("🌊" * 126), "content", "Threads allows 500 characters; this has 504"),
        (
            post(" ".join(f"{URL}/{number}" for number in range(6))),
            *("content", "Threads allows 5 different links in a post; this has 6"),
        ),
        (post(kinds="i", poll=POLL), "poll", "Threads takes poll only in a post without media"),
        (
            post(kinds="i", linkAttachment=URL),
            *("linkAttachment", "Threads takes linkAttachment only in a post without media"),
        ),
        (post(poll=POLL, linkAttachment=URL), "poll", "Threads does not take a poll together with linkAttachment"),
        (post(threadItems=[{"content": "fine"}, {"content": "x" * 501}]), "threadItems.1.content"),
        (post(threadItems=[{"mediaItems": [{"type": "gif", "url": URL}]}]), "threadItems.0.mediaItems"),
        (post(threadItems=[{}]), "threadItems.0.content"),
    ],
    "tiktok": [
        (post("😀" * 1101, "v"), "content", "TikTok allows 2,200 UTF-16 units beside videos; this has 2,202"),
        (post("x" * 4001, "i"), "content"),
        (post(), "mediaItems", "TikTok requires media for all posts"),
        *[(post(kinds="i", description="y" * 4001), "description"), (post(kinds="v", description="y"), "description")],
        *[
            (post(kinds="v", photoCoverIndex=0), "photoCoverIndex"),
            (post(kinds="ii", photoCoverIndex=2), "photoCoverIndex"),
        ],
        *[
            (post(kinds="v", autoAddMusic=True), "autoAddMusic"),
            (post(kinds="i", videoMadeWithAi=True), "videoMadeWithAi"),
        ],
        (post(kinds="i", videoCoverTimestampMs=0), "videoCoverTimestampMs"),
        (post(kinds="v", videoCoverImageUrl=PICTURE), "videoCoverImageUrl"),
        *[(post(kinds="i", mediaType="video"), "mediaType"), (post(kinds="v", mediaType="photo"), "mediaType")],
        (post(kinds="v", privacyLevel="SELF_ONLY", commercialContentType="brand_content"), "privacyLevel"),
        (post(kinds="v", privacyLevel="SELF_ONLY", brandPartnerPromote=True), "privacyLevel"),
        # A consent that was refused is none, also for a draft.
        *[(post(kinds="v", draft=True, **{name: value}), name) for name, value in CONSENT_REFUSED.items()],
    ],
    "twitter": [
        *[(post("日" * 141), "content"), (post("x" * 25_001, account=X_PREMIUM), "content")],
        *[
            (post(kinds="i", poll={**POLL, "durationMinutes": 60}), "poll"),
            (post(kinds="i", quoteTweetId="1"), "quoteTweetId"),
        ],
        (post(poll={**POLL, "durationMinutes": 60}, quoteTweetId="1"), "quoteTweetId"),
        (post(kinds="i", captions=[SUBRIP]), "captions"),
        (post(kinds="v", captions=[SUBRIP, {**SUBRIP, "language": "EN"}]), "captions"),
        (
            post(threadItems=[{"content": "日" * 150}]),
            *("threadItems.0.content", "X allows 280 weighted characters; this has 300"),
        ),
        (post(threadItems=[{"content": "fits"}, {"content": " "}]), "threadItems.1.content"),
        (post(threadItems=[{"mediaItems": IMAGES * 5}]), "threadItems.0.mediaItems"),
        (post(threadItems=[{"mediaItems": [{**IMAGES[0], "altText": "x" * 1001}]}]), "threadItems.0.mediaItems"),
        *[
            row
            for text in ("$TSLA and $AAPL", "$TSLA,\n$AAPL!", "$BRK.A or $BRK.B")
            for row in ((post(text), "content"), (post(threadItems=[{"content": text}]), "threadItems.0.content"))
        ],
    ],
    "youtube": [
        (post("é" * 2501, "v"), "content", "YouTube allows 5,000 bytes in a video's description; this has 5,002"),
        *[(post("a < b", "v"), "content"), (post(" \n ", "v"), "title")],
        *[
            (post(kinds="v", **{name: value}, firstComment="first"), "firstComment")
            for name, value in WITHOUT_COMMENTS.items()
        ],
        *[(post(kinds="v", tags=tags), "tags") for tags in (["x" * 250, "y" * 250], ["x x" + "x" * 496])],
        (post(), "mediaItems", "YouTube requires media for all posts"),
        (post(kinds="v", captions=[CAPTION, {**CAPTION, "language": "EN"}]), "captions"),
    ],
}

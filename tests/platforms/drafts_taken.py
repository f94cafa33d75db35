"""Drafts of posts at the edge of what each platform's rules take."""

from typing import Any

from tests.platforms.drafts import (
    ARTICLE,
    BUTTON,
    CAPTION,
    DISCORD_BOT,
    DISCORD_WEBHOOK,
    EMBED,
    FAMILY,
    IMAGES,
    LARGE_SERVER,
    NOT_CONNECTED,
    OFFER,
    PAGE,
    PICTURE,
    POLL,
    QUESTION,
    STRICT_SERVER,
    SUBRIP,
    URL,
    WEBHOOK_SETTINGS,
    X_PREMIUM,
    post,
)
from tests.platforms.forms import EVENT

TAKEN: dict[str, list[dict[str, Any]]] = {
    "bluesky": [post("日" * 300), post(FAMILY * 120)],
    "discord": [
        *[
            post("😀" * 1000),
            post("", "i"),
            post("", embeds=[{"title": "x"}]),
            post("", poll=QUESTION),
            post(poll=QUESTION),
        ],
        *[
            post("", embeds=[EMBED, EMBED]),
            post(account=DISCORD_BOT, channelId="5"),
            post(account=DISCORD_WEBHOOK, threadId="5"),
        ],
        *[
            post(account=of, **{name: value})
            for name, value in WEBHOOK_SETTINGS.items()
            for of in (DISCORD_WEBHOOK, NOT_CONNECTED)
        ],
    ],
    "facebook": [
        *[post(link=URL, firstComment="first"), post("", link=URL), post(pageId="1", draft=True)],
        *[post(kinds="v", title="Waves"), post(kinds="v", contentType="story"), post(kinds="i", contentType="story")],
        post(kinds="v", contentType="reel", title="Waves", firstComment="first", draft=False),
        post(kinds="v", contentType="reel", captions=[{**SUBRIP, "language": name} for name in ("en_US", "pt-BR")]),
        *[post("x" * 63_207, "i", contentType="story"), post(pageId="99", account=NOT_CONNECTED)],
    ],
    "googlebusiness": [
        post(kinds=kinds, **settings)
        for kinds in ("", "i")
        for settings in (
            *({}, {"topicType": "STANDARD", "callToAction": BUTTON}, {"callToAction": {"type": "CALL"}}),
            *({"event": EVENT, "callToAction": BUTTON}, {"topicType": "EVENT", "event": EVENT}),
            *({"event": EVENT, "offer": OFFER}, {"topicType": "OFFER", "event": EVENT}),
            {"languageCode": "zh-Hant", "locationId": "locations/1"},
        )
    ]
    + [
        post(text)
        for text in (
            *("2026-01-15", "1.000.000 visitors", "From 10.00-18.30", "Room 123-456", "+100 %", "C++ 2026"),
            "IBAN 123456789012",
        )
    ],
    "instagram": [
        *[post("", "i"), post("#tag " * 30 + "@name " * 20, "i"), post("write to me@example.com " * 21, "i")],
        post(kinds="v", shareToFeed=False, thumbOffset=0, audioName="Waves", reelCover=PICTURE),
        post(kinds="v", trialParams={"graduationStrategy": "SS_PERFORMANCE"}, userTags=[{"username": "a"}]),
        post("x" * 3000, "i", contentType="story", userTags=[{"username": "a"}]),
        post(kinds="iv", userTags=[{"username": "a", "x": 0, "y": 1}, {"username": "b", "mediaIndex": 1}]),
        post(kinds="ii", collaborators=["a", "b", "c"], firstComment="first", locationId="7640348500"),
    ],
    "linkedin": [
        *[
            post("(" * 1500),
            post("x" * 2983 + " #tag"),
            post("", "i"),
            post("", article=ARTICLE),
            post("", poll=QUESTION),
        ],
        *[post(article=ARTICLE), post(poll=QUESTION), post(kinds="i", article=ARTICLE, disableLinkPreview=True)],
        *[post(poll=QUESTION, article=ARTICLE, disableLinkPreview=True), post(kinds="d", documentTitle="Report")],
        *[post(organizationUrn=PAGE), post(visibility="CONNECTIONS")],
    ],
    "mastodon": [
        *[post("x" * 490, spoilerText="y" * 10), post(URL + "/" + "x" * 600 + " " + "y" * 476)],
        # A link in a content warning counts in full.
        post("x" * 400, spoilerText="https://example.com/" + "x" * 80),
        *[post("x" * 5000, account=LARGE_SERVER), post("", "i" * 16, account=LARGE_SERVER)],
        post(account=LARGE_SERVER, poll={"options": [f"{number}" * 60 for number in range(10)]}),
        post("https://a.example " + "x" * 469, account=STRICT_SERVER),
        *[
            post(poll={"options": [*"1234"], "expiresIn": 2_629_746}),
            post(poll={"options": ["x" * 50, "y"], "expiresIn": 300}),
        ],
    ],
    "pinterest": [
        *[post(kinds="v", coverImageKeyFrameTime=0), post(kinds="v", coverImageUrl=PICTURE)],
        post(kinds="ii", alt_text="x" * 249),
    ],
    "reddit": [
        post(url=URL, forceSelf=True),
        post("x" * 300),
        post("x" * 300 + "\n" + "y" * 1000),
        post("", title="T"),
    ],
    "telegram": [
        *[
            post(text, kinds)
            for kinds, limit in (("", 4096), ("i", 1024), ("d", 1024))
            for text in ("x" * limit, "😀" * (limit // 2))
        ],
        *[post("<b>" + "x" * 4096 + "</b>", parseMode="HTML"), post("&lt;" * 4096, parseMode="HTML")],
        *[post("*" + "x" * 4096 + "*", parseMode="MarkdownV2"), post(r"\." * 4096, parseMode="MarkdownV2")],
        post("[" + "x" * 4096 + f"]({URL})", parseMode="MarkdownV2"),
        *[post("", "i"), post(" \n", "i"), post(disableWebPagePreview=True)],
        *[post(kinds="i", hasSpoiler=True), post(kinds="i", showCaptionAboveMedia=True)],
    ],
    "threads": [
        *[post("🌊" * 125), post(" ".join(f"{URL}/{number}" for number in (0, 1, 2, 3, 4, 0)))],
        *[post(poll=POLL), post(linkAttachment=URL)],
    ],
    "tiktok": [
        *[
            post("😀" * 1100, "v", allowComment=True, allowDuet=True, allowStitch=True),
            post("", "i", mediaType="photo"),
        ],
        post("x" * 4000, "i" * 35, photoCoverIndex=34, autoAddMusic=True, description="y" * 4000),
        post("", "v", mediaType="video", videoCoverTimestampMs=0, videoMadeWithAi=True),
        post("", "v", privacyLevel=None, draft=True),
        post("", "v", privacyLevel="SELF_ONLY", commercialContentType="brand_organic"),
    ],
    "twitter": [
        *[post("日" * 140), post(URL + "/" + "x" * 400), post("x" * 25_000, account=X_PREMIUM)],
        post(poll={**POLL, "durationMinutes": 60}, threadItems=[{"content": "Why we ask:"}]),
        *[post(threadItems=[{"content": "日" * 140}]), post(threadItems=[{"content": "日" * 141}], account=X_PREMIUM)],
        post(threadItems=[{"content": "fits"}, {"mediaItems": IMAGES * 4}]),
        post(kinds="v", captions=[SUBRIP, {**SUBRIP, "language": "de", "name": "Deutsch"}]),
        *[
            draft
            for text in (
                *("buy $TSLA", "$TSLA, and again $tsla", "$5 and $10 for $TSLA", "a$TSLA $AAPL", "($TSLA) $AAPL"),
                "$TOOLONGNAME $AAPL",
            )
            for draft in (post(text), post(threadItems=[{"content": text}]))
        ],
    ],
    "youtube": [
        *[
            post("é" * 2500, "v", title="t" * 100),
            post("", "v", title="Waves"),
            post(kinds="v", tags=["x" * 250, "y" * 249]),
        ],
        post(kinds="v", visibility="private", categoryId="1", madeForKids=True),
        post(kinds="v", captions=[CAPTION, {**CAPTION, "language": "pt-BR"}]),
    ],
}

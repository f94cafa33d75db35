"""Drafts of posts for tests of the platforms' rules, with media written as letters, and the settings in them."""

from typing import Any

from domain.post import Media, MediaType
from platforms.base import AccountFacts, Draft
from platforms.registry import platforms
from tests.platforms.forms import EVENT

KINDS = {"i": MediaType.IMAGE, "v": MediaType.VIDEO, "g": MediaType.GIF, "d": MediaType.DOCUMENT}
REQUIRED: dict[str, dict[str, Any]] = {
    "pinterest": {"boardId": "549755885175"},
    "reddit": {"subreddit": "test"},
    "tiktok": {"contentPreviewConfirmed": True, "expressConsentGiven": True, "privacyLevel": "PUBLIC_TO_EVERYONE"},
}
"""Settings without which a platform takes no post."""

ACCOUNT = AccountFacts("id_1", "1", "someone")
NOT_CONNECTED = AccountFacts("id_9", "", "")
DISCORD_BOT = AccountFacts("dc_1", "1", "general")
DISCORD_WEBHOOK = AccountFacts("dc_webhook-1", "webhook-1", "News")
X_PREMIUM = AccountFacts("tw_2", "2", "premium", premium=True)
LARGE_SERVER = AccountFacts(
    "ma_2", "1", "ann", limits={"characters": 5000, "attachments": 16, "poll_options": 10, "poll_characters": 200}
)
STRICT_SERVER = AccountFacts(
    "ma_3", "1", "ann", limits={"characters_per_url": 30, "description": 10, "poll_shortest": 600}
)

FAMILY = "👩‍👩‍👧‍👦"
"""One character for readers, of 25 bytes."""
URL, PICTURE = "https://example.com", "https://cdn.example.com/a.jpg"
CAPTION: dict[str, Any] = {"language": "en", "url": "https://cdn.example.com/waves.vtt"}
SUBRIP: dict[str, Any] = {"language": "en", "url": "https://cdn.example.com/waves.srt"}
POLL, QUESTION = {"options": ["Yes", "No"]}, {"question": "Tea or coffee?", "options": ["Tea", "Coffee"]}
ARTICLE = {"source": URL, "title": "A page"}
PAGE = "urn:li:organization:1"
EMBED = {"title": "x" * 100, "description": "x" * 2900}
BUTTON = {"type": "LEARN_MORE", "url": URL}
OFFER = {"couponCode": "WINTER"}
REEL_SETTINGS = {
    "shareToFeed": False,
    "audioName": "Waves",
    "thumbOffset": 0,
    "instagramThumbnail": PICTURE,
    "reelCover": PICTURE,
    "trialParams": {"graduationStrategy": "MANUAL"},
}
IMAGES = [{"type": "image", "url": PICTURE}]
WEBHOOK_SETTINGS: dict[str, Any] = {"username": "Ada", "avatarUrl": PICTURE, "threadName": "News"}


def post(text: str = "Hi", kinds: str = "", **settings: Any) -> dict[str, Any]:
    """Return a draft as the arguments of `broken`."""
    return {"text": text, "kinds": kinds, **settings}


def media(kinds: str, alt_text: str | None = None) -> tuple[Media, ...]:
    """Return media by letters: an image, a video, a GIF and a document are "ivgd"."""
    return tuple(Media(type=KINDS[kind], url=f"https://example.com/{kind}", alt_text=alt_text) for kind in kinds)


def draft(name: str, text: str = "Hi", kinds: str = "", *, alt_text: str | None = None, **settings: Any) -> Draft[Any]:
    """Return a draft for a platform with the settings that it requires, and these."""
    read = platforms()[name].settings.model_validate({**REQUIRED.get(name, {}), **settings})
    return Draft(text, media(kinds, alt_text), read)


def broken(
    name: str, text: str = "Hi", kinds: str = "", *, account: AccountFacts = ACCOUNT, **settings: Any
) -> list[tuple[str, str]]:
    """Return where a draft breaks a rule of its platform, as a path below the settings or a part, and the sentence."""
    platform = platforms()[name]
    violations = platform.check(draft(name, text, kinds, **settings), account)
    return [(".".join(map(str, violation.path)) or violation.part, violation.error) for violation in violations]


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

"""GET of posts and timelines in X's format, its count of a text, and its rules for edits."""

import hashlib
import html
import unicodedata
from datetime import UTC, datetime
from typing import Any, NamedTuple

import regex

from sandbox.accounts import Account
from sandbox.fake_platform import route
from sandbox.journal import SHORTCODE_ALPHABET
from sandbox.platforms.twitter.base import PROBLEMS, invalid
from sandbox.platforms.twitter.media import MediaRoutes
from sandbox.posts import PublicPost
from sandbox.wire import Answer, Request

FREE_LENGTH = 280
PREMIUM_LENGTH = 25_000
LINK_WEIGHT = 23

LINK = regex.compile(
    r"https?://[^\s<>\"]*[^\s<>\"'.,:;!?)\]}…]"
    r"|(?<![\w@.#$/-])(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+(?:com|org|net|io|dev|app|co|ai|me|eu|de|uk)\b(?:/[^\s<>\"]*[^\s<>\"'.,:;!?)\]}…])?",
    regex.IGNORECASE,
)
"""An approximation of X's own rule, which knows every top-level domain."""

_LIGHT = regex.compile(r"[\u0000-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]")
_EMOJI = regex.compile(r"\p{Emoji_Presentation}|\p{Extended_Pictographic}|\p{Regional_Indicator}|\ufe0f|\u20e3")


class Link(NamedTuple):
    """One shortened link in a text that X returns; `start` and `end` count code points."""

    start: int
    end: int
    url: str
    expanded_url: str
    media_key: str | None = None

    def entity(self) -> dict[str, object]:
        """Return the link as the API lists it."""
        shown = self.expanded_url.removeprefix("https://").removeprefix("http://").removeprefix("www.")
        entity: dict[str, object] = {
            "start": self.start,
            "end": self.end,
            "url": self.url,
            "expanded_url": self.expanded_url,
            "display_url": shown if len(shown) <= 27 else f"{shown[:26]}…",
        }
        if self.media_key is not None:
            entity["media_key"] = self.media_key
        return entity


def weight(text: str) -> int:
    """Return the length of a text as X counts it: most letters 1, CJK and emoji 2, every link 23."""
    text = unicodedata.normalize("NFC", text)
    rest, links = LINK.subn("", text) if "." in text else (text, 0)
    if rest.isascii():
        return len(rest) + links * LINK_WEIGHT
    total = links * LINK_WEIGHT
    for cluster in regex.findall(r"\X", rest):
        if _EMOJI.search(cluster):
            total += 2
        else:
            total += sum(1 if _LIGHT.match(letter) else 2 for letter in cluster)
    return total


def is_long(text: str) -> bool:
    """Return whether only Premium accounts may publish a text of this length."""
    return len(text) * 2 > FREE_LENGTH and weight(text) > FREE_LENGTH


def shortened(target: str, salt: str) -> str:
    """Return the t.co address of a link in one post."""
    number = int.from_bytes(hashlib.blake2b(f"{salt} {target}".encode(), digest_size=9).digest(), "big")
    alphabet = SHORTCODE_ALPHABET[:62]
    digits = ""
    for _ in range(10):
        number, digit = divmod(number, 62)
        digits += alphabet[digit]
    return f"https://t.co/{digits}"


def read_back(text: str, post_id: str, media_url: str | None, media_keys: list[str]) -> tuple[str, list[Link]]:
    """Return a post's text as the API returns it, and the links in it."""
    if media_url is None and "." not in text:
        return html.escape(text, quote=False), []
    pieces: list[str] = []
    links: list[Link] = []
    length = position = 0

    def add(piece: str) -> None:
        nonlocal length
        pieces.append(piece)
        length += len(piece)

    for match in LINK.finditer(text):
        add(html.escape(text[position : match.start()], quote=False))
        position = match.end()
        target = match[0] if "://" in match[0] else f"http://{match[0]}"
        short = shortened(target, post_id)
        links.append(Link(length, length + len(short), short, target))
        add(short)
    add(html.escape(text[position:], quote=False))
    if media_url is not None:
        add(" " if length else "")
        short = shortened(media_url, post_id)
        links.extend(Link(length, length + len(short), short, media_url, key) for key in media_keys)
        add(short)
    return "".join(pieces), links


EDIT_SECONDS = 3600
"""How long after its first version a post may be edited (X changelog, 2025-10-03)."""
EDITS = 5


class EditControls(NamedTuple):
    """The limits of edits: may this version be replaced, how many times more, until when (seconds since 1970)."""

    is_eligible: bool
    edits_remaining: int
    until: float


def edit_controls(post: PublicPost, account: Account, now: float) -> EditControls:
    """Return a post's controls: Premium, latest version only, within the hour, five times, no polls, no replies."""
    until = post.detail["first_at"] + EDIT_SECONDS
    remaining = max(EDITS + 1 - len(post.detail["history"]), 0)
    open_still = now <= until and remaining > 0 and post.superseded_by is None
    return EditControls(account.premium and open_still and post.kind not in ("poll", "reply"), remaining, until)


DIALECTS = {
    "post.fields": {"history": "edit_history_post_ids", "note": "note_post", "references": "referenced_posts"},
    "tweet.fields": {"history": "edit_history_tweet_ids", "note": "note_tweet", "references": "referenced_tweets"},
}
"""X's names of three fields, by the parameter that asks for them. Each parameter knows only its own names."""


class Wanted(NamedTuple):
    """The requested fields, and the names of three of them."""

    names: frozenset[str]
    dialect: dict[str, str]


class ReadRoutes(MediaRoutes):
    """The routes GET /2/tweets and GET /2/users/:id/tweets."""

    @route("GET", "/2/tweets/{id}", "confirm")
    async def read_post(self, request: Request) -> Answer:
        """Return one version of a post; if it does not exist, an error with status 200."""
        self.account(request)
        fields = _fields(request)
        post = self.visible_post(request.params["id"])
        if post is None:
            return Answer.json({"errors": [_not_found(request.params["id"], "id")]})
        return Answer.json({"data": self._described(post, fields)})

    @route("GET", "/2/users/{id}/tweets", "confirm")
    async def timeline(self, request: Request) -> Answer:
        """Return a user's posts, newest first, each in its latest version."""
        self.account(request)
        fields, query = _fields(request), request.query
        author = self.world.accounts.by_user(self.platform, request.params["id"])
        if author is None:
            return Answer.json({"errors": [_not_found(request.params["id"], "id", "user")]})
        count = query.get("max_results", "10")
        if not count.isdecimal() or not 5 <= int(count) <= 100:
            raise invalid("max_results must be between 5 and 100.", max_results=[count])
        start, end = _moment(query, "start_time"), _moment(query, "end_time")
        excluded = query.get("exclude", "").split(",")
        newest = query.get("pagination_token") or query.get("until_id")
        oldest = int(query.get("since_id") or 0)
        page: list[PublicPost] = []
        for post in self.world.posts.by_account(author):
            if (start is not None and post.created_at < start) or int(post.platform_post_id) <= oldest:
                break
            if post.deleted or post.superseded_by is not None or (end is not None and post.created_at >= end):
                continue
            if (newest and int(post.platform_post_id) >= int(newest)) or (
                "replies" in excluded and post.kind == "reply"
            ):
                continue
            page.append(post)
            if len(page) > int(count):
                break
        return Answer.json(self._page(page, int(count), fields))

    def _page(self, posts: list[PublicPost], count: int, fields: Wanted) -> dict[str, object]:
        shown = posts[:count]
        if not shown:
            return {"meta": {"result_count": 0}}
        meta: dict[str, object] = {
            "result_count": len(shown),
            "newest_id": shown[0].platform_post_id,
            "oldest_id": shown[-1].platform_post_id,
        }
        if len(posts) > count:
            meta["next_token"] = shown[-1].platform_post_id
        return {"data": [self._described(post, fields) for post in shown], "meta": meta}

    def _described(self, post: PublicPost, fields: Wanted) -> dict[str, Any]:
        account = self.world.accounts.get(self.platform, post.account_id)
        text, links = rendered(post, account)
        history = post.detail["history"]
        data: dict[str, Any] = {"id": post.platform_post_id, "text": text, fields.dialect["history"]: history}
        more: dict[str, Any] = {
            "created_at": _iso_seconds(post.created_at),
            "author_id": account.user_id if account else None,
            "conversation_id": post.detail.get("reply_to", history[0]),
            "entities": {"urls": [link.entity() for link in links]} if links else None,
            "attachments": _attachments(post) or None,
            fields.dialect["references"]: _references(post) or None,
            "lang": "en",
        }
        if is_long(post.text):
            more[fields.dialect["note"]] = _note_tweet(post)
        if "edit_controls" in fields.names and account is not None:
            controls = edit_controls(post, account, self.world.now())
            more["edit_controls"] = {
                "edits_remaining": controls.edits_remaining,
                "is_edit_eligible": controls.is_eligible,
                "editable_until": _iso_seconds(controls.until),
            }
        data.update({name: value for name, value in more.items() if name in fields.names and value is not None})
        return data


def rendered(post: PublicPost, account: Account | None) -> tuple[str, list[Link]]:
    """Return a post's text as X returns it, and the links in it; of a long text only the beginning."""
    keys = post.detail.get("media_keys", [])
    media_url = None
    if keys:
        username = account.username if account else "i"
        kind = "video" if post.media[0].type == "video" else "photo"
        media_url = f"https://x.com/{username}/status/{post.platform_post_id}/{kind}/1"
    text = f"{post.text[: FREE_LENGTH - 1]}…" if is_long(post.text) else post.text
    return read_back(text, post.platform_post_id, media_url, keys)


def _note_tweet(post: PublicPost) -> dict[str, object]:
    """Return a long post's whole text; its `text` is only the beginning."""
    text, links = read_back(post.text, post.platform_post_id, None, [])
    return {"text": text, "entities": {"urls": [link.entity() for link in links]}} if links else {"text": text}


def _fields(request: Request) -> Wanted:
    """Return the requested fields. X ignores unknown names, as measured in September 2026."""
    parameter = "post.fields" if "post.fields" in request.query else "tweet.fields"
    names = frozenset(request.query.get(parameter, "").split(","))
    return Wanted(names, DIALECTS[parameter])


def _moment(query: dict[str, str], name: str) -> float | None:
    value = query.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise invalid(f"{name} is no RFC 3339 time.", **{name: [value]}) from error
    if moment.tzinfo is None:
        raise invalid(f"{name} has no time zone.", **{name: [value]})
    return moment.timestamp()


def _attachments(post: PublicPost) -> dict[str, list[str]]:
    media, poll = post.detail.get("media_keys"), "poll" in post.detail
    return ({"media_keys": media} if media else {}) | ({"poll_ids": [post.detail["history"][0]]} if poll else {})


def _references(post: PublicPost) -> list[dict[str, str]]:
    kinds = {"reply_to": "replied_to", "quote": "quoted"}
    return [{"type": kind, "id": post.detail[key]} for key, kind in kinds.items() if key in post.detail]


def _not_found(value: str, parameter: str, resource: str = "tweet") -> dict[str, str]:
    return {
        "value": value,
        "detail": f"Could not find {resource} with {parameter}: [{value}].",
        "title": "Not Found Error",
        "resource_type": resource,
        "parameter": parameter,
        "resource_id": value,
        "type": f"{PROBLEMS}resource-not-found",
    }


def _iso_seconds(moment: float) -> str:
    """Return a time to the second, in X's format with milliseconds."""
    return datetime.fromtimestamp(int(moment), UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")

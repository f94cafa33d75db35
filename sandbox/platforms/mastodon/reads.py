"""A Mastodon server's reads, and the HTML that it makes of a text."""

import html
import re
import unicodedata
from itertools import islice
from typing import Any

import regex

from sandbox.accounts import Account
from sandbox.fake_platform import own, route
from sandbox.platforms.mastodon.base import (
    ATTACHMENTS,
    CHARACTERS,
    DESCRIPTION,
    IMAGE_BYTES,
    IMAGE_PIXELS,
    PER_URL,
    POLL,
    TYPES,
    VIDEO_BYTES,
    FakeMastodon,
    Medium,
    server_name,
)
from sandbox.posts import PublicPost, iso_milliseconds
from sandbox.wire import Answer, RefusedError, Request

_LINK = r"(?P<link>https?://[^\s<>\"]+[^\s<>\".,:;!?')\]}\u2026])"
_MENTION = r"(?<![\w/=])@(?P<name>\w+(?:[\w.-]*\w)?)(?P<host>@[\w.-]+\w)?"
_TAG = r"(?<![\w/#&])#(?P<tag>\w*[^\W\d]\w*)"
_FEATURES = regex.compile(f"{_LINK}|{_MENTION}|{_TAG}", regex.IGNORECASE)
_SHOWN_LENGTH = 30


def length(text: str) -> int:
    """Return the length of a text as readers see it; a link counts 23, a mention counts without its server."""

    def plain(match: regex.Match[str]) -> str:
        if match["link"]:
            return "x" * PER_URL
        return f"@{match['name']}" if match["name"] else str(match[0])

    return graphemes(_FEATURES.sub(plain, unicodedata.normalize("NFC", text)))


def graphemes(text: object) -> int:
    """Count the characters that a reader sees."""
    return len(regex.findall(r"\X", unicodedata.normalize("NFC", str(text or ""))))


def rendered(text: str) -> str:
    """Return a text as the API returns it: paragraphs, links whose ends are hidden, mentions, tags."""
    paragraphs = regex.split(r"\n{2,}", text.strip())
    return "".join(f"<p>{_inline(paragraph)}</p>" for paragraph in paragraphs if paragraph)


def _inline(text: str) -> str:
    pieces, position = [], 0
    for match in _FEATURES.finditer(text):
        pieces += [_escaped(text[position : match.start()]), _feature(match)]
        position = match.end()
    return "".join([*pieces, _escaped(text[position:])])


def _escaped(text: str) -> str:
    return html.escape(text).replace("\n", "<br />")


def _feature(match: regex.Match[str]) -> str:
    if match["link"]:
        address = html.escape(match["link"])
        scheme, _, rest = match["link"].partition("://")
        start, end = html.escape(rest[:_SHOWN_LENGTH]), html.escape(rest[_SHOWN_LENGTH:])
        return (
            f'<a href="{address}" target="_blank" rel="nofollow noopener noreferrer" translate="no">'
            f'<span class="invisible">{scheme}://</span><span class="{"ellipsis" if end else ""}">{start}</span>'
            f'<span class="invisible">{end}</span></a>'
        )
    if match["name"]:
        server = f"https://{match['host'][1:]}" if match["host"] else server_name()
        return (
            f'<span class="h-card" translate="no"><a href="{server}/@{match["name"]}" class="u-url mention">'
            f"@<span>{match['name']}</span></a></span>"
        )
    tag = match["tag"]
    address = f"{server_name()}/tags/{tag.lower()}"
    return f'<a href="{address}" class="mention hashtag" rel="tag">#<span>{html.escape(tag)}</span></a>'


LARGEST_PAGE = 40

CONFIGURATION = {
    "statuses": {
        "max_characters": CHARACTERS,
        "max_media_attachments": ATTACHMENTS,
        "characters_reserved_per_url": PER_URL,
    },
    "media_attachments": {
        "supported_mime_types": list(TYPES),
        "description_limit": DESCRIPTION,
        "image_size_limit": IMAGE_BYTES,
        "image_matrix_limit": IMAGE_PIXELS,
        "video_size_limit": VIDEO_BYTES,
        "video_frame_rate_limit": 120,
        "video_matrix_limit": 8_294_400,
    },
    "polls": POLL,
}


def _count(request: Request) -> int:
    """Return how many statuses a page of a list has."""
    limit = request.query.get("limit", "20")
    return min(int(limit), LARGEST_PAGE) if limit.isdecimal() and int(limit) else 20


class ReadRoutes(FakeMastodon):
    """The routes that change nothing."""

    @route("GET", "/api/v2/instance", "prepare")
    async def instance(self, request: Request) -> Answer:
        """Describe the server and its limits."""
        account = self.sender(request)
        if self.holds("no_v2", account):
            return Answer.text("<h1>404 Not Found</h1>", 404)
        return Answer.json({"domain": "mastodon.social", **self._of_itself(account)})

    @route("GET", "/api/v1/instance", "prepare")
    async def old_instance(self, request: Request) -> Answer:
        """Describe the server in the older format."""
        account = self.sender(request)
        return Answer.json({"uri": "mastodon.social", **self._of_itself(account)})

    def _of_itself(self, account: Account | None) -> dict[str, Any]:
        return {"title": "Sandbox", "version": self.version(account), "configuration": CONFIGURATION}

    @route("GET", "/api/v1/accounts/verify_credentials", "auth")
    async def me(self, request: Request) -> Answer:
        """Return the account that the token belongs to."""
        return Answer.json(self.profile(self.account(request), request))

    @route("GET", "/api/v1/accounts/{id}/statuses", "confirm")
    async def statuses(self, request: Request) -> Answer:
        """List an account's statuses, newest first; other accounts receive only the public ones."""
        reader = self.sender(request)
        author = self.world.accounts.by_user(self.platform, request.params["id"])
        if author is None:
            raise RefusedError(self.failure(404))
        count = _count(request)
        since, newest = request.query.get("since_id", ""), request.query.get("max_id", "")
        if self.holds("unpaged", author):
            count, since, newest = 256, "", ""
        posts = (
            post
            for post in self.visible_posts(author)
            if visible(post, None if self.holds("public_only", author) else reader)
            and not (post.detail.get("in_reply_to_id") and self.holds("no_replies", author))
            and (not since.isdecimal() or int(post.platform_post_id) > int(since))
            and (not newest.isdecimal() or int(post.platform_post_id) < int(newest))
        )
        listed = [described_status(self, post, author) for post in islice(posts, count)]
        if self.holds("boosted", author):
            listed = [{**status, "content": "", "reblog": status} for status in listed]
        return Answer.json(listed)

    @route("GET", "/api/v1/timelines/home", "confirm")
    async def home(self, request: Request) -> Answer:
        """List the account's own statuses of every visibility; accounts do not follow others here."""
        account, newest, count = self.account(request), request.query.get("max_id", ""), _count(request)
        posts = (
            post
            for post in self.visible_posts(account)
            if (not newest.isdecimal() or int(post.platform_post_id) < int(newest))
        )
        return Answer.json([described_status(self, post, account) for post in islice(posts, count)])

    @route("GET", "/api/v1/statuses/{id}/context", "confirm")
    async def context(self, request: Request) -> Answer:
        """Return the account's answers to a status."""
        account, answered = self.account(request), request.params["id"]
        statuses = [post for post in self.visible_posts(account) if post.detail.get("in_reply_to_id") == answered]
        return Answer.json(
            {"ancestors": [], "descendants": [described_status(self, post, account) for post in reversed(statuses)]}
        )

    @route("GET", "/api/v1/statuses/{id}/source", "confirm")
    async def source(self, request: Request) -> Answer:
        """Return a status's text as it was sent."""
        account, missing = self.account(request), RefusedError(self.failure(404))
        post = own(self.visible_post(request.params["id"]), account, missing)
        if self.holds("no_source", account):
            raise missing
        return Answer.json({"id": post.platform_post_id, "text": post.text, "spoiler_text": ""})

    @route("GET", "/api/v1/statuses/{id}", "confirm")
    async def status(self, request: Request) -> Answer:
        """Read one status."""
        post = self.visible_post(request.params["id"])
        account = self.world.accounts.get(self.platform, post.account_id) if post else None
        if post is None or account is None:
            raise RefusedError(self.failure(404))
        return Answer.json(described_status(self, post, account))


def visible(post: PublicPost, reader: Account | None) -> bool:
    """Return whether an account may see a status; accounts do not follow each other here."""
    own = reader is not None and reader.account_id == post.account_id
    return own or post.detail["visibility"] in ("public", "unlisted")


def described_status(fake: FakeMastodon, post: PublicPost, account: Account) -> dict[str, Any]:
    """Return a status as the API describes it."""
    media = [medium for medium_id in post.detail["media_ids"] if (medium := fake.media.get(medium_id)) is not None]
    options = post.detail["poll"]
    private = post.detail["visibility"] in ("private", "direct")
    content = _inline_quote(fake, post) + rendered(post.text)
    akkoma = {"akkoma": {"source": {"content": post.text.strip(), "mediaType": "text/plain"}}}
    return {
        **(akkoma if fake.holds("akkoma_source", account) else {}),
        "id": post.platform_post_id,
        "created_at": iso_milliseconds(post.created_at),
        "visibility": post.detail["visibility"],
        "sensitive": post.detail["sensitive"],
        "spoiler_text": post.detail["spoiler_text"],
        "language": post.detail["language"],
        "uri": f"{server_name()}/users/{account.username}/statuses/{post.platform_post_id}",
        "url": None if private else post.url,
        "in_reply_to_id": post.detail.get("in_reply_to_id"),
        "quote": _quote(fake, post),
        "content": _without_links(content) if fake.holds("loses_words", account) else content,
        "text": post.text if fake.holds("raw_text", account) else None,
        "account": {"id": account.user_id, "username": account.username, "acct": account.username},
        "application": {"name": "Sandbox", "website": None},
        "media_attachments": [described_medium(medium, fake.world.now()) for medium in media],
        "poll": {"options": [{"title": option, "votes_count": 0} for option in options]} if options else None,
        "edited_at": iso_milliseconds(fake.world.now()) if post.edits else None,
    }


def _without_links(content: str) -> str:
    """Return a text without the links and words that some servers turn into attachments and pictures."""
    return re.sub(r"<a [^>]*>.*?</a>|:\w+:|---", "", content)


def _quoted(fake: FakeMastodon, post: PublicPost) -> PublicPost | None:
    quoted = post.detail.get("quoted_status_id")
    return fake.world.posts.get(fake.platform, quoted) if quoted else None


def _quote(fake: FakeMastodon, post: PublicPost) -> dict[str, Any] | None:
    quoted = _quoted(fake, post)
    return {"state": "accepted", "quoted_status": {"id": quoted.platform_post_id}} if quoted else None


def _inline_quote(fake: FakeMastodon, post: PublicPost) -> str:
    """Return the link that servers without quotes show, or nothing if the text has the link already."""
    quoted = _quoted(fake, post)
    if quoted is None or str(quoted.url) in post.text:
        return ""
    return rendered(f"RE: {quoted.url}").replace("<p>", '<p class="quote-inline">', 1)


def described_medium(medium: Medium, now: float) -> dict[str, Any]:
    """Return a file as the API describes it; it has no address until it is processed."""
    ready = medium.ready_at <= now
    address = f"https://files.mastodon.social/media_attachments/{medium.id}"
    return {
        "id": medium.id,
        "type": medium.kind,
        "url": address if ready else None,
        "preview_url": f"{address}/small",
        "remote_url": None,
        "description": medium.description,
        "meta": {},
    }

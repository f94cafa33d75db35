"""Publishing to Reddit: upload images, submit by one request, look among the author's posts if no id was returned."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import urlsplit

from platforms.access.oauth import RenewsByRefreshToken
from platforms.access.registered_apps import App
from platforms.app_rules import AppRules
from platforms.base import (
    Absent,
    ApiVersion,
    Draft,
    Finding,
    Identity,
    Platform,
    Published,
    Unknown,
)
from platforms.capabilities import Choices, ListedSetting, ListsChoices, bounded
from platforms.errors import DUPLICATE, ErrorKind, PlatformError, require_same, unreadable
from platforms.http.answers import ListAt, parse
from platforms.http.untrusted import moment
from platforms.http.wire import segment
from platforms.live import LiveCheck, SamplePost
from platforms.reddit import errors, rules
from platforms.reddit.access import (
    BASE_URL,
    ENDPOINT,
    TOKENS,
    USER_AGENT,
    RedditConnection,
    RedditContext,
    call,
    send,
    user_agent,
)
from platforms.reddit.media import gallery_body, submit_fields, upload
from platforms.reddit.rules import RedditCredentials, RedditPostType, RedditSettings, choose_post_type, title_and_text
from platforms.steps.matching import Likeness, MatchingPost, likeness, verdict_of_newest

_PROFILE = {"subreddit": "u_{username}"}


async def _remove(connection: RedditConnection, _: RedditContext, published: Published) -> None:
    await call(connection, "POST", "/api/del", data={"id": published.platform_post_id})


LIVE = LiveCheck(
    samples=(
        SamplePost("text", more_text=" · ünïcödé 🧪", settings=_PROFILE),
        SamplePost("link", settings={**_PROFILE, "url": "https://example.com/?a=1&b=2"}),
        SamplePost("image", files=("plain.jpg",), settings=_PROFILE),
        SamplePost("gallery", files=("plain.jpg", "plain.jpg"), settings=_PROFILE),
    ),
    remove=_remove,
)


PAGE = 100
"""Posts per page, the most that Reddit returns."""
_URL = "https://www.reddit.com"


async def find(connection: RedditConnection, context: RedditContext, sent_at: datetime) -> Finding:
    """Look for the author's post of the same title in the same subreddit, made since shortly before `sent_at`.

    Raises PlatformError.
    """
    query: dict[str, str | int] = {"sort": "new", "limit": PAGE, "raw_json": 1}
    path, listed = f"/user/{segment(connection.account.username)}/submitted", ListAt(("data", "children"))
    listing = await call(connection, "GET", path, params=query, listed=listed)
    data = listing.get("data")
    children = data.get("children") if isinstance(data, dict) else None
    if not isinstance(children, list):
        raise unreadable("Reddit")
    for child in children:
        require_same("Reddit", child["data"].get("author"), connection.account.username)
    posts = (_matching_post(child["data"], context) for child in children)
    return await verdict_of_newest(context, children, posts, since=sent_at, most=PAGE)


def _matching_post(post: dict[str, Any], context: RedditContext) -> MatchingPost:
    shown = Published(str(post["name"]), _URL + post["permalink"])
    return MatchingPost(shown, moment(post.get("created_utc") or 0), _likeness(post, context))


def _likeness(post: dict[str, Any], context: RedditContext) -> Likeness:
    draft = context.draft
    title, text = title_and_text(draft)
    post_type = choose_post_type(draft)
    is_elsewhere = str(post.get("subreddit")).lower() != draft.settings.subreddit.lower()
    if is_elsewhere or bool(post.get("is_self")) is not (post_type is RedditPostType.SELF):
        return Likeness.OTHER
    match post_type:
        case RedditPostType.SELF:
            body = likeness(post.get("selftext"), text)
        case RedditPostType.LINK:
            body = _likeness_of_links(post.get("url"), draft.settings.url)
        case _:
            body = Likeness.SAME
    return min(likeness(post.get("title"), title), body)


def _likeness_of_links(shown: object, sent: str | None) -> Likeness:
    """Return how like two addresses are. Whether Reddit keeps an address as it was sent is unproven."""
    (page, query), (own_page, own_query) = _address(shown), _address(sent)
    if page != own_page:
        return Likeness.OTHER
    return Likeness.SAME if query == own_query else Likeness.RESEMBLES


def _address(url: object) -> tuple[tuple[str, str], str]:
    """Return a link's host and path, and its query."""
    parts = urlsplit(unescape(str(url or "")))
    return ((parts.hostname or "").removeprefix("www."), parts.path.rstrip("/")), parts.query


LISTED = {"flairId": ListedSetting(within="subreddit", scope="flair")}


async def flairs(connection: RedditConnection, subreddit: str) -> Choices:
    """Return the flairs of a subreddit that its members may choose. Raises PlatformError."""
    answer = await send(connection, "GET", f"/r/{segment(subreddit)}/api/link_flair_v2", params={"raw_json": "1"})
    entries = parse(answer)
    if not isinstance(entries, list):
        raise unreadable("Reddit")
    return bounded((item["id"], item.get("text")) for item in entries if not item.get("mod_only"))


TAKEN_AT = "takenAt"
"""When Reddit accepted an image, in the handles. It makes the post a little later and does not return its id."""
REFUSED_AS_KNOWN = "refusedAsKnown"
"""Set in the handles if Reddit refused the link because the subreddit has it already."""
LISTED_WITHIN = timedelta(minutes=10)
"""How long such a post may take to appear before it counts as lost; ours. Reddit drops images that it cannot use."""


class Reddit(
    Platform[RedditSettings, RedditCredentials],
    RenewsByRefreshToken[RedditCredentials],
    ListsChoices[RedditCredentials],
):
    """Reddit's OAuth API, for user accounts."""

    name = "reddit"
    app = AppRules(more_options=frozenset({"userAgent"}))
    label = "Reddit"
    base_url = BASE_URL
    domains = ("reddit.com",)
    api = ApiVersion("oauth")
    account_prefix = "rd"
    # Listings lag some seconds behind; working publishers wait a minute before they send again.
    read_lag = timedelta(seconds=60)
    finds_without_handles = True
    read_error = staticmethod(errors.read_error)
    quota_in = staticmethod(errors.quota_in)
    refusals = errors.REFUSALS
    broken_rules = staticmethod(rules.check)
    rules = rules.RULES
    settings = RedditSettings
    credentials = RedditCredentials
    tokens = TOKENS
    token_endpoint = ENDPOINT
    listed = LISTED

    def renewing_app(self, connection: RedditConnection) -> App:
        """Return the app to which the tokens were issued; it names itself as in all requests of the account."""
        return replace(super().renewing_app(connection), options={USER_AGENT: user_agent(connection)})

    async def choices(self, connection: RedditConnection, name: str, within: str) -> Choices:
        """Return the flairs of a subreddit."""
        return await flairs(connection, within)

    async def whoami(self, connection: RedditConnection) -> Identity:
        """Ask whose token this is."""
        user = await call(connection, "GET", "/api/v1/me", params={"raw_json": 1})
        if not user.get("id") or not user.get("name"):
            raise PlatformError(ErrorKind.TRANSIENT, "Reddit did not say whose token this is.", code="no_identity")
        return Identity(str(user["id"]), str(user["name"]))

    async def prepare(self, connection: RedditConnection, context: RedditContext) -> None:
        """Upload the images. Repeatable: continues from the handles."""
        await upload(connection, context)

    async def publish(self, connection: RedditConnection, context: RedditContext) -> Published:
        """Submit the post. Reddit returns no id for an image: the post is found now or by `confirm`."""
        try:
            answer = await _submit(connection, context)
        except PlatformError as error:
            raise (await _known_link(context, error) if error.code == DUPLICATE else error) from error
        data = (answer.get("json") or {}).get("data") or {}
        if name := errors.named_post(answer):
            return Published(name, str(data.get("url") or rules.RULES.post_id.page(name)))
        if "websocket_url" in data:
            taken_at = datetime.now(UTC)
            context.handles[TAKEN_AT] = taken_at.isoformat()
            await context.save(context.handles)
            if published := await _search_once(connection, context, context.started_at or taken_at):
                return published
        raise PlatformError(ErrorKind.UNCONFIRMED, "Reddit took the post and has not shown it yet.", code="no_id")

    async def confirm_sent(self, connection: RedditConnection, context: RedditContext, sent_at: datetime) -> Finding:
        """Look among the author's posts. A post that Reddit accepted is not absent, however long it takes to appear."""
        finding = await find(connection, context, sent_at)
        if not isinstance(finding, Absent):
            return finding
        taken_at = context.handles.get(TAKEN_AT)
        if taken_at is None:
            return _not_listed(context.draft, sent_at)
        return Unknown(final=datetime.now(UTC) - datetime.fromisoformat(taken_at) > LISTED_WITHIN)


def _not_listed(draft: Draft[RedditSettings], sent_at: datetime) -> Finding:
    """Return the finding for a post with a lost response that is not listed: image posts appear minutes later."""
    is_late = choose_post_type(draft) is RedditPostType.IMAGE
    return Unknown() if is_late and datetime.now(UTC) - sent_at <= LISTED_WITHIN else Absent()


async def _submit(connection: RedditConnection, context: RedditContext) -> dict[str, Any]:
    if choose_post_type(context.draft) is RedditPostType.GALLERY:
        return await call(connection, "POST", "/api/submit_gallery_post.json", public=True, json=gallery_body(context))
    fields = submit_fields(context)
    return await call(connection, "POST", "/api/submit", public=True, params={"raw_json": 1}, data=fields)


async def _search_once(connection: RedditConnection, context: RedditContext, sent_at: datetime) -> Published | None:
    """Look once. If the search fails, the post may be public all the same."""
    try:
        finding = await find(connection, context, sent_at)
    except PlatformError:
        return None
    return finding if isinstance(finding, Published) else None


async def _known_link(context: RedditContext, error: PlatformError) -> PlatformError:
    """Return the error of a link that the subreddit has. After an unconfirmed send, confirm once whether it is ours.

    If Reddit refuses it again after that, the link is someone else's.
    """
    if context.handles.get(REFUSED_AS_KNOWN):
        return PlatformError(ErrorKind.REJECTED, error.message, code="link_taken", status=error.status)
    context.handles[REFUSED_AS_KNOWN] = True
    await context.save(context.handles)
    return error

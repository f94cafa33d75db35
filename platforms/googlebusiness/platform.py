"""Publishing on a Google Business Profile: one request makes the post; Google checks it, then shows or rejects it.

While Google checks a post, it is not visible, so it is not published yet.
"""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from domain.post import MediaType
from platforms.access.oauth import RenewsByRefreshToken
from platforms.base import ApiVersion, Draft, Finding, Identity, Platform, Published, Refused, Unknown
from platforms.capabilities import Choices, ListsChoices
from platforms.errors import ErrorKind, PlatformError, require_same, unreadable
from platforms.files import MediaPulls
from platforms.google.access import APP, ENDPOINT, SIGN_IN, TOKENS
from platforms.googlebusiness import errors, rules
from platforms.googlebusiness.access import (
    ACCOUNTS,
    BASE_URL,
    LISTED,
    LOCATIONS,
    call,
    keep,
    location_parent,
    locations,
    parent,
    place,
)
from platforms.googlebusiness.rules import (
    GoogleBusinessConnection,
    GoogleBusinessContext,
    GoogleBusinessCredentials,
    GoogleBusinessSettings,
)
from platforms.http.answers import FirstItems, ListAt
from platforms.http.untrusted import moment
from platforms.live import Assumption, LiveCheck, SamplePost, SampleResult, find_values
from platforms.places import PlaceSetting
from platforms.steps.matching import Likeness, MatchingPost, likeness, verdict

DEFAULT_LANGUAGE = "en"
"""Whether Google accepts a post without a language is unverified."""


def post_body(draft: Draft[GoogleBusinessSettings], language: str | None = None) -> dict[str, Any]:
    """Return the body of the request that makes the post; source: the page of localPosts, LocalPost.

    `language` is the account's, for posts that name none.
    """
    settings = draft.settings
    body: dict[str, Any] = {
        "languageCode": settings.language_code or language or DEFAULT_LANGUAGE,
        "summary": draft.text,
        "topicType": settings.topic,
    }
    if settings.call_to_action:
        button = {"actionType": settings.call_to_action.type, "url": settings.call_to_action.url}
        body["callToAction"] = {name: value for name, value in button.items() if value}
    if settings.event:
        body["event"] = settings.event.model_dump(by_alias=True)
    if settings.offer:
        body["offer"] = settings.offer.model_dump(by_alias=True, exclude_none=True)
    if draft.media:
        body["media"] = [{"mediaFormat": "PHOTO", "sourceUrl": item.url} for item in draft.media]
    return body


async def _remove(connection: GoogleBusinessConnection, _: GoogleBusinessContext, published: Published) -> None:
    await call(connection, "DELETE", f"/v4/{quote(published.platform_post_id)}")


def _states(seen: SampleResult) -> bool | None:
    reported = [value for exchange in seen.exchanges for value in find_values(exchange.body, "state")]
    return set(reported) <= {"PROCESSING", "LIVE", "RECURRING"} if reported else None


_STATES = Assumption("states", "A post that is taken is PROCESSING, then LIVE.", _states)

LIVE = LiveCheck(
    samples=(
        SamplePost("text", more_text=" · ünïcödé 🧪", assumptions=(_STATES,)),
        SamplePost("image", files=("plain.jpg",), assumptions=(_STATES,)),
    ),
    remove=_remove,
)


PAGE, MOST_PAGES = 100, 5
"""Posts per page, and pages. Google does not say in which order it lists posts, so the code relies on none."""
CHECK_PAUSES = (1, 2, 3, 5, 5, 10)
"""Seconds before each check right after publishing; the workflow makes later checks, on durable timers."""
POST = "post"
"""The name, in the handles, of the post that Google accepted."""
PARENT = "parent"
"""The location, in the handles, of a post that names another one than the account's."""
PHOTO_TRIES = 2


class GoogleBusiness(
    Platform[GoogleBusinessSettings, GoogleBusinessCredentials],
    RenewsByRefreshToken[GoogleBusinessCredentials],
    ListsChoices[GoogleBusinessCredentials],
):
    """My Business API v4, for the posts of one location."""

    name = "googlebusiness"
    app = APP
    label = "Google Business Profile"
    base_url = BASE_URL
    domains = tuple(url.removeprefix("https://") for url in (ACCOUNTS, LOCATIONS, SIGN_IN))
    api = ApiVersion("v4")
    account_prefix = "gb"
    # Google promises no consistency for its list of posts, and it has no key that makes a repeat harmless. Our choice.
    read_lag = timedelta(seconds=90)
    finds_without_handles = True
    pulls = MediaPulls(frozenset({MediaType.IMAGE}))
    places = (PlaceSetting("locationId", "location_id", str),)
    read_error = staticmethod(errors.read_error)
    refusals = errors.REFUSALS
    broken_rules = staticmethod(rules.check)
    rules = rules.RULES
    settings = GoogleBusinessSettings
    credentials = GoogleBusinessCredentials
    tokens = TOKENS
    token_endpoint = ENDPOINT
    listed = LISTED

    def prepares(self, draft: Draft[GoogleBusinessSettings]) -> bool:
        """Return False: Google fetches the photo from its URL when the post is made."""
        return False

    async def choices(self, connection: GoogleBusinessConnection, name: str, within: str) -> Choices:
        """Return the locations that the account may publish to."""
        return await locations(connection)

    async def whoami(self, connection: GoogleBusinessConnection) -> Identity:
        """Ask which location this is. It belongs to an account, whose number is stored in the credentials."""
        account, location, title = await place(connection)
        await keep(connection, account, location)
        return Identity(location, title)

    async def publish(self, connection: GoogleBusinessConnection, context: GoogleBusinessContext) -> Published:
        """Make the post and wait for Google's verdict. Raises PlatformError, `unconfirmed` if that takes long."""
        name = await _parent(connection, context)
        body = post_body(context.draft, connection.credentials.language_code)
        try:
            path = f"/v4/{quote(name)}/localPosts"
            post = await call(connection, "POST", path, public=True, json=body)
        except PlatformError as error:
            if context.draft.settings.location_id and error.status in {403, 404} and error.kind is ErrorKind.AUTH:
                message = "Google does not let this account post on the location that locationId names."
                raise PlatformError(ErrorKind.REJECTED, message, code=error.code, status=error.status) from error
            if error.code.upper() in errors.PHOTO_FAILURES and error.kind is ErrorKind.TRANSIENT:
                raise await _photo_failed(context, error) from error
            raise
        if not post.get("name"):
            raise unreadable("Google", public=True)
        require_same("Google", _location(post), _location({"name": name}), public=True)
        context.handles[POST] = str(post["name"])
        await context.save(context.handles)
        finding = _verdict(post)
        for pause in CHECK_PAUSES:
            if not isinstance(finding, Unknown):
                break
            await asyncio.sleep(pause)
            context.heartbeat("Google is checking the post")
            # Google has it: a failed check must not lead to publishing it again.
            with suppress(PlatformError):
                finding = await _read_post(connection, context.handles[POST])
        match finding:
            case Published():
                return finding
            case Refused(refusal):
                raise refusal
        raise PlatformError(ErrorKind.UNCONFIRMED, "Google is still checking the post.", code="processing")

    async def confirm_sent(
        self, connection: GoogleBusinessConnection, context: GoogleBusinessContext, sent_at: datetime
    ) -> Finding:
        """Ask for Google's verdict; if the post's name was lost, look for the post among the location's own."""
        if known := context.handles.get(POST):
            return await _read_post(connection, known)
        name = await _parent(connection, context)
        query, alike = {"pageSize": str(PAGE)}, dict[str, tuple[dict[str, Any], Likeness]]()
        path, is_whole, is_cut = f"/v4/{quote(name)}/localPosts", False, False
        for _ in range(MOST_PAGES):
            body = await call(connection, "GET", path, params=query, listed=ListAt(("localPosts",)))
            posts = _listed(body)
            for post in posts:
                require_same("Google", _location(post), _location({"name": name}))
            rated = ((post, _likeness(post, context.draft)) for post in posts)
            alike |= {str(post["name"]): (post, like) for post, like in rated if like is not Likeness.OTHER}
            if is_cut := isinstance(posts, FirstItems):
                query["pageSize"] = str(max(1, len(posts) // 2))
                continue
            if is_whole := not body.get("nextPageToken"):
                break
            query["pageToken"] = str(body["nextPageToken"])
        matching = [MatchingPost(_published(post), _created(post), like) for post, like in alike.values()]
        finding = verdict(context, matching, since=sent_at, is_whole=is_whole, is_cut=is_cut)
        return _verdict(alike[finding.platform_post_id][0]) if isinstance(finding, Published) else finding

    async def complete(
        self, connection: GoogleBusinessConnection, context: GoogleBusinessContext, published: Published
    ) -> Published:
        """Read the post's address, which Google may report a little later than it shows the post."""
        if published.url:
            return published
        shown = await _read_post(connection, published.platform_post_id)
        return shown if isinstance(shown, Published) else published


async def _parent(connection: GoogleBusinessConnection, context: GoogleBusinessContext) -> str:
    """Return the name below which the post is made; the handles keep it if the post names another location."""
    location = context.draft.settings.location_id
    if location in {None, connection.credentials.user_id}:
        return await parent(connection)
    if PARENT not in context.handles:
        context.handles[PARENT] = await location_parent(connection, str(location))
        await context.save(context.handles)
    return str(context.handles[PARENT])


async def _read_post(connection: GoogleBusinessConnection, name: str) -> Published | Unknown | Refused:
    post = await call(connection, "GET", f"/v4/{quote(name)}")
    require_same("Google", post.get("name"), name)
    return _verdict({**post, "name": name})


def _location(post: dict[str, Any]) -> str:
    """Return the location in a post's name: several accounts may have it."""
    return "/".join(str(post["name"]).split("/")[2:4])


def _listed(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the posts of a page; Google omits an empty list. An answer with anything else is not taken for empty."""
    posts = body.get("localPosts", [])
    if not body.keys() <= {"localPosts", "nextPageToken"} or not isinstance(posts, list):
        raise unreadable("Google")
    return posts


def _verdict(post: dict[str, Any]) -> Published | Unknown | Refused:
    """Return Google's verdict; source: the page of localPosts, LocalPostState."""
    match post.get("state"):
        case "REJECTED":
            message = "Google rejected this post and does not show it. It gives no reason."
            return Refused(PlatformError(ErrorKind.REJECTED, message, code="rejected"))
        case "LIVE" | "RECURRING":
            return _published(post)
    # PROCESSING, SCHEDULED or an unknown state: the post is not visible yet.
    return Unknown()


def _published(post: dict[str, Any]) -> Published:
    return Published(str(post["name"]), post.get("searchUrl") if post.get("state") == "LIVE" else None)


async def _photo_failed(context: GoogleBusinessContext, error: PlatformError) -> PlatformError:
    """Return the error of a photo that Google could not process, `rejected` once that happened too often."""
    tries = context.handles["photoFailures"] = int(context.handles.get("photoFailures", 0)) + 1
    await context.save(context.handles)
    return error.as_rejected() if tries >= PHOTO_TRIES else error


def _likeness(post: dict[str, Any], draft: Draft[GoogleBusinessSettings]) -> Likeness:
    event = draft.settings.event
    if post.get("topicType", "STANDARD") != draft.settings.topic:
        return Likeness.OTHER
    same = likeness(post.get("summary"), draft.text)
    return same if event is None else min(same, likeness((post.get("event") or {}).get("title"), event.title))


def _created(post: dict[str, Any]) -> datetime:
    try:
        return moment(post.get("createTime"))
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)

"""Publishing to Pinterest: upload a video, make the pin by one request, look on the board if the response was lost."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from domain.post import MediaType
from platforms.access.oauth import RenewsByRefreshToken
from platforms.base import AccountFacts, ApiVersion, Draft, Finding, Identity, Platform, Published
from platforms.capabilities import MOST_CHOICES, Choices, ListedSetting, ListsChoices, bounded
from platforms.errors import ErrorKind, PlatformError, require_same, unreadable
from platforms.files import MediaPulls
from platforms.http.answers import FirstItems, ListAt
from platforms.http.untrusted import moment
from platforms.http.wire import segment
from platforms.live import LiveCheck, SamplePost, removal
from platforms.pinterest import errors, rules
from platforms.pinterest.access import ENDPOINT, TOKENS, PinterestConnection, PinterestContext, call
from platforms.pinterest.media import Video, pin_body
from platforms.pinterest.rules import RULES, PinterestCredentials, PinterestSettings
from platforms.rules import FileRule
from platforms.steps.matching import Likeness, MatchingPost, likeness, verdict

_BOARD = ("boardId",)


LIVE = LiveCheck(
    samples=(
        SamplePost("image", files=("plain.jpg",), needs=_BOARD, settings={"link": "https://example.com/?a=1&b=2"}),
        SamplePost("carousel", files=("plain.jpg", "plain.jpg"), needs=_BOARD),
        SamplePost("video", files=("tall.mp4",), needs=_BOARD),
    ),
    remove=removal(call, "/v5/pins/{id}"),
)


PAGE, MOST_PAGES = 100, 5
"""Pins per page, and pages. Whether the newest pins come first is unverified, so an older pin ends no search."""


def published(pin_id: str) -> Published:
    """Return the published pin with its id and its address."""
    return Published(pin_id, RULES.post_id.page(pin_id))


async def find(connection: PinterestConnection, context: PinterestContext, sent_at: datetime) -> Finding:
    """Look on the board for the pin among those made since shortly before `sent_at`. Raises PlatformError."""
    query: dict[str, str | int] = {"page_size": PAGE}
    listed: list[MatchingPost] = []
    path, is_cut = f"/v5/boards/{segment(context.draft.settings.board_id)}/pins", False
    for _ in range(MOST_PAGES):
        page = await call(connection, "GET", path, params=query, listed=ListAt(("items",)))
        pins = page.get("items")
        if not isinstance(pins, list):
            raise unreadable("Pinterest")
        for pin in pins:
            require_same("Pinterest", pin.get("board_id"), context.draft.settings.board_id)
        likenesses = ((pin, _likeness(pin, context)) for pin in pins)
        listed += (MatchingPost(published(str(pin["id"])), _made_at(pin), like) for pin, like in likenesses if like)
        if is_cut := isinstance(pins, FirstItems):
            query["page_size"] = max(1, len(pins) // 2)
            continue
        if not page.get("bookmark"):
            return verdict(context, listed, since=sent_at)
        query["bookmark"] = str(page["bookmark"])
    return verdict(context, listed, since=sent_at, is_whole=False, is_cut=is_cut)


def _likeness(pin: dict[str, Any], context: PinterestContext) -> Likeness:
    settings = context.draft.settings
    if _place(pin.get("link")) != _place(settings.link):
        return Likeness.OTHER
    return min(likeness(pin.get("title"), settings.title), likeness(pin.get("description"), context.draft.text))


def _made_at(pin: dict[str, Any]) -> datetime:
    try:
        made_at = moment(pin.get("created_at"))
    except ValueError as error:
        raise PlatformError(
            ErrorKind.TRANSIENT, "Pinterest does not say when a pin was made.", code="no_time"
        ) from error
    # Pinterest writes its times without a time zone.
    return made_at if made_at.tzinfo else made_at.replace(tzinfo=UTC)


def _place(link: str | None) -> tuple[str, str]:
    """Return host and path of a link. Whether Pinterest keeps its scheme and query as they were sent is unproven."""
    parts = urlsplit(link or "")
    return (parts.hostname or "").removeprefix("www."), parts.path.rstrip("/")


PAGE_OF_CHOICES = 250
"""Entries per page, as many as Pinterest allows. Source: query_page_size of Pinterest's OpenAPI document v5."""
LISTED = {
    "boardId": ListedSetting(scope="boards:read"),
    "boardSectionId": ListedSetting(within="boardId", scope="boards:read"),
}


async def choices(connection: PinterestConnection, board: str) -> Choices:
    """Return the sections of a board; all boards if it is empty. Raises PlatformError."""
    path = f"/v5/boards/{segment(board)}/sections" if board else "/v5/boards"
    query: dict[str, str | int] = {"page_size": PAGE_OF_CHOICES}
    pairs: list[tuple[object, object]] = []
    for _ in range(MOST_CHOICES // PAGE_OF_CHOICES):
        page = await call(connection, "GET", path, params=query)
        if not isinstance(items := page.get("items"), list):
            raise unreadable("Pinterest")
        pairs += [(item["id"], item.get("name")) for item in items]
        if not page.get("bookmark"):
            return bounded(pairs)
        query["bookmark"] = str(page["bookmark"])
    return bounded(pairs, more=True)


FETCHES = 3
"""How often Pinterest is asked to fetch media that it cannot reach, before they are at fault; working publishers ask
two or three times."""


class Pinterest(
    Platform[PinterestSettings, PinterestCredentials],
    RenewsByRefreshToken[PinterestCredentials],
    ListsChoices[PinterestCredentials],
):
    """Pinterest's API v5, for user accounts. Pinterest fetches images; videos are uploaded."""

    name = "pinterest"
    label = "Pinterest"
    base_url = "https://api.pinterest.com"
    api = ApiVersion("v5")
    account_prefix = "pi"
    request_id_header = "x-pinterest-rid"  # seen in responses, unverified
    # Long, our choice: Pinterest promises neither consistency nor an order of its lists, and has no idempotency key.
    read_lag = timedelta(minutes=4)
    finds_without_handles = True
    pulls = MediaPulls(frozenset({MediaType.IMAGE, MediaType.GIF}))
    covers = {"cover_image_url": rules.COVER}  # noqa: RUF012
    read_error = staticmethod(errors.read_error)
    refusals = errors.REFUSALS
    broken_rules = staticmethod(rules.check)
    rules = rules.RULES
    settings = PinterestSettings
    credentials = PinterestCredentials
    tokens = TOKENS
    token_endpoint = ENDPOINT
    listed = LISTED

    def file_rules(self, draft: Draft[PinterestSettings], account: AccountFacts) -> tuple[FileRule, ...]:
        """Return the rules for the files of this draft: several images must have the same sides."""
        return rules.file_rules(draft)

    def prepares(self, draft: Draft[PinterestSettings]) -> bool:
        """Return whether there is a video to upload."""
        return _has_video(draft)

    async def choices(self, connection: PinterestConnection, name: str, within: str) -> Choices:
        """Return the boards of the account, or the sections of a board."""
        return await choices(connection, within if name == "boardSectionId" else "")

    async def whoami(self, connection: PinterestConnection) -> Identity:
        """Ask whose token this is."""
        user = await call(connection, "GET", "/v5/user_account")
        if not user.get("username"):
            raise PlatformError(ErrorKind.TRANSIENT, "Pinterest did not say whose token this is.", code="no_identity")
        return Identity(str(user.get("id") or user["username"]), str(user["username"]))

    async def prepare(self, connection: PinterestConnection, context: PinterestContext) -> None:
        """Upload the video. Repeatable: continues from the handles."""
        if _has_video(context.draft):
            await Video(connection, context).run()

    async def publish(self, connection: PinterestConnection, context: PinterestContext) -> Published:
        """Make the pin."""
        video = Video(connection, context)
        body = pin_body(context.draft, video.media_id if _has_video(context.draft) else None)
        try:
            pin = await call(connection, "POST", "/v5/pins", public=True, json=body)
        except PlatformError as error:
            if error.code == errors.UNFETCHED and error.kind is not ErrorKind.UNCONFIRMED:
                raise await _fetch_again(context, error) from error
            if error.kind is ErrorKind.REJECTED and "media_id" in error.message:
                await video.drop()
            raise
        if not pin.get("id"):
            raise PlatformError(ErrorKind.UNCONFIRMED, "Pinterest did not name the pin.", code="no_id")
        require_same("Pinterest", pin.get("board_id"), context.draft.settings.board_id, public=True)
        return published(str(pin["id"]))

    async def confirm_sent(
        self, connection: PinterestConnection, context: PinterestContext, sent_at: datetime
    ) -> Finding:
        """Look for the pin on its board."""
        return await find(connection, context, sent_at)


def _has_video(draft: Draft[PinterestSettings]) -> bool:
    return any(item.type is MediaType.VIDEO for item in draft.media)


async def _fetch_again(context: PinterestContext, error: PlatformError) -> PlatformError:
    """Return the error of media that Pinterest could not fetch, `rejected` once that happened too often."""
    context.handles["unfetched"] = context.handles.get("unfetched", 0) + 1
    await context.save(context.handles)
    if context.handles["unfetched"] >= FETCHES:
        return error.as_rejected()
    return error

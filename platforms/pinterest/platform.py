"""Publishing to Pinterest: upload a video, make the pin by one request, look on the board if the response was lost."""

from datetime import datetime, timedelta

from domain.post import MediaType
from platforms.access.oauth import RenewsByRefreshToken
from platforms.base import (
    AccountFacts,
    ApiVersion,
    Draft,
    Finding,
    Identity,
    Platform,
    PublishContext,
    Published,
)
from platforms.choices import Choices, ListsChoices
from platforms.errors import ErrorKind, PlatformError, require_same
from platforms.files import MediaPulls
from platforms.pinterest import choices, errors, lookup, rules
from platforms.pinterest.access import ENDPOINT, TOKENS
from platforms.pinterest.connection import PinterestConnection, call
from platforms.pinterest.fields import pin_body
from platforms.pinterest.media import Video
from platforms.pinterest.settings import PinterestCredentials, PinterestSettings
from platforms.rules import FileRule

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
    request_id_header = errors.REQUEST_ID_HEADER
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
    listed = choices.LISTED

    def file_rules(self, draft: Draft[PinterestSettings], account: AccountFacts) -> tuple[FileRule, ...]:
        """Return the rules for the files of this draft: several images must have the same sides."""
        return rules.file_rules(draft)

    def prepares(self, draft: Draft[PinterestSettings]) -> bool:
        """Return whether there is a video to upload."""
        return _has_video(draft)

    async def choices(self, connection: PinterestConnection, name: str, within: str) -> Choices:
        """Return the boards of the account, or the sections of a board."""
        return await choices.choices(connection, within if name == "boardSectionId" else "")

    async def whoami(self, connection: PinterestConnection) -> Identity:
        """Ask whose token this is."""
        user = await call(connection, "GET", "/v5/user_account")
        if not user.get("username"):
            raise PlatformError(ErrorKind.TRANSIENT, "Pinterest did not say whose token this is.", code="no_identity")
        return Identity(str(user.get("id") or user["username"]), str(user["username"]))

    async def prepare(self, connection: PinterestConnection, context: PublishContext[PinterestSettings]) -> None:
        """Upload the video. Repeatable: continues from the handles."""
        if _has_video(context.draft):
            await Video(connection, context).run()

    async def publish(self, connection: PinterestConnection, context: PublishContext[PinterestSettings]) -> Published:
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
        return lookup.published(str(pin["id"]))

    async def confirm_sent(
        self, connection: PinterestConnection, context: PublishContext[PinterestSettings], sent_at: datetime
    ) -> Finding:
        """Look for the pin on its board."""
        return await lookup.find(connection, context, sent_at)


def _has_video(draft: Draft[PinterestSettings]) -> bool:
    return any(item.type is MediaType.VIDEO for item in draft.media)


async def _fetch_again(context: PublishContext[PinterestSettings], error: PlatformError) -> PlatformError:
    """Return the error of media that Pinterest could not fetch, `rejected` once that happened too often."""
    context.handles["unfetched"] = context.handles.get("unfetched", 0) + 1
    await context.save(context.handles)
    if context.handles["unfetched"] >= FETCHES:
        return error.as_rejected()
    return error

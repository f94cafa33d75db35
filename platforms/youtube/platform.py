"""Publishing to YouTube. The upload itself makes the video, so its session is asked before anything is sent again."""

from datetime import datetime, timedelta

from platforms.access.oauth import RenewsByRefreshToken
from platforms.base import (
    Absent,
    ApiVersion,
    Finding,
    Identity,
    Platform,
    PublishContext,
    Published,
)
from platforms.choices import Choices, ListsChoices
from platforms.errors import ErrorKind, PlatformError, require_same, unreadable
from platforms.google.access import APP, ENDPOINT, TOKENS
from platforms.http.untrusted import moment
from platforms.steps.matching import MatchingPost, likeness, verdict_of_newest
from platforms.youtube import choices, errors, rules
from platforms.youtube.connection import BASE_URL, YouTubeConnection, read
from platforms.youtube.extras import Extras
from platforms.youtube.media import SessionGoneError, Upload
from platforms.youtube.rules import video_title
from platforms.youtube.settings import YouTubeCredentials, YouTubeSettings

NEWEST = 50
"""Uploads that are searched, the most that YouTube lists in one response."""


class YouTube(
    Platform[YouTubeSettings, YouTubeCredentials],
    RenewsByRefreshToken[YouTubeCredentials],
    ListsChoices[YouTubeCredentials],
):
    """YouTube's Data API v3, for channels."""

    name = "youtube"
    app = APP
    label = "YouTube"
    base_url = BASE_URL
    domains = ("www.googleapis.com", "oauth2.googleapis.com")
    api = ApiVersion("v3")
    account_prefix = "yt"
    request_id_header = errors.REQUEST_ID_HEADER
    # The session answers immediately. Only if it is lost, the list of uploads decides, which lags by an unknown time.
    # Ours.
    read_lag = timedelta(minutes=2)
    strips_metadata = True  # general knowledge, unverified
    covers = {"thumbnail": rules.THUMBNAIL, "captions": rules.CAPTIONS}  # noqa: RUF012
    read_error = staticmethod(errors.read_error)
    refusals = errors.REFUSALS
    broken_rules = staticmethod(rules.check)
    rules = rules.RULES
    settings = YouTubeSettings
    credentials = YouTubeCredentials
    tokens = TOKENS
    token_endpoint = ENDPOINT
    listed = choices.LISTED

    async def choices(self, connection: YouTubeConnection, name: str, within: str) -> Choices:
        """Return the channel's playlists, or the categories of videos."""
        return await (choices.playlists if name == "playlistId" else choices.categories)(connection)

    async def whoami(self, connection: YouTubeConnection) -> Identity:
        """Ask which channel the token is for; not every Google account has one."""
        channels = await read(connection, "channels", part="id,snippet", mine="true")
        if not channels:
            raise PlatformError(
                ErrorKind.AUTH, "This Google account has no YouTube channel.", code="youtubeSignupRequired"
            )
        snippet = channels[0].get("snippet") or {}
        return Identity(str(channels[0]["id"]), str(snippet.get("customUrl") or snippet.get("title") or ""))

    async def prepare(self, connection: YouTubeConnection, context: PublishContext[YouTubeSettings]) -> None:
        """Upload all but the last piece of the video, continuing where an earlier attempt stopped."""
        try:
            await Upload(connection, context).prepare()
        except SessionGoneError as gone:
            await Upload(connection, context).forget()
            raise _session_gone() from gone

    async def publish(self, connection: YouTubeConnection, context: PublishContext[YouTubeSettings]) -> Published:
        """Send the last piece, unless the session has yielded its video already."""
        upload = Upload(connection, context)
        if upload.video_id is None:
            try:
                await upload.finish()
            except SessionGoneError as gone:
                if upload.session and upload.session.get("last"):
                    raise _session_gone().as_unconfirmed() from gone
                await upload.forget()
                raise _session_gone() from gone
        return _published(str(upload.video_id))

    async def confirm_sent(
        self, connection: YouTubeConnection, context: PublishContext[YouTubeSettings], sent_at: datetime
    ) -> Finding:
        """Ask the session; if it is gone, or was given up after a refusal, look among the channel's uploads."""
        upload = Upload(connection, context)
        if upload.video_id is None:
            if upload.session is None:
                return await _find(connection, context, sent_at)
            try:
                await upload.probe()
            except SessionGoneError:
                return await _find(connection, context, sent_at)
        return _published(upload.video_id) if upload.video_id else Absent()

    async def complete(
        self, connection: YouTubeConnection, context: PublishContext[YouTubeSettings], published: Published
    ) -> Published:
        """Add thumbnail, captions, playlist entry and first comment, and check whether YouTube shows the video."""
        warning = await Extras(connection, context, published.platform_post_id).run()
        return Published(published.platform_post_id, published.url, warning=warning)


def _published(video_id: str) -> Published:
    """Return the published video."""
    return Published(video_id, rules.RULES.post_id.page(video_id))


def _session_gone() -> PlatformError:
    """Return the error after which the next attempt uploads the video again."""
    return PlatformError(ErrorKind.TRANSIENT, "YouTube must be given the video again.", code="session_gone")


async def _find(connection: YouTubeConnection, context: PublishContext[YouTubeSettings], sent_at: datetime) -> Finding:
    [channel, *_] = await read(connection, "channels", part="contentDetails", mine="true") or [{}]
    uploads = ((channel.get("contentDetails") or {}).get("relatedPlaylists") or {}).get("uploads")
    if not uploads:
        raise unreadable("YouTube")
    listed = await read(connection, "playlistItems", part="snippet", playlistId=uploads, maxResults=str(NEWEST))
    title, text = video_title(context.draft), context.draft.text
    videos: list[MatchingPost] = []
    for snippet in (item.get("snippet") or {} for item in listed):
        require_same("YouTube", snippet.get("channelId"), connection.account.user_id)
        like = min(likeness(snippet.get("title"), title), likeness(snippet.get("description"), text))
        published = _published(str(snippet["resourceId"]["videoId"]))
        videos.append(MatchingPost(published, moment(snippet["publishedAt"]), like))
    return verdict_of_newest(context, listed, videos, since=sent_at, most=NEWEST)

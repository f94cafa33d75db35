"""Publishing to YouTube. The upload itself makes the video, so its session is asked before anything is sent again."""

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from domain.post import Media, MediaType
from platforms.access.oauth import RenewsByRefreshToken
from platforms.base import (
    Absent,
    ApiVersion,
    Finding,
    Identity,
    Platform,
    Published,
)
from platforms.capabilities import MOST_CHOICES, Choices, ListedSetting, ListsChoices, bounded
from platforms.errors import ErrorKind, PlatformError, require_same, unreadable
from platforms.google.access import APP, ENDPOINT, TOKENS
from platforms.http.body import FileBody
from platforms.http.multipart import RelatedBody
from platforms.http.untrusted import moment
from platforms.live import FILE, Assumption, LiveCheck, SamplePost, SampleResult, find_answers
from platforms.steps.follow_up import FIRST_COMMENT, add_each, run_once
from platforms.steps.matching import MatchingPost, likeness, verdict_of_newest
from platforms.youtube import errors, rules
from platforms.youtube.access import BASE_URL, YouTubeConnection, YouTubeContext, read, read_page, send
from platforms.youtube.media import SessionGoneError, Upload, caption_track, comment_thread, playlist_item
from platforms.youtube.rules import Caption, YouTubeCredentials, YouTubeSettings, video_title

_PRIVATE = {"visibility": "private"}


async def _remove(connection: YouTubeConnection, _: YouTubeContext, published: Published) -> None:
    await send(connection, "DELETE", "/youtube/v3/videos", params={"id": published.platform_post_id})


def _takes_thumbnail(seen: SampleResult) -> bool | None:
    if not find_answers(seen, "/thumbnails/set"):
        return None
    return bool(seen.published and not seen.published.warning)


_THUMBNAIL = Assumption("thumbnail", "A thumbnail is taken once the video is processed.", _takes_thumbnail)
_WITH_THUMBNAIL = {**_PRIVATE, "thumbnail": f"{FILE}wide.jpg"}

LIVE = LiveCheck(
    samples=(
        SamplePost("video", files=("wide.mp4",), settings=_WITH_THUMBNAIL, assumptions=(_THUMBNAIL,)),
        SamplePost("short", files=("tall.mp4",), settings=_WITH_THUMBNAIL, assumptions=(_THUMBNAIL,)),
    ),
    remove=_remove,
    by_hand=("Does the Short show its thumbnail in the app?",),
)


NEXT_CHECK = timedelta(minutes=1)
"""The interval of checks whether a video is processed; each costs one unit of the day's quota."""

_EXISTS = "captionExists"
"""YouTube's reason if a video has captions of this language and name; general knowledge, unverified."""
_REASONS = {
    "codec": "it cannot read its codec",
    "conversion": "it cannot convert it",
    "emptyFile": "the file is empty",
    "invalidFile": "it cannot read the file",
    "tooSmall": "the file is too small",
    "claim": "somebody claims its rights",
    "copyright": "of a copyright",
    "duplicate": "it was uploaded before",
    "inappropriate": "it finds it inappropriate",
    "legal": "of the law",
    "length": "it is too long for this channel",
    "termsOfUse": "of its terms of use",
    "trademark": "of a trademark",
    "uploaderAccountClosed": "the channel was closed",
    "uploaderAccountSuspended": "the channel was suspended",
}


class Extras:
    """The steps that are possible only once the video is uploaded."""

    def __init__(self, connection: YouTubeConnection, context: YouTubeContext, video_id: str) -> None:
        self._connection = connection
        self._context = context
        self._video_id = video_id

    async def run(self) -> str | None:
        """Run the steps; return a warning for what could not be done. Raises PlatformError of a retryable kind.

        The thumbnail comes last: YouTube answers 200 and drops the thumbnail of a Short that it is still processing.
        """
        settings = self._context.draft.settings
        warnings = [
            await self._once(settings.playlist_id, "playlist entry", self._playlist),
            await self._once(settings.first_comment, FIRST_COMMENT, self._comment),
            *await add_each(self._connection, self._context, settings.captions, self._caption),
            await self._verdict(),
            await self._once(settings.thumbnail, "thumbnail", self._thumbnail),
        ]
        return " ".join(filter(None, warnings)) or None

    async def _once(self, setting: str | None, name: str, step: Callable[[], Awaitable[None]]) -> str | None:
        return await run_once(self._connection, self._context, name, step) if setting else None

    async def _thumbnail(self) -> None:
        media = Media(type=MediaType.IMAGE, url=self._context.draft.settings.thumbnail or "")
        async with self._context.media.open(media) as file:
            await send(
                self._connection,
                "POST",
                "/upload/youtube/v3/thumbnails/set",
                params={"videoId": self._video_id, "uploadType": "media"},
                headers={"Content-Type": file.content_type},
                content=FileBody(file),
            )

    async def _caption(self, caption: Caption) -> None:
        """Add captions; a repeat after a lost answer finds them there."""
        async with self._context.media.open(Media(type=MediaType.DOCUMENT, url=caption.url)) as file:
            body = RelatedBody(caption_track(self._video_id, caption.language, caption.name), file)
            try:
                await send(
                    self._connection,
                    "POST",
                    "/upload/youtube/v3/captions",
                    params={"part": "snippet", "uploadType": "multipart"},
                    content=body,
                )
            except PlatformError as error:
                if error.code != _EXISTS:
                    raise

    async def _playlist(self) -> None:
        await self._insert(
            "playlistItems", playlist_item(self._context.draft.settings.playlist_id or "", self._video_id)
        )

    async def _comment(self) -> None:
        text = self._context.draft.settings.first_comment or ""
        await self._insert("commentThreads", comment_thread(self._connection.account.user_id, self._video_id, text))

    async def _insert(self, resource: str, body: dict[str, Any]) -> None:
        path = f"/youtube/v3/{resource}"
        await send(self._connection, "POST", path, params={"part": "snippet"}, json=body, public=True)

    async def _verdict(self) -> str | None:
        """Return a warning if the video failed. Raises PlatformError, `not_ready` while YouTube processes it."""
        videos = await read(self._connection, "videos", part="status", id=self._video_id)
        if not videos:
            return "YouTube does not find the video any more: it was deleted or removed."
        status: dict[str, Any] = videos[0].get("status") or {}
        asked, shown = self._context.draft.settings.visibility, status.get("privacyStatus")
        match status.get("uploadStatus"):
            case "uploaded":
                message = "YouTube is still processing the video."
                raise PlatformError(ErrorKind.NOT_READY, message, code="processing", retry_after=NEXT_CHECK)
            case "failed" | "rejected":
                reason = str(status.get("failureReason") or status.get("rejectionReason") or "")
                return f"YouTube does not show the video because {_REASONS.get(reason, 'it could not process it')}."
        if shown and shown != asked:
            return f"YouTube made the video {shown} instead of {asked}. Look into the channel's settings and limits."
        return None


LISTED = {
    "categoryId": ListedSetting(scope="https://www.googleapis.com/auth/youtube.readonly"),
    "playlistId": ListedSetting(scope="https://www.googleapis.com/auth/youtube.readonly"),
}
PAGE_OF_CHOICES = 50
"""Playlists per page, as many as YouTube allows. Source: the discovery document of youtube.v3."""
_ANYWHERE = "US"
"""The region of a channel that names no country. Categories differ little between regions."""


async def categories(connection: YouTubeConnection) -> Choices:
    """Return the categories that a video may have in the channel's country. Raises PlatformError."""
    channels = await read(connection, "channels", part="snippet", mine="true")
    country = channels[0]["snippet"].get("country") if channels else None
    entries = await read(connection, "videoCategories", part="snippet", regionCode=str(country or _ANYWHERE))
    return bounded((item["id"], item["snippet"]["title"]) for item in entries if item["snippet"].get("assignable"))


async def playlists(connection: YouTubeConnection) -> Choices:
    """Return the channel's playlists. Raises PlatformError."""
    pairs: list[tuple[object, object]] = []
    query = {"part": "snippet", "mine": "true", "maxResults": str(PAGE_OF_CHOICES)}
    for _ in range(MOST_CHOICES // PAGE_OF_CHOICES):
        items, following = await read_page(connection, "playlists", query)
        pairs += [(item["id"], item["snippet"]["title"]) for item in items]
        if not following:
            return bounded(pairs)
        query["pageToken"] = following
    return bounded(pairs, more=True)


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
    request_id_header = "x-guploader-uploadid"
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
    listed = LISTED

    async def choices(self, connection: YouTubeConnection, name: str, within: str) -> Choices:
        """Return the channel's playlists, or the categories of videos."""
        return await (playlists if name == "playlistId" else categories)(connection)

    async def whoami(self, connection: YouTubeConnection) -> Identity:
        """Ask which channel the token is for; not every Google account has one."""
        channels = await read(connection, "channels", part="id,snippet", mine="true")
        if not channels:
            raise PlatformError(
                ErrorKind.AUTH, "This Google account has no YouTube channel.", code="youtubeSignupRequired"
            )
        snippet = channels[0].get("snippet") or {}
        return Identity(str(channels[0]["id"]), str(snippet.get("customUrl") or snippet.get("title") or ""))

    async def prepare(self, connection: YouTubeConnection, context: YouTubeContext) -> None:
        """Upload all but the last piece of the video, continuing where an earlier attempt stopped."""
        try:
            await Upload(connection, context).prepare()
        except SessionGoneError as gone:
            await Upload(connection, context).forget()
            raise _session_gone() from gone

    async def publish(self, connection: YouTubeConnection, context: YouTubeContext) -> Published:
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

    async def confirm_sent(self, connection: YouTubeConnection, context: YouTubeContext, sent_at: datetime) -> Finding:
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

    async def complete(self, connection: YouTubeConnection, context: YouTubeContext, published: Published) -> Published:
        """Add thumbnail, captions, playlist entry and first comment, and check whether YouTube shows the video."""
        warning = await Extras(connection, context, published.platform_post_id).run()
        return Published(published.platform_post_id, published.url, warning=warning)


def _published(video_id: str) -> Published:
    """Return the published video."""
    return Published(video_id, rules.RULES.post_id.page(video_id))


def _session_gone() -> PlatformError:
    """Return the error after which the next attempt uploads the video again."""
    return PlatformError(ErrorKind.TRANSIENT, "YouTube must be given the video again.", code="session_gone")


async def _find(connection: YouTubeConnection, context: YouTubeContext, sent_at: datetime) -> Finding:
    [channel, *_] = await read(connection, "channels", part="contentDetails", mine="true") or [{}]
    uploads = ((channel.get("contentDetails") or {}).get("relatedPlaylists") or {}).get("uploads")
    if not uploads:
        raise unreadable("YouTube")
    listed = await read(connection, "playlistItems", part="snippet", playlistId=uploads, maxResults=str(NEWEST))
    title, text = video_title(context.draft), context.draft.text

    def videos() -> Iterator[MatchingPost]:
        for snippet in (item.get("snippet") or {} for item in listed):
            require_same("YouTube", snippet.get("channelId"), connection.account.user_id)
            like = min(likeness(snippet.get("title"), title), likeness(snippet.get("description"), text))
            yield MatchingPost(_published(str(snippet["resourceId"]["videoId"])), moment(snippet["publishedAt"]), like)

    return await verdict_of_newest(context, listed, videos(), since=sent_at, most=NEWEST)

"""Publishing to TikTok: ask what the creator may do, upload a video or name the photos, and wait for the verdict."""

from datetime import datetime, timedelta
from typing import Any

from domain.post import MediaType
from domain.request_limits import RateLimit
from platforms.access.oauth import RenewsByRefreshToken
from platforms.base import ApiVersion, Draft, Finding, Identity, Platform, Published
from platforms.errors import NO_PUBLIC_URL, ErrorKind, PlatformError
from platforms.files import MediaPulls
from platforms.live import Assumption, LiveCheck, SamplePost, SampleResult, find_answers, find_values
from platforms.tiktok import errors, rules
from platforms.tiktok.access import ENDPOINT, TOKENS, TikTokConnection, TikTokContext, call, read
from platforms.tiktok.media import LONGEST, PublishVerdict, Upload, photo_body
from platforms.tiktok.rules import ONLY_SELF, PUBLIC, TikTokCredentials, TikTokSettings, is_video

_PRIVATE: dict[str, Any] = {
    "privacyLevel": "SELF_ONLY",
    "contentPreviewConfirmed": True,
    "expressConsentGiven": True,
}


def _counts_uploaded_bytes(seen: SampleResult) -> bool | None:
    counts = [
        value
        for exchange in find_answers(seen, "/status/fetch")
        for value in find_values(exchange.body, "uploaded_bytes")
    ]
    sizes = [
        value for exchange in find_answers(seen, "/video/init") for value in find_values(exchange.sent, "video_size")
    ]
    return counts[0] >= sizes[0] if counts and sizes else None


LIVE = LiveCheck(
    samples=(
        SamplePost(
            "video",
            files=("tall.mp4",),
            settings=_PRIVATE,
            assumptions=(
                Assumption(
                    "uploaded_bytes", "The first status counts every byte of the upload.", _counts_uploaded_bytes
                ),
            ),
        ),
        SamplePost("photos", files=("plain.jpg", "plain.jpg"), settings=_PRIVATE),
    ),
)


IN_INBOX = "TikTok has put this into the inbox of the app, where the account's owner finishes the post."
NEXT_CHECK = timedelta(minutes=2)
"""How often TikTok is asked for the public id of a published post."""


class TikTok(Platform[TikTokSettings, TikTokCredentials], RenewsByRefreshToken[TikTokCredentials]):
    """TikTok's Content Posting API, for creators."""

    name = "tiktok"
    label = "TikTok"
    base_url = "https://open.tiktokapis.com"
    domains = ("tiktokapis.com",)
    api = ApiVersion("v2")
    sends_files = True
    account_prefix = "tt"
    request_id_header = "x-tt-logid"
    # Only an incomplete upload ever counts as absent, and the count of its bytes may lag; the number is ours.
    read_lag = timedelta(seconds=45)
    pulls = MediaPulls(frozenset({MediaType.IMAGE}), from_verified_domain=True)
    read_error = staticmethod(errors.read_error)
    refusals = errors.REFUSALS
    broken_rules = staticmethod(rules.check)
    rules = rules.RULES
    settings = TikTokSettings
    credentials = TikTokCredentials
    tokens = TOKENS
    token_endpoint = ENDPOINT

    def refusal_applies(self, code: str, credentials: TikTokCredentials, draft: Draft[TikTokSettings]) -> bool:
        """Return whether a refusal of the app, by its code, also stops this draft.

        Only photos are fetched from URLs. An app that is not audited may fill inboxes, and may post with SELF_ONLY to
        some accounts, but only TikTok knows to which.
        """
        if code in {NO_PUBLIC_URL, errors.ADDRESS_UNVERIFIED}:
            return not is_video(draft)
        return code != errors.NOT_AUDITED or not (draft.settings.draft or draft.settings.privacy_level == ONLY_SELF)

    def shows_posts(self, credentials: TikTokCredentials, draft: Draft[TikTokSettings]) -> bool:
        """Return whether it is a video: photos are listed only after their moderation."""
        return is_video(draft)

    def prepare_rate_limits(self, draft: Draft[TikTokSettings]) -> tuple[RateLimit, ...]:
        """Return how often an upload may begin; photos have no upload, because TikTok fetches them."""
        return self.rules.prepare_rate_limits if is_video(draft) else ()

    async def whoami(self, connection: TikTokConnection) -> Identity:
        """Ask TikTok whose token this is; the user name needs a permission of its own."""
        try:
            answer = await read(connection, "/v2/user/info/", fields="open_id,display_name,username")
        except PlatformError as error:
            if error.code != "scope_not_authorized":
                raise
            # Without the permission for the name, TikTok refuses all fields.
            answer = await read(connection, "/v2/user/info/", fields="open_id,display_name")
        user = answer.get("user")
        if not isinstance(user, dict) or not user.get("open_id"):
            raise PlatformError(ErrorKind.TRANSIENT, "TikTok did not say whose token this is.", code="no_identity")
        return Identity(str(user["open_id"]), str(user.get("username") or user.get("display_name") or ""))

    async def prepare(self, connection: TikTokConnection, context: TikTokContext) -> None:
        """Check the settings against what the creator may do now, and upload a video up to its last chunk."""
        if (failed := context.handles.get("failed")) is not None:
            raise await PublishVerdict(connection, context).fail(failed)
        creator = {} if context.draft.settings.draft else await _creator(connection, context)
        if is_video(context.draft):
            await Upload(connection, context).prepare(creator)

    async def publish(self, connection: TikTokConnection, context: TikTokContext) -> Published:
        """Send what makes TikTok publish; await the verdict. Raises PlatformError, `unconfirmed` if it takes long."""
        verdict, upload = PublishVerdict(connection, context), Upload(connection, context)
        if is_video(context.draft):
            if not (upload.known and upload.known.get("last")) or await _wants_last_chunk(verdict, upload):
                await upload.finish()
        elif verdict.publish_id is None:
            body = photo_body(context.draft, context.handles.get("creator", {}))
            data = await call(connection, "/v2/post/publish/content/init/", body, public=True)
            if not data.get("publish_id"):
                raise PlatformError(ErrorKind.UNCONFIRMED, "TikTok gave no publish_id.", code="unreadable_answer")
            context.handles["publishId"] = str(data["publish_id"])
            await context.save(context.handles)
        return await verdict.watch()

    async def confirm_sent(self, connection: TikTokConnection, context: TikTokContext, sent_at: datetime) -> Finding:
        """Ask for the post by its publish_id; photos whose publish_id was lost are looked for."""
        return await PublishVerdict(connection, context).find(sent_at)

    async def complete(self, connection: TikTokConnection, context: TikTokContext, published: Published) -> Published:
        """Ask for the public id, which TikTok reports after moderation, sometimes hours later."""
        settings, verdict = context.draft.settings, PublishVerdict(connection, context)
        if settings.draft:
            return Published(published.platform_post_id, published.url, warning=IN_INBOX)
        if published.platform_post_id != verdict.publish_id or settings.privacy_level != PUBLIC:
            return published
        status = await verdict.status()
        if status.post_id is None:
            message = "TikTok has not given the post its public address yet."
            raise PlatformError(ErrorKind.NOT_READY, message, code="no_post_id", retry_after=NEXT_CHECK)
        return verdict.published(status)


async def _creator(connection: TikTokConnection, context: TikTokContext) -> dict[str, Any]:
    """Ask what the creator may do; TikTok's rules demand that before every post."""
    creator = await call(connection, "/v2/post/publish/creator_info/query/")
    options, requested = creator.get("privacy_level_options"), context.draft.settings.privacy_level
    if isinstance(options, list) and requested not in options:
        raise PlatformError(
            ErrorKind.REJECTED,
            f"This TikTok account does not offer the privacy level {requested}. Choose one of {', '.join(options)}.",
            code="privacy_level_option_mismatch",
        )
    known = ("creator_username", "comment_disabled", "duet_disabled", "stitch_disabled", LONGEST)
    context.handles["creator"] = {name: creator.get(name) for name in known}
    await context.save(context.handles)
    return creator


async def _wants_last_chunk(verdict: PublishVerdict, upload: Upload) -> bool:
    """Return whether the last chunk, sent before without a clear response, never reached TikTok."""
    status, known = await verdict.status(), upload.known or {}
    return status.name == "PROCESSING_UPLOAD" and status.uploaded is not None and status.uploaded < known["size"]

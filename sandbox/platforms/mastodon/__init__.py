"""Mastodon: media that need processing, then one call that publishes, with a key that is valid for an hour."""

from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from sandbox.accounts import Account
from sandbox.fake_platform import own, route
from sandbox.fetching import probe
from sandbox.platforms.mastodon.base import (
    ATTACHMENTS,
    CHARACTERS,
    DESCRIPTION,
    IMAGE_BYTES,
    IMAGE_PIXELS,
    POLL,
    STATUS_SECONDS,
    STATUSES,
    TYPES,
    UPLOAD_SECONDS,
    UPLOADS,
    VIDEO_BYTES,
    FakeMastodon,
    Medium,
    flag,
    server_name,
    unprocessable,
)
from sandbox.platforms.mastodon.reads import ReadRoutes, described_medium, described_status, graphemes, length, visible
from sandbox.posts import PublicPost
from sandbox.wire import Answer, RefusedError, Request
from sandbox.world import World

KEY_SECONDS = 3600
"""How long an Idempotency-Key is valid."""


class Key(msgspec.Struct, rename="camel"):
    """One Idempotency-Key with the status that it made, or with the refusal. Times are seconds since 1970."""

    status_id: str
    used_at: float
    refused: int = 0
    refusal_body: str = msgspec.field(default="", name="said")


class Keys:
    """The keys of all accounts."""

    def __init__(self, fake: FakeMastodon) -> None:
        self._fake = fake
        self._keys = fake.world.collection("mastodon", "key", Key)

    def publish(self, account: Account, request: Request, make: Callable[[], str]) -> str:
        """Return the id of the status that the request makes or that its key has made already. Raises RefusedError."""
        key = request.header("idempotency-key")
        if not key or self._fake.holds("keys_ignored", account):
            return make()
        name, now = f"{account.account_id}/{key}", self._fake.world.now()
        known = self._keys.get(name)
        if known is not None and now - known.used_at < KEY_SECONDS:
            return self._repeated(account, known)
        if self._fake.holds("known_key_400", account):
            # Stored before the request is checked, so that a refused request uses the key up as well.
            self._keys.put(name, Key("", now))
        try:
            status_id = make()
        except RefusedError as error:
            if self._fake.holds("keys_of_refusals", account):
                self._keys.put(name, Key("", now, error.answer.status, error.answer.body.decode()))
            raise
        self._keys.put(name, Key(status_id, now))
        return status_id

    def _repeated(self, account: Account, known: Key) -> str:
        if self._fake.holds("known_key_400", account):
            raise RefusedError(self._fake.failure(400, "Duplicate idempotency key."))
        if self._fake.holds("known_key_500", account):
            raise RefusedError(self._fake.failure(500))
        if known.refused:
            raise RefusedError(
                Answer(known.refused, known.refusal_body.encode(), [(b"content-type", b"application/json")])
            )
        return known.status_id


UNUSED_SECONDS = 86_400
"""How long an upload is kept without a status."""
PROCESSING_SECONDS = 6.0
"""How long a video is processed if `realistic` is set (unverified; real times vary widely)."""
VISIBILITIES = ("public", "unlisted", "private", "direct")


class Mastodon(ReadRoutes):
    """A fake Mastodon server, in place of https://mastodon.social."""

    without_effect: ClassVar[frozenset[str]] = frozenset({"exclude_reblogs", "lang"})
    platform: ClassVar[str] = "mastodon"
    label: ClassVar[str] = "Mastodon"
    colour: ClassVar[str] = "#6364ff"
    account_prefix: ClassVar[str] = "ma"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.keys = Keys(self)

    @route("POST", "/api/v2/media", "prepare")
    @route("POST", "/api/v1/media", "prepare")
    async def upload(self, request: Request) -> Answer:
        """Receive a file; a video is answered with status 202, before it is processed."""
        account = self.account(request)
        self.admit(self.count(account, UPLOADS, UPLOAD_SECONDS, "uploads"))
        values = request.form()
        content, description = values.get("file"), values.get("description")
        if not isinstance(content, bytes) or not content:
            raise unprocessable("Validation failed: File can't be blank")
        file_format = probe(content)
        if file_format is None or file_format.content_type not in TYPES:
            raise unprocessable("Validation failed: File content type is invalid, File is invalid")
        # The server converts a GIF to a video.
        if len(content) > (
            IMAGE_BYTES if file_format.is_image and file_format.content_type != "image/gif" else VIDEO_BYTES
        ):
            raise unprocessable("Validation failed: File file size must be less than allowed")
        if file_format.is_image and file_format.width * file_format.height > IMAGE_PIXELS:
            raise unprocessable(f"{file_format.width}x{file_format.height} images are not supported")
        if description is not None and len(str(description)) > DESCRIPTION:
            raise unprocessable(f"Validation failed: Description character limit of {DESCRIPTION} exceeded")
        kind = "gifv" if file_format.content_type == "image/gif" else "image" if file_format.is_image else "video"
        medium = Medium(
            id=self.ids.next(),
            account_id=account.account_id,
            kind=kind,
            ready_at=self.world.now() + (PROCESSING_SECONDS if self.world.realistic and kind != "image" else 0),
            src=self.keep_upload(self.ids.next(), file_format.content_type, content),
            description=str(description) if description else None,
        )
        self.media.put(medium.id, medium)
        ready = medium.ready_at <= self.world.now()
        return Answer.json(described_medium(medium, self.world.now()), 200 if ready else 202)

    @route("GET", "/api/v1/media/{id}", "prepare")
    async def medium(self, request: Request) -> Answer:
        """Return an upload; status 206 until it is processed."""
        medium = self.own_medium(self.account(request), request.params["id"])
        if medium is None:
            raise RefusedError(self.failure(404))
        ready = medium.ready_at <= self.world.now()
        return Answer.json(described_medium(medium, self.world.now()), 200 if ready else 206)

    @route("POST", "/api/v1/statuses", "publish")
    async def create(self, request: Request) -> Answer:
        """Publish a status; if its key was used in the last hour, return the status that the key made."""
        account, values = self.account(request), request.object()
        # Of a repeated request only the key is checked.
        request.ignore_unread()

        def make() -> str:
            request.ignore_unread(undo=True)
            return self._make(account, values)

        answer = self.keys.publish(account, request, make)
        post = self.world.posts.get(self.platform, answer)
        if post is None:
            raise RefusedError(self.failure(404))
        return Answer.json(described_status(self, post, account))

    def _make(self, account: Account, values: dict[str, Any]) -> str:
        self.admit(self.count(account, STATUSES, STATUS_SECONDS, "statuses"))
        media = self._attached(account, values)
        text, poll = str(values.get("status") or ""), values.get("poll")
        self._check(account, values, text, media)
        quotes = "quote_id" if self.holds("quote_id", account) else "quoted_status_id"
        values["quoted_status_id"] = values.get(quotes)
        self._named(account, values, "in_reply_to_id", "reply to")
        self._named(account, values, "quoted_status_id", "quote")
        options = _poll(poll) if poll and not self.holds("no_polls", account) else None
        if self.holds("public_or_private", account):
            values["visibility"] = "private" if values.get("visibility") in ("private", "direct") else "public"
        return self._publish(account, values, text, media, options).platform_post_id

    @route("DELETE", "/api/v1/statuses/{id}", "delete")
    async def delete(self, request: Request) -> Answer:
        """Delete a status, and return its source."""
        account = self.account(request)
        post = self.own_status(account, request.params["id"])
        self.world.posts.delete(post)
        return Answer.json(described_status(self, post, account) | {"text": post.text})

    def own_medium(self, account: Account, media_id: str) -> Medium | None:
        """Return an upload of the account that still exists."""
        medium = self.media.get(media_id)
        if medium is None or medium.account_id != account.account_id:
            return None
        expired = medium.status_id is None and self.world.now() - medium.ready_at > UNUSED_SECONDS
        return None if expired else medium

    def own_status(self, account: Account, status_id: str) -> PublicPost:
        """Return one of the account's statuses. Raises RefusedError."""
        return own(self.visible_post(status_id), account, RefusedError(self.failure(404)))

    def _named(self, account: Account, values: dict[str, Any], field: str, deed: str) -> None:
        status_id = values.get(field)
        post = self.visible_post(status_id)
        if status_id and (post is None or not visible(post, account)):
            raise RefusedError(self.failure(404, f"The post you are trying to {deed} does not appear to exist."))

    def _attached(self, account: Account, values: dict[str, Any]) -> list[Medium]:
        ids = [str(medium_id) for medium_id in values.get("media_ids") or []]
        if len(ids) > ATTACHMENTS:
            raise unprocessable(f"Cannot attach more than {ATTACHMENTS} files")
        attached = [self.own_medium(account, medium_id) for medium_id in ids]
        media = [medium for medium in attached if medium is not None and medium.status_id is None]
        if len(media) < len(ids):
            raise unprocessable(f"Media {', '.join(ids)} not found or already attached to another post")
        if len(media) > 1 and any(medium.kind == "video" for medium in media):
            raise unprocessable("Cannot attach a video to a post that already contains images")
        if any(medium.ready_at > self.world.now() for medium in media):
            raise unprocessable("Cannot attach files that have not finished processing. Try again in a moment!")
        if media and values.get("poll") and not self.holds("polls_with_media", account):
            raise unprocessable("Validation failed: Poll cannot be combined with media")
        return media

    def _check(self, account: Account, values: dict[str, Any], text: str, media: list[Medium]) -> None:
        """Check a status against the server's rules. Raises RefusedError."""
        if not text.strip() and not media:
            if self.holds("refuses_403", account):
                raise RefusedError(self.failure(403, "Empty statuses are not allowed"))
            raise unprocessable("Validation failed: Text can't be blank")
        in_full = self.holds("full_links", account)
        # Links in a warning count in full.
        if (graphemes(text) if in_full else length(text)) + graphemes(values.get("spoiler_text")) > CHARACTERS:
            message = f"Text character limit of {CHARACTERS} exceeded"
            raise (
                RefusedError(self.failure(400, message)) if in_full else unprocessable(f"Validation failed: {message}")
            )
        if values.get("visibility") not in (None, *VISIBILITIES):
            raise unprocessable(f"'{values['visibility']}' is not a valid visibility")
        if values.get("quote_approval_policy") not in (None, "public", "followers", "nobody"):
            raise unprocessable("Validation failed: Quote approval policy is invalid")
        if self.holds("two_letter_languages", account) and len(str(values.get("language") or "en")) != 2:
            raise unprocessable("Invalid language")

    def _publish(
        self, account: Account, values: dict[str, Any], text: str, media: list[Medium], options: list[str] | None
    ) -> PublicPost:
        status_id = self.ids.next()
        for medium in media:
            medium.status_id = status_id
            self.media.put(medium.id, medium)
        return self.add_post(
            account,
            status_id,
            text,
            kind=_kind(values, options),
            url=f"{server_name()}/@{account.username}/{status_id}",
            media=[medium.shown() for medium in media],
            note=" · ".join(options) if options else values.get("spoiler_text"),
            detail={
                "media_ids": [medium.id for medium in media],
                "visibility": values.get("visibility") or "public",
                "sensitive": flag(values.get("sensitive")) or bool(values.get("spoiler_text")),
                "spoiler_text": str(values.get("spoiler_text") or ""),
                "language": values.get("language"),
                "poll": options,
                "in_reply_to_id": values.get("in_reply_to_id"),
                "quoted_status_id": values.get("quoted_status_id"),
            },
        )


def _kind(values: dict[str, Any], options: list[str] | None) -> str:
    if options:
        return "poll"
    return "reply" if values.get("in_reply_to_id") else "quote" if values.get("quoted_status_id") else "post"


def _poll(poll: Any) -> list[str]:
    options = [str(option) for option in (poll.get("options") or [])] if isinstance(poll, dict) else []
    seconds = str(poll.get("expires_in", "")) if isinstance(poll, dict) else ""
    if not 2 <= len(options) <= POLL["max_options"] or len(set(options)) < len(options) or not all(options):
        raise unprocessable("Validation failed: Options must be 2 to 4 different ones")
    if any(len(option) > POLL["max_characters_per_option"] for option in options):
        raise unprocessable("Validation failed: Options can't be longer than 50 characters each")
    if not seconds.isdecimal() or not POLL["min_expiration"] <= int(seconds) <= POLL["max_expiration"]:
        raise unprocessable("Validation failed: Expires at is too soon or too far in the future")
    return options

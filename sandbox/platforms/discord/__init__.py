"""Discord's API v10: bots, whose repeats are recognised by a nonce and whose channels can be read, and webhooks."""

from itertools import islice
from typing import Any, ClassVar

import msgspec

from sandbox.accounts import Account
from sandbox.fake_platform import MediaKind, route
from sandbox.fetching import probe
from sandbox.platforms.discord.base import GUILD, FakeGuild, invalid, refused
from sandbox.posts import PublicPost, ShownMedia
from sandbox.wire import Answer, MalformedBodyError, Request
from sandbox.world import World

CONTENT, EMBEDS, EMBED_CHARACTERS, ALT_TEXT, FILES = 2000, 10, 6000, 1024, 10
FILE_BYTES, REQUEST_BYTES = 10 * 1024 * 1024, 25 * 1024 * 1024
NONCE, NONCE_SECONDS = 25, 300
"""Characters, and the seconds for which a nonce is remembered: Discord says some minutes."""
USERNAME, THREAD_NAME = 80, 100
QUESTION, ANSWERS, ANSWER, POLL_HOURS = 300, 10, 55, range(1, 769)

_SHARED = {"content", "embeds", "allowed_mentions", "attachments", "flags", "tts", "components", "poll"}
_BOTS = _SHARED | {"nonce", "enforce_nonce", "message_reference", "sticker_ids", "shared_client_theme"}
_WEBHOOKS = _SHARED | {"username", "avatar_url", "thread_name", "applied_tags"}


class Discord(FakeGuild):
    """The fake Discord, in place of https://discord.com/api/v10."""

    platform: ClassVar[str] = "discord"
    label: ClassVar[str] = "Discord"
    colour: ClassVar[str] = "#5865f2"
    account_prefix: ClassVar[str] = "dc"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        own = (post for post in self.own_posts() if post.detail["nonce"])
        self._by_nonce = {(post.detail["channel"], post.detail["nonce"]): post for post in own}

    @route("POST", "/channels/{id}/messages", "publish")
    async def by_bot(self, request: Request) -> Answer:
        """Create a bot's message; if its nonce is enforced and known already, return the earlier message."""
        account, channel = self.channel(request)
        body, files = _read(request, _BOTS)
        nonce = str(body.get("nonce") or "")
        if len(nonce) > NONCE:
            raise invalid("nonce", "NONCE_TYPE_TOO_LONG", f"Must be {NONCE} or fewer in length.")
        known = self._by_nonce.get((channel, nonce)) if nonce and body.get("enforce_nonce") is True else None
        if self.holds("no_rights", account):
            raise refused(403, 50013, "Missing Permissions")
        if known is not None and known.deleted:
            raise refused(404, 10008, "Unknown Message")
        if known is not None and self.world.now() - known.created_at < NONCE_SECONDS:
            return Answer.json({**self.described(known), "nonce": nonce})
        post = self._publish(account, channel, body, files, self.bot(request))
        if nonce:
            self._by_nonce[channel, nonce] = post
        return Answer.json({**self.described(post), **({"nonce": nonce} if nonce else {})})

    @route("POST", "/webhooks/{id}/{token}", "publish")
    async def by_webhook(self, request: Request) -> Answer:
        """Create a webhook's message; only a request with `wait` receives it in the answer."""
        account, number = self.webhook(request), request.params["id"]
        body, files = _read(request, _WEBHOOKS)
        for name, longest in (("username", USERNAME), ("thread_name", THREAD_NAME)):
            _check_length(name, body.get(name) or "", longest)
        if any(word in str(body.get("username") or "").lower() for word in ("discord", "clyde")):
            raise invalid("username", "USERNAME_INVALID_CONTAINS", "Username cannot contain that.")
        thread = request.query.get("thread_id")
        channel = thread or (self.ids.next() if body.get("thread_name") else self.hook_channel(number))
        author = {"id": number, "username": body.get("username") or account.username, "avatar": None, "bot": True}
        post = self._publish(account, channel, body, files, author, webhook=number)
        return Answer.json(self.described(post)) if request.query.get("wait") == "true" else Answer(204)

    @route("DELETE", "/channels/{id}/messages/{message}", "delete")
    async def remove(self, request: Request) -> Answer:
        """Delete a message of a channel."""
        account, channel = self.channel(request)
        return self._delete(request, channel=channel, account_id=account.account_id)

    @route("DELETE", "/webhooks/{id}/{token}/messages/{message}", "delete")
    async def remove_own(self, request: Request) -> Answer:
        """Delete a message of the webhook."""
        self.webhook(request)
        return self._delete(request, webhook=request.params["id"])

    def _delete(self, request: Request, **where: str) -> Answer:
        post = self.visible_post(request.params["message"])
        if post is None or where.items() - {"account_id": post.account_id, **_place(post)}.items():
            raise refused(404, 10008, "Unknown Message")
        self.world.posts.delete(post)
        return Answer(204)

    def _publish(
        self,
        account: Account,
        channel: str,
        body: dict[str, Any],
        files: dict[str, bytes],
        author: dict[str, Any],
        webhook: str | None = None,
    ) -> PublicPost:
        content, embeds = str(body.get("content") or ""), body.get("embeds") or []
        poll = _poll(body.get("poll"))
        _check(content, [*embeds, *([poll] if poll else [])], files)
        attached = _attached(body.get("attachments") or [], files)
        message = self.ids.next()
        detail = {
            "channel": channel,
            "nonce": str(body.get("nonce") or ""),
            "webhook": webhook,
            "author": author,
            "embeds": [{"type": "rich", **embed} for embed in embeds],
            "poll": poll,
            "flags": body.get("flags") or 0,
            "tts": body.get("tts") is True,
            "attachments": [
                {
                    "id": self.ids.next(),
                    "filename": attachment["filename"],
                    "size": len(attachment["content"]),
                    "url": "",
                    "proxy_url": "",
                }
                | ({"description": attachment["description"]} if attachment["description"] else {})
                for attachment in attached
            ],
        }
        return self.add_post(
            account,
            message,
            content,
            kind="webhook" if webhook else "message",
            url=f"https://discord.com/channels/{GUILD}/{channel}/{message}",
            media=[self._shown(attachment) for attachment in attached],
            note=" · ".join(poll["options"] if poll else [str(embed.get("title") or "") for embed in embeds]) or None,
            detail=detail,
        )

    def _shown(self, attachment: dict[str, Any]) -> ShownMedia:
        file_format = probe(attachment["content"])
        kind: MediaKind = "document"
        if file_format is not None:
            is_gif = file_format.content_type == "image/gif"
            kind = "gif" if is_gif else "image" if file_format.is_image else "video"
        return self.shown_file(kind, attachment["content"], attachment["description"])

    @route("GET", "/users/@me", "confirm")
    async def me(self, request: Request) -> Answer:
        """Return the account that the token belongs to."""
        return Answer.json(self.bot(request))

    @route("GET", "/channels/{id}", "auth")
    async def one_channel(self, request: Request) -> Answer:
        """Describe a channel."""
        account, channel = self.channel(request)
        last = next((post.platform_post_id for post in self._newest(account, channel)), None)
        shown = {"id": channel, "type": 0, "guild_id": self.channel_guild(channel), "name": account.username}
        return Answer.json({**shown, "last_message_id": last})

    @route("GET", "/channels/{id}/messages", "confirm")
    async def messages(self, request: Request) -> Answer:
        """List the messages after an id, newest first."""
        account, channel = self.channel(request)
        limit, after = request.query.get("limit", "50"), request.query.get("after", "0")
        if not limit.isdecimal() or not 1 <= int(limit) <= 100:
            raise invalid("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.")
        if not after.isdecimal():
            raise invalid("after", "NUMBER_TYPE_COERCE", f'Value "{after}" is not snowflake.')
        if self.holds("history_hidden", account):
            return Answer.json([])
        newer = [post for post in self._newest(account, channel) if int(post.platform_post_id) > int(after)]
        # The messages nearest to the id, the newest of them first.
        page = list(islice(reversed(newer), int(limit)))
        return Answer.json([self.described(post) for post in reversed(page)])

    def _newest(self, account: Account, channel: str) -> list[PublicPost]:
        return [
            post
            for post in self.world.posts.by_account(account)
            if post.detail["channel"] == channel and not post.deleted
        ]

    @route("GET", "/webhooks/{id}/{token}", "auth")
    async def one_webhook(self, request: Request) -> Answer:
        """Describe a webhook; only its token is needed."""
        account = self.webhook(request)
        number, channel = request.params["id"], self.hook_channel(request.params["id"])
        return Answer.json(
            {
                "id": number,
                "type": 1,
                "name": account.username,
                "channel_id": channel,
                "guild_id": GUILD,
                "avatar": None,
            }
        )


def _place(post: PublicPost) -> dict[str, Any]:
    return {name: post.detail[name] for name in ("channel", "webhook")}


def _read(request: Request, known: set[str]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the message, and its files by the name of their field."""
    if len(request.body) > REQUEST_BYTES + 64 * 1024:
        raise refused(413, 40005, "Request entity too large")
    form: dict[str, Any] = request.form()
    try:
        body = request.json() if request.is_json else msgspec.json.decode(form.get("payload_json") or "{}")
    except msgspec.DecodeError as error:
        raise MalformedBodyError(str(error)) from error
    if not isinstance(body, dict):
        raise refused(400, 50035, "Invalid Form Body")
    if unknown := sorted(body.keys() - known):
        # Discord ignores unknown names; the sandbox refuses them, so that a misspelt name is found.
        raise invalid(unknown[0], "UNKNOWN_FIELD", "There is no such field.")
    return body, {name: content for name, content in form.items() if isinstance(content, bytes)}


def _poll(poll: Any) -> dict[str, Any] | None:
    """Return a poll's answers. Raises RefusedError if it is no valid poll."""
    match poll:
        case None:
            return None
        case {"question": {"text": str(question)}, "answers": [*answers]} if 0 < len(question) <= QUESTION:
            options = [str((answer.get("poll_media") or {}).get("text") or "") for answer in answers]
            hours = poll.get("duration", 24)
            if (
                0 < len(options) <= ANSWERS
                and all(0 < len(option) <= ANSWER for option in options)
                and hours in POLL_HOURS
            ):
                return {"question": question, "options": options}
    raise invalid("poll", "POLL_INVALID", "The poll is not one that Discord takes.")


def _check(content: str, embeds: list[dict[str, Any]], files: dict[str, bytes]) -> None:
    _check_length("content", content, CONTENT)
    if not content.strip() and not embeds and not files:
        raise refused(400, 50006, "Cannot send an empty message")
    if len(embeds) > EMBEDS or len(files) > FILES:
        raise invalid("embeds", "BASE_TYPE_MAX_LENGTH", f"Must be {EMBEDS} or fewer in length.")
    if sum(len(str(embed.get(name) or "")) for embed in embeds for name in ("title", "description")) > EMBED_CHARACTERS:
        raise invalid("embeds", "MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds maximum size of {EMBED_CHARACTERS}")
    if any(len(file) > FILE_BYTES for file in files.values()):
        raise refused(413, 40005, "Request entity too large")


def _attached(described: list[dict[str, Any]], files: dict[str, bytes]) -> list[dict[str, Any]]:
    """Join the message's descriptions of its files with the files."""
    by_field = {f"files[{attachment.get('id')}]": attachment for attachment in described}
    if by_field.keys() - files.keys():
        raise invalid("attachments", "ATTACHMENT_NOT_FOUND", "An attachment has no file.")
    joined = []
    for field, content in files.items():
        attachment = by_field.get(field, {})
        alt = str(attachment.get("description") or "")
        _check_length("attachments.description", alt, ALT_TEXT)
        joined.append(
            {"filename": attachment.get("filename") or "file", "description": alt or None, "content": content}
        )
    return joined


def _check_length(name: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise invalid(name, "BASE_TYPE_MAX_LENGTH", f"Must be {longest} or fewer in length.")

"""Facebook Pages: a feed, photos uploaded before their post, videos that are uploaded, published and processed."""

import re
from typing import Any, ClassVar
from urllib.parse import urlsplit

from sandbox.accounts import Account
from sandbox.fake_platform import route
from sandbox.graph import flag, invalid, json_parameter, parameters, refused
from sandbox.platforms.facebook.base import Photo
from sandbox.platforms.facebook.videos import VideoRoutes
from sandbox.posts import ShownMedia
from sandbox.wire import Answer, Request

MESSAGE_LENGTH = 63_206
PHOTO_BYTES = 4 * 1024 * 1024
"""Meta recommends this size; here it is the limit."""
GIF_BYTES = 10 * 1024 * 1024
PHOTOS = 10
ALT_TEXT_LENGTH = 1000
"""Unverified."""
CONTENT_TYPES = {
    "ADS_POST",
    "DRAFT",
    "INLINE_CREATED",
    "PUBLISHED",
    "PUBLISH_PENDING",
    "REVIEWABLE_BRANDED_CONTENT",
    "SCHEDULED",
    "SCHEDULED_RECURRING",
}

_ATTACHED = re.compile(r"attached_media\[\d+\]")


class Facebook(VideoRoutes):
    """The fake Facebook, in place of https://graph.facebook.com and https://rupload.facebook.com."""

    without_effect: ClassVar[frozenset[str]] = frozenset(
        {"access_token", "fields", "description", "unpublished_content_type"}
    )
    platform: ClassVar[str] = "facebook"
    label: ClassVar[str] = "Facebook"
    colour: ClassVar[str] = "#0866ff"
    account_prefix: ClassVar[str] = "fb"

    @route("POST", "/{id}/feed", "publish")
    async def feed(self, request: Request) -> Answer:
        """Publish a post, or store it as a draft."""
        account, values = self.owner(request), parameters(request)
        message, link = str(values.get("message") or ""), str(values.get("link") or "")
        photos = self._attached(account, values)
        if not (message or link or photos):
            raise invalid("Requires at least one of message, link, attached_media")
        if len(message) > MESSAGE_LENGTH:
            raise invalid(f"param message must be no longer than {MESSAGE_LENGTH} characters.")
        _check_link(link)
        is_draft = _is_unpublished(values)
        if not photos and not is_draft and self._repeats(account, message, link):
            raise refused("(#506) Duplicate status message", 506)
        post_id = f"{account.user_id}_{self.ids.next()}"
        for photo in photos:
            photo.used = True
            self.photos.put(photo.id, photo)
        if is_draft:
            return Answer.json({"id": post_id})
        media, ids = [photo.shown for photo in photos], [photo.id for photo in photos]
        post = self.make_public(account, post_id, message, "post", media, photos=ids, link=link)
        return Answer.json({"id": post_id} | _read_after_write(request, {"permalink_url": post.url}))

    @route("POST", "/{id}/photos", "prepare")
    async def photo(self, request: Request) -> Answer:
        """Store the bytes of a photo for a post or a story."""
        account, values = self.owner(request), parameters(request)
        alt = str(values.get("alt_text_custom") or "")
        if len(alt) > ALT_TEXT_LENGTH:
            raise invalid(f"param alt_text_custom must be no longer than {ALT_TEXT_LENGTH} characters.")
        if flag(values, "published") is not False:
            raise invalid("The sandbox takes photos with published=false only")
        photo = Photo(self.ids.next(), account.account_id, self._photo_shown(values.get("source"), alt or None))
        self.photos.put(photo.id, photo)
        return Answer.json({"id": photo.id})

    @route("POST", "/{id}/photo_stories", "publish")
    async def photo_story(self, request: Request) -> Answer:
        """Show an unpublished photo for a day."""
        account, values = self.owner(request), parameters(request)
        if values.get("url"):
            raise invalid("param url is not known; a story takes a photo_id")
        [photo] = self._unused(account, [str(values.get("photo_id") or "")])
        photo.used = True
        self.photos.put(photo.id, photo)
        post_id = self.ids.next()
        self.make_public(account, post_id, "", "story", [photo.shown], media_id=photo.id)
        return Answer.json({"success": True, "post_id": post_id})

    @route("POST", "/{id}/comments", "edit")
    async def comment(self, request: Request) -> Answer:
        """Write a comment below a post."""
        _, post = self.own_post(request)
        return self.write_comment(request, f"{post.platform_post_id.rpartition('_')[2]}_")

    @route("DELETE", "/{id}", "delete")
    async def delete(self, request: Request) -> Answer:
        """Delete a post."""
        _, post = self.own_post(request)
        self.world.posts.delete(post)
        return Answer.json({"success": True})

    def _attached(self, account: Account, values: dict[str, Any]) -> list[Photo]:
        listed = json_parameter(values, "attached_media") or []
        named = [json_parameter(values, name) for name in values if _ATTACHED.fullmatch(name)]
        ids = [str(entry.get("media_fbid")) if isinstance(entry, dict) else "" for entry in [*listed, *named]]
        if len(ids) > PHOTOS:
            raise invalid(f"param attached_media must have at most {PHOTOS} elements.")
        return self._unused(account, ids)

    def _unused(self, account: Account, ids: list[str]) -> list[Photo]:
        photos = []
        for photo_id in ids:
            photo = self.photos.get(photo_id)
            if photo is None or photo.account_id != account.account_id:
                raise invalid(f"The photo {photo_id} does not exist.")
            if photo.used:
                raise refused("These photos were already posted.", 100, 1366051)
            photos.append(photo)
        return photos

    def _repeats(self, account: Account, message: str, link: str) -> bool:
        """Return whether the Page's newest post says the same."""
        newest = next((post for post in self.world.posts.by_account(account) if not post.deleted), None)
        if newest is None or newest.kind != "post" or newest.media:
            return False
        return (newest.text, newest.detail.get("link", "")) == (message, link)

    def _photo_shown(self, content: object, alt: str | None) -> ShownMedia:
        if not isinstance(content, bytes) or not content:
            raise refused("Missing or invalid image file", 324, 2069019)
        most = GIF_BYTES if content.startswith(b"GIF8") else PHOTO_BYTES
        shown = self.shown(content, "image", alt) if len(content) <= most else None
        if shown is None:
            raise refused(
                "Invalid parameter", 100, 1366046, "Photos should be smaller than 4 MB and saved as JPG, PNG."
            )
        return shown


def _is_unpublished(values: dict[str, Any]) -> bool:
    kind = values.get("unpublished_content_type")
    if kind is not None and kind not in CONTENT_TYPES:
        raise invalid("param unpublished_content_type must be one of " + ", ".join(sorted(CONTENT_TYPES)))
    return flag(values, "published") is False


def _check_link(link: str) -> None:
    host = urlsplit(link).hostname or "" if link else ""
    if link and ("." not in host or urlsplit(link).scheme not in ("http", "https")):
        raise refused("(#100) The url you supplied is invalid", 100, 1609005)
    if host == "facebook.com" or host.endswith(".facebook.com"):
        raise refused("(#100) Links to facebook.com are not allowed", 100, 1609008)


def _read_after_write(request: Request, known: dict[str, Any]) -> dict[str, Any]:
    fields = request.query.get("fields", "").split(",")
    return {name: value for name, value in known.items() if name in fields}

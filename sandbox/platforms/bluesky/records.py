"""Blobs and records: the rules for a post's record, and the effect of writing one under a known key."""

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec
import regex

from sandbox.accounts import Account
from sandbox.fake_platform import route
from sandbox.formats import probe
from sandbox.operations import Operation
from sandbox.platforms.bluesky.base import (
    DAG_CBOR,
    RAW,
    Blob,
    FakeAT,
    account_did,
    account_handle,
    cid,
    invalid,
    json_object,
    refused,
    text_field,
)
from sandbox.posts import PublicPost, ShownMedia
from sandbox.wire import Answer, MalformedBodyError, Request

COLLECTION = "app.bsky.feed.post"
GRAPHEMES, BYTES = 300, 3000
IMAGES, GALLERY, IMAGE_BYTES, VIDEO_BYTES, THUMB_BYTES = 4, 10, 2_000_000, 300_000_000, 1_000_000

TID = re.compile("[234567abcdefghij][234567abcdefghijklmnopqrstuvwxyz]{12}")
_DID = re.compile(r"did:[a-z]+:[A-Za-z0-9._:%-]+")
_URI = re.compile(r"\w+:(?://)?[^\s/]\S*")
_CID = re.compile(r"b[a-z2-7]{20,}")
_FEATURES = {"link": ("uri", _URI), "mention": ("did", _DID), "tag": ("tag", re.compile(r"\S.{0,639}"))}


def check_post(record: Any) -> None:
    """Refuse a record that is no post."""
    _need(isinstance(record, dict) and record.get("$type") == COLLECTION, f"$type must be {COLLECTION}")
    text = record.get("text")
    _need(isinstance(text, str), "must have the property text")
    _need(len(text.encode()) <= BYTES, f"/text must not be longer than {BYTES} bytes")
    _need(len(regex.findall(r"\X", text)) <= GRAPHEMES, f"/text must not be longer than {GRAPHEMES} graphemes")
    _need(_is_time(record.get("createdAt")), "/createdAt must be an valid atproto datetime")
    languages = record.get("langs", [])
    _need(isinstance(languages, list) and len(languages) <= 3, "/langs must not have more than 3 elements")
    for facet in record.get("facets", []):
        _check_facet(facet, len(text.encode()))
    if "reply" in record:
        for end in ("root", "parent"):
            _check_reference(record["reply"].get(end), f"/reply/{end}")
    if quoted := quoted_by(record):
        _check_reference(quoted.get("record"), "/embed/record")
    list(named_blobs(record))


def named_blobs(record: dict[str, Any]) -> Iterator[tuple[dict[str, Any], int, str]]:
    """Yield the blobs that a record names, each with its size limit in bytes and its permitted kind of type."""
    embed = record_media(record)
    match embed:
        case None:
            return
        case {"$type": "app.bsky.embed.images", "images": [*images]} if images and len(images) <= IMAGES:
            for image in images:
                _need(isinstance(image.get("alt"), str), "/embed/images must have the property alt")
                _check_ratio(image)
                yield _blob(image.get("image")), IMAGE_BYTES, "image/"
        case {"$type": "app.bsky.embed.gallery", "items": [_, *_] as items} if len(items) <= GALLERY:
            for item in items:
                _need(item.get("$type") == "app.bsky.embed.gallery#image", "/embed/items must be images")
                _need(isinstance(item.get("alt"), str), "/embed/items must have the property alt")
                _need("aspectRatio" in item, "/embed/items must have the property aspectRatio")
                _check_ratio(item)
                yield _blob(item.get("image")), IMAGE_BYTES, "image/"
        case {"$type": "app.bsky.embed.video", "video": video}:
            _check_ratio(embed)
            yield _blob(video), VIDEO_BYTES, "video/mp4"
        case {"$type": "app.bsky.embed.external", "external": {"uri": str(uri), "title": str(), "description": str()}}:
            _need(bool(_URI.fullmatch(uri)), "/embed/external/uri must be a uri")
            if "thumb" in embed["external"]:
                yield _blob(embed["external"]["thumb"]), THUMB_BYTES, "image/"
        case _:
            _need(False, "/embed must be one of the embeds of a post, with 1 to 4 images")


def record_media(record: dict[str, Any]) -> Any:
    """Return the media embed of a post with a quote, or the only one if no post is quoted."""
    embed = record.get("embed")
    match embed:
        case {"$type": "app.bsky.embed.record"}:
            return None
        case {"$type": "app.bsky.embed.recordWithMedia", "media": dict(media)}:
            return media
    return embed


def quoted_by(record: dict[str, Any]) -> dict[str, Any] | None:
    """Return the embed of a quoted post."""
    embed = record.get("embed")
    if isinstance(embed, dict) and embed.get("$type") == "app.bsky.embed.recordWithMedia":
        embed = embed.get("record")
        _need(isinstance(embed, dict) and isinstance(record_media(record), dict), "/embed must have record and media")
    elif not isinstance(embed, dict) or embed.get("$type") != "app.bsky.embed.record":
        return None
    return embed if isinstance(embed, dict) else None


def _check_reference(reference: Any, where: str) -> None:
    known = reference if isinstance(reference, dict) else {}
    _need(str(known.get("uri", "")).startswith("at://"), f"{where}/uri must be a valid at-uri")
    _need(bool(_CID.fullmatch(str(known.get("cid", "")))), f"{where}/cid must be a cid string")


def _check_ratio(holder: dict[str, Any]) -> None:
    ratio = holder.get("aspectRatio", {"width": 1, "height": 1})
    fits = all(isinstance(ratio.get(side), int) and ratio[side] >= 1 for side in ("width", "height"))
    _need(fits, "/embed aspectRatio must have whole numbers above 0")


def _blob(reference: Any) -> dict[str, Any]:
    match reference:
        case {"$type": "blob", "ref": {"$link": str(name)}, "mimeType": str(), "size": int()} if _CID.fullmatch(name):
            return dict(reference)
    raise invalid(f"Invalid {COLLECTION} record: Record/embed should be a blob ref")


def _check_facet(facet: Any, length: int) -> None:
    match facet:
        case {"index": {"byteStart": int(start), "byteEnd": int(end)}, "features": [*features]}:
            # A server accepts any position; one outside the text can only be a mistake.
            _need(0 <= start < end <= length, "/facets must lie within the text")
            for feature in features:
                name = str(feature.get("$type", "")).removeprefix("app.bsky.richtext.facet#")
                key, pattern = _FEATURES.get(name, ("", _URI))
                _need(bool(key) and bool(pattern.fullmatch(str(feature.get(key, "")))), f"/facets has no valid {name}")
        case _:
            _need(False, "/facets must have index and features")


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise invalid(f"Invalid {COLLECTION} record: Record{what if what.startswith('/') else ' ' + what}")


BLOB_BYTES = 50_000_000
BLOBS_PER_DAY = 1000


def _write(fake: "RecordRoutes", request: Request) -> Operation:
    """Distinguish a new or repeated record from one that changes a public post."""
    try:
        body = request.json()
        known = fake.find_record(body["repo"], body["rkey"])
        return "edit" if known is not None and known.detail["cid"] != record_cid(body["record"]) else "publish"
    except (MalformedBodyError, KeyError, TypeError):
        return "publish"


def record_cid(record: object) -> str:
    """Return the name of a record by its content; the sandbox hashes JSON, while servers hash CBOR."""
    return cid(msgspec.json.encode(record, order="deterministic"), DAG_CBOR)


class RecordRoutes(FakeAT):
    """The routes of com.atproto.repo."""

    @route("POST", "/xrpc/com.atproto.repo.uploadBlob", "prepare")
    async def upload_blob(self, request: Request) -> Answer:
        """Store a file; the same bytes are the same blob."""
        account = self.account(request)
        self.admit(self.world.windows.take((self.platform, account.account_id, "blobs"), BLOBS_PER_DAY, 86_400))
        if not request.body:
            raise invalid("Request body is empty")
        if len(request.body) > BLOB_BYTES:
            raise refused("PayloadTooLarge", "request entity too large", 413)
        return Answer.json({"blob": self.keep_blob(account, request.body, request.header("content-type")).reference()})

    @route("POST", "/xrpc/com.atproto.repo.createRecord", "publish")
    async def create_record(self, request: Request) -> Answer:
        """Write a new record; a key that is in use is an error of the server."""
        account, body = self._writing(request)
        rkey = body.get("rkey")
        if not isinstance(rkey, str):
            raise invalid("This server leaves the choice of a key to its clients")
        if self.find_record(account_did(account), rkey) is not None:
            return self.failure(500)
        return self._written(self._publish(account, rkey, body["record"]))

    @route("POST", "/xrpc/com.atproto.repo.putRecord", _write)
    async def put_record(self, request: Request) -> Answer:
        """Write a record under its key; the same one again changes nothing, another one replaces it."""
        account, body = self._writing(request)
        rkey = text_field(body, "rkey")
        known = self.find_record(account_did(account), rkey)
        if known is None:
            return self._written(self._publish(account, rkey, body["record"], points=2))
        if known.detail["cid"] == record_cid(body["record"]):
            return Answer.json({"uri": known.platform_post_id, "cid": known.detail["cid"], "validationStatus": "valid"})
        self.take_points(account, 2)
        known.text, known.edits = body["record"]["text"], known.edits + 1
        known.media = self._shown(account, body["record"])
        known.detail = {"rkey": rkey, "record": body["record"], "cid": record_cid(body["record"])}
        return self._written(self.world.posts.changed(known))

    @route("POST", "/xrpc/com.atproto.repo.deleteRecord", "delete")
    async def delete_record(self, request: Request) -> Answer:
        """Delete a record if it exists."""
        account, body = self.account(request), json_object(request)
        known = self.find_record(account_did(account), text_field(body, "rkey"))
        if known is not None:
            known.deleted = True
            self.world.posts.changed(known)
        return Answer.json({})

    @route("GET", "/xrpc/com.atproto.repo.getRecord", "confirm")
    async def get_record(self, request: Request) -> Answer:
        """Read a record; no token is needed."""
        query = dict(request.query)
        account = self.find_account(text_field(query, "repo"))
        rkey = text_field(query, "rkey")
        if self.holds("own_records_only", account):
            session = self.sessions.get(request.bearer)
            if account is None or session is None or session.account_id != account.account_id:
                raise invalid(f"Could not find repo: {query['repo']}")
        known = (
            self.find_record(account_did(account), rkey) if account and query.get("collection") == COLLECTION else None
        )
        if known is None:
            where = f"at://{query['repo']}/{query.get('collection')}/{rkey}"
            raise refused("RecordNotFound", f"Could not locate record: {where}")
        return Answer.json(_described(known))

    @route("GET", "/xrpc/app.bsky.feed.getPosts", "confirm")
    async def get_posts(self, request: Request) -> Answer:
        """Return a post of any account as the public index does, or an empty list."""
        known = self.find_post(text_field(dict(request.query), "uris"))
        if known is None:
            return Answer.json({"posts": []})
        described = _described(known)
        return Answer.json(
            {"posts": [{"uri": described["uri"], "cid": described["cid"], "record": described["value"]}]}
        )

    @route("GET", "/xrpc/com.atproto.repo.listRecords", "confirm")
    async def list_records(self, request: Request) -> Answer:
        """List an account's records, newest first."""
        account = self.find_account(text_field(dict(request.query), "repo"))
        if account is None:
            raise invalid("Could not find repo")
        limit = request.query.get("limit", "50")
        if not limit.isdecimal() or not 1 <= int(limit) <= 100:
            raise invalid("Error: limit can not be greater than 100")
        posts = (post for post in self.world.posts.by_account(account) if not post.deleted)
        return Answer.json({"records": [_described(post) for post in islice(posts, int(limit))]})

    def find_post(self, uri: str) -> PublicPost | None:
        """Return the public post of a name."""
        post = self.world.posts.get(self.platform, uri)
        return None if post is None or post.deleted else post

    def find_record(self, repo: str, rkey: str) -> PublicPost | None:
        """Return a post by its account and key."""
        account = self.find_account(repo)
        return self.find_post(f"at://{account_did(account)}/{COLLECTION}/{rkey}") if account else None

    def keep_blob(self, account: Account, content: bytes, claimed: str, *, stored: bool = True) -> Blob:
        """Store an upload under the name made from its bytes, or only return the name."""
        file_format = probe(content)
        name = cid(content, RAW)
        kind = file_format.content_type if file_format else claimed or "application/octet-stream"
        src = self.keep_upload(name[-16:], file_format.content_type, content) if file_format else None
        key = f"{account.account_id}/{name}"
        blob = Blob(name, account.account_id, kind, len(content), src)
        return self.blobs.get(key) or (self.blobs.put(key, blob) if stored else blob)

    def _writing(self, request: Request) -> tuple[Account, dict[str, Any]]:
        account, body = self.account(request), json_object(request)
        if text_field(body, "repo") not in (account_did(account), account_handle(account)):
            raise invalid("Could not find repo")
        if text_field(body, "collection") != COLLECTION:
            raise invalid("The sandbox keeps posts only")
        if not TID.fullmatch(str(body.get("rkey", ""))):
            raise invalid(f"Invalid record key for {COLLECTION}: it must be a TID")
        check_post(body.get("record"))
        for reference, largest, types in named_blobs(body["record"]):
            self._check_blob(account, reference, largest, types)
        return account, body

    def _check_blob(self, account: Account, reference: dict[str, Any], largest: int, types: str) -> None:
        blob = self.blobs.get(f"{account.account_id}/{reference['ref']['$link']}")
        if blob is None:
            raise refused("BlobNotFound", f"Could not find blob: {reference['ref']['$link']}")
        if blob.size > largest:
            message = f"This file is too large. It is {blob.size} bytes but the maximum size is {largest} bytes."
            raise refused("BlobTooLarge", message)
        if not blob.mime_type.startswith(types):
            raise refused("InvalidMimeType", f"Wrong type of file. It is {blob.mime_type} but it must match {types}.")
        if blob.mime_type != reference["mimeType"]:
            raise refused("InvalidMimeType", f"Referenced Mimetype does not match stored blob: {blob.mime_type}")

    def _publish(self, account: Account, rkey: str, record: dict[str, Any], points: int = 3) -> PublicPost:
        self.take_points(account, points)
        uri = f"at://{account_did(account)}/{COLLECTION}/{rkey}"
        reply, quoted = record.get("reply"), quoted_by(record)
        named = [*(reply or {}).values(), *([quoted["record"]] if quoted else [])]
        # A server accepts any name; an unknown one, or one of an earlier version, can only be a mistake.
        if any(
            (known := self.find_post(reference["uri"])) is None or known.detail["cid"] != reference["cid"]
            for reference in named
        ):
            raise invalid("The post that is answered or quoted is not here")
        return self.world.posts.add(
            PublicPost(
                platform=self.platform,
                account_id=account.account_id,
                platform_post_id=uri,
                text=record["text"],
                created_at=self.world.now(),
                kind="reply" if reply else "quote" if quoted else "post",
                url=f"https://bsky.app/profile/{account_handle(account)}/post/{rkey}",
                media=self._shown(account, record),
                detail={"rkey": rkey, "record": record, "cid": record_cid(record)},
            )
        )

    def _shown(self, account: Account, record: dict[str, Any]) -> list[ShownMedia]:
        embed = record_media(record) or {}
        images = embed.get("images") or (
            [{"image": embed["video"], "alt": embed.get("alt")}] if "video" in embed else []
        )
        shown = []
        for image in images:
            blob = self.blobs.get(f"{account.account_id}/{image['image']['ref']['$link']}")
            kind = "video" if "video" in embed else "image"
            shown.append(
                ShownMedia("video" if kind == "video" else "image", blob.src if blob else None, image["alt"] or None)
            )
        return shown

    def _written(self, post: PublicPost) -> Answer:
        commit = {"cid": cid(post.platform_post_id.encode(), DAG_CBOR), "rev": post.detail["rkey"]}
        written = {"uri": post.platform_post_id, "cid": post.detail["cid"], "commit": commit}
        return Answer.json(written | {"validationStatus": "valid"})


def _described(post: PublicPost) -> dict[str, Any]:
    return {"uri": post.platform_post_id, "cid": post.detail["cid"], "value": post.detail["record"]}

"""The rules for a post's record."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import regex

from sandbox.platforms.bluesky.base import (
    invalid,
)

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

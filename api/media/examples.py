"""Examples of media for the document."""

from typing import Any

from api.views import THUMBNAIL_URL

ID = "med_019bc10f27c07a7d4e9a54c1d9e3f0a1"
PUBLIC_URL = "https://posts.example.com/media/u/wJ2mQk5nUeVtB8xYc1LrPaZd9sGfH3oK/holiday.jpg"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
CURSOR = "eyJpZCI6Im1lZF8wMTlhIn0="
PRESIGN: dict[str, Any] = {"filename": "holiday.jpg", "contentType": "image/jpeg"}
PRESIGN_EXACTLY: dict[str, Any] = {**PRESIGN, "size": 412_345, "sha256": SHA256}
PRESIGNED: dict[str, Any] = {
    "uploadUrl": "https://posts.example.com/media/upload/n0tAr3alS3cr3tButAnExample0fOne43charact3rs",
    "publicUrl": PUBLIC_URL,
    "id": ID,
    "method": "PUT",
    "headers": {"Content-Type": "image/jpeg"},
    "expiresIn": 3600,
}
READY: dict[str, Any] = {
    "id": ID,
    "publicUrl": PUBLIC_URL,
    "filename": "holiday.jpg",
    "state": "ready",
    "contentType": "image/jpeg",
    "size": 412_345,
    "sha256": SHA256,
    "usedBy": [],
    "expiresAt": "2030-12-08T10:00:00Z",
    "createdAt": "2030-12-01T10:00:00Z",
    "errorCode": None,
    "error": None,
    "thumbnailUrl": THUMBNAIL_URL,
}
USED: dict[str, Any] = {**READY, "usedBy": ["post_019bc10f27c07a7d4e9a54c1d9e3f0a1"], "expiresAt": None}
PENDING: dict[str, Any] = {
    **READY,
    "state": "pending",
    "size": None,
    "sha256": None,
    "expiresAt": "2030-12-01T11:00:00Z",
    "thumbnailUrl": None,
}
FETCH: dict[str, Any] = {"url": "https://example.com/holiday.jpg"}
FETCH_NAMED: dict[str, Any] = {"url": "https://example.com/download?id=412", "filename": "holiday.jpg"}
FETCHING: dict[str, Any] = {**PENDING, "state": "fetching", "expiresAt": "2030-12-08T10:00:00Z"}
UNREACHABLE: dict[str, Any] = {
    **FETCHING,
    "state": "rejected",
    "errorCode": "media_unreachable",
    "error": "The file at example.com could not be fetched (404 Not Found). Check that its URL is right and public.",
}
PAGE: dict[str, Any] = {"media": [USED], "cursor": CURSOR, "hasMore": True}
MULTIPART: dict[str, Any] = {"filename": "interview.mp4", "contentType": "video/mp4", "size": 26_214_400}


def multipart(received: int) -> dict[str, Any]:
    """Return an upload of which some of the two parts have come."""
    address = f"https://posts.example.com/v1/media/multipart/{ID}/parts"
    return {
        "id": ID,
        "publicUrl": PUBLIC_URL.replace("holiday.jpg", "interview.mp4"),
        "size": 26_214_400,
        "partSize": 16_777_216,
        "parts": [
            {
                "number": number,
                "size": size,
                "received": number <= received,
                "uploadUrl": None if number <= received else f"{address}/{number}",
            }
            for number, size in ((1, 16_777_216), (2, 9_437_184))
        ],
        "expiresAt": "2030-12-03T10:00:00Z",
    }

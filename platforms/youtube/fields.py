"""The request bodies for a video on YouTube; the names are those of its discovery document."""

from typing import Any

from platforms.base import Draft
from platforms.youtube.rules import video_title
from platforms.youtube.settings import YouTubeSettings

PARTS = "snippet,status"


def video_body(draft: Draft[YouTubeSettings]) -> dict[str, Any]:
    """Return the body that describes a video."""
    settings = draft.settings
    snippet: dict[str, Any] = {
        "title": video_title(draft),
        "description": draft.text,
        "categoryId": settings.category_id,
    }
    if settings.tags:
        snippet["tags"] = settings.tags
    status: dict[str, Any] = {
        "privacyStatus": settings.visibility,
        "selfDeclaredMadeForKids": settings.made_for_kids,
    }
    if settings.contains_synthetic_media is not None:
        status["containsSyntheticMedia"] = settings.contains_synthetic_media
    return {"snippet": snippet, "status": status}


def playlist_item(playlist_id: str, video_id: str) -> dict[str, Any]:
    """Return the body that adds a video to a playlist."""
    video = {"kind": "youtube#video", "videoId": video_id}
    return {"snippet": {"playlistId": playlist_id, "resourceId": video}}


def caption_track(video_id: str, language: str, name: str) -> dict[str, Any]:
    """Return the description of captions that are added to a video."""
    return {"snippet": {"videoId": video_id, "language": language, "name": name}}


def comment_thread(channel_id: str, video_id: str, text: str) -> dict[str, Any]:
    """Return the body that adds a comment to a video."""
    comment = {"snippet": {"textOriginal": text}}
    return {"snippet": {"channelId": channel_id, "videoId": video_id, "topLevelComment": comment}}

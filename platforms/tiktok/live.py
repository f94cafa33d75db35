"""The live check of TikTok. No app can delete its posts, so all are visible to the account only."""

from typing import Any

from platforms.live import Assumption, LiveCheck, SamplePost, SampleResult, find_answers, find_values

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

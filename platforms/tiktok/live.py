"""The live check of TikTok. No app can delete its posts, so all are visible to the account only."""

from typing import Any

from platforms.live import Belief, LiveCheck, Sample, Seen, answers_at, values_of

_PRIVATE: dict[str, Any] = {
    "privacyLevel": "SELF_ONLY",
    "contentPreviewConfirmed": True,
    "expressConsentGiven": True,
}


def _counts_at_once(seen: Seen) -> bool | None:
    counts = [value for each in answers_at(seen, "/status/fetch") for value in values_of(each.body, "uploaded_bytes")]
    sizes = [value for each in answers_at(seen, "/video/init") for value in values_of(each.sent, "video_size")]
    return counts[0] >= sizes[0] if counts and sizes else None


LIVE = LiveCheck(
    samples=(
        Sample(
            "video",
            files=("tall.mp4",),
            settings=_PRIVATE,
            beliefs=(Belief("uploaded_bytes", "The first status counts every byte of the upload.", _counts_at_once),),
        ),
        Sample("photos", files=("plain.jpg", "plain.jpg"), settings=_PRIVATE),
    ),
)

"""The live check of TikTok. No app can delete its posts, so all are visible to the account only."""

from typing import Any

from platforms.live import Assumption, LiveCheck, SamplePost, SampleResult, answers_at, values_of

_PRIVATE: dict[str, Any] = {
    "privacyLevel": "SELF_ONLY",
    "contentPreviewConfirmed": True,
    "expressConsentGiven": True,
}


def _counts_uploaded_bytes(seen: SampleResult) -> bool | None:
    counts = [value for each in answers_at(seen, "/status/fetch") for value in values_of(each.body, "uploaded_bytes")]
    sizes = [value for each in answers_at(seen, "/video/init") for value in values_of(each.sent, "video_size")]
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

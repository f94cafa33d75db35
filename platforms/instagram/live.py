"""The live check of Instagram."""

from platforms.base import Published
from platforms.live import Assumption, LiveCheck, SamplePost, SampleResult


def _is_listed(seen: SampleResult) -> bool | None:
    return isinstance(seen.finding, Published) if seen.finding is not None else None


def _is_taken(seen: SampleResult) -> bool | None:
    if seen.published:
        return True
    return False if seen.error and seen.error.code else None


LIVE = LiveCheck(
    samples=(
        SamplePost("image", files=("plain.jpg",)),
        SamplePost(
            "image of 3:4",
            files=("portrait.jpg",),
            assumptions=(Assumption("ratio", "Images of 3:4 are taken as they are.", _is_taken),),
        ),
        SamplePost("carousel", files=("plain.jpg", "plain.jpg")),
        SamplePost(
            "reel beside the feed",
            files=("tall.mp4",),
            settings={"shareToFeed": False},
            assumptions=(
                Assumption("reel_listed", "A reel that is not shared to the feed is listed in /media.", _is_listed),
            ),
        ),
        SamplePost(
            "trial reel",
            files=("tall.mp4",),
            settings={"trialParams": {"graduationStrategy": "MANUAL"}},
            assumptions=(Assumption("trial_listed", "A trial reel is listed in /media.", _is_listed),),
        ),
    ),
)

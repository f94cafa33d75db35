"""The live check of Bluesky."""

from platforms.base import PublishContext, Published
from platforms.bluesky.connection import BlueskyConnection, call, open_session
from platforms.bluesky.references import COLLECTION
from platforms.bluesky.settings import BlueskySettings
from platforms.live import Assumption, LiveCheck, SamplePost, SampleResult, find_answers, find_values


async def _remove(connection: BlueskyConnection, _: PublishContext[BlueskySettings], published: Published) -> None:
    repo, rkey = await open_session(connection), published.platform_post_id.rpartition("/")[2]
    await call(
        connection, "POST", "com.atproto.repo.deleteRecord", json={"repo": repo, "collection": COLLECTION, "rkey": rkey}
    )


def _names_its_job(seen: SampleResult) -> bool | None:
    answers = find_answers(seen, "app.bsky.video.uploadVideo")
    return bool(find_values(answers[-1].body, "jobId")) if answers else None


LIVE = LiveCheck(
    samples=(
        SamplePost("text", more_text=" · ünïcödé 🧪 https://example.com/", repeats=True),
        SamplePost("image", files=("plain.jpg",)),
        SamplePost("gallery", files=("plain.jpg",) * 5),
        SamplePost(
            "video",
            files=("tall.mp4",),
            assumptions=(
                Assumption("video_job", "The video service's answer to an upload names a job.", _names_its_job),
            ),
        ),
    ),
    remove=_remove,
    by_hand=("How does an account look whose e-mail address is not confirmed: what does the video service answer?",),
)

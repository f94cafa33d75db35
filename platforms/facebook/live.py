"""The live check of Facebook."""

from platforms.base import PublishContext, Published
from platforms.facebook.connection import GRAPH, FacebookConnection
from platforms.facebook.settings import FacebookSettings
from platforms.http.wire import segment
from platforms.live import Assumption, LiveCheck, SamplePost, SampleResult, find_answers, find_values

_UPLOAD_HOSTS = ("graph-video.facebook.com",)


async def _remove(connection: FacebookConnection, _: PublishContext[FacebookSettings], published: Published) -> None:
    await GRAPH.delete(connection, f"/{segment(published.platform_post_id)}")


def _went_to_its_own_host(seen: SampleResult) -> bool | None:
    sent = [exchange for exchange in find_answers(seen, "/videos", method="POST") if exchange.host in _UPLOAD_HOSTS]
    return all(exchange.status == 200 for exchange in sent) if sent else None


def _is_public(seen: SampleResult) -> bool | None:
    reported = [value for exchange in seen.exchanges for value in find_values(exchange.body, "published")]
    return reported[-1] is True if reported else None


_BYTES = Assumption("video_host", "The bytes of a video are taken at graph-video.facebook.com.", _went_to_its_own_host)
_PUBLIC = Assumption("video_public", "A video that is processed is public, and no draft.", _is_public)

LIVE = LiveCheck(
    samples=(
        SamplePost("text", more_text=" · ünïcödé 🧪"),
        SamplePost("image", files=("plain.jpg",)),
        SamplePost("wide video", files=("wide.mp4",), assumptions=(_BYTES, _PUBLIC)),
        SamplePost("upright video", files=("tall.mp4",), assumptions=(_BYTES, _PUBLIC)),
        SamplePost("reel", files=("tall.mp4",), settings={"contentType": "reel"}),
    ),
    remove=_remove,
)

"""The live check of X. It costs some cents."""

from platforms.base import PublishContext, Published
from platforms.http.wire import segment
from platforms.live import Assumption, LiveCheck, SamplePost, SampleResult, find_answers
from platforms.twitter.access import TwitterConnection, call
from platforms.twitter.rules import TwitterSettings


async def _remove(connection: TwitterConnection, _: PublishContext[TwitterSettings], published: Published) -> None:
    await call(connection, "DELETE", f"/2/tweets/{segment(published.platform_post_id)}")


def _takes_alt_text(seen: SampleResult) -> bool | None:
    answers = find_answers(seen, "/2/media/metadata")
    return answers[-1].status == 200 if answers else None


def _finalizes_without_body(seen: SampleResult) -> bool | None:
    answers = find_answers(seen, "/finalize")
    return all(answer.status == 200 for answer in answers) if answers else None


def _keeps_media(seen: SampleResult) -> bool | None:
    tweets = find_answers(seen, "/2/tweets", method="POST")
    edits = [tweet for tweet in tweets if isinstance(tweet.sent, dict) and "edit_options" in tweet.sent]
    return edits[-1].status == 201 if edits else None


_FINALIZE = Assumption("finalize", "The end of an upload needs no body.", _finalizes_without_body)
_EDIT = Assumption("edit_media", "An edit takes the media ids of the version before.", _keeps_media)
_ALT_TEXT = Assumption("alt_text", "Alt texts are taken.", _takes_alt_text)

LIVE = LiveCheck(
    samples=(
        SamplePost("text", more_text=" · ünïcödé 🧪"),
        SamplePost("image", files=("plain.jpg",), assumptions=(_ALT_TEXT, _EDIT)),
        SamplePost("video", files=("wide.mp4",), assumptions=(_FINALIZE, _EDIT)),
    ),
    remove=_remove,
    by_hand=("Does the edited post show the same picture or video? It needs an account with X Premium.",),
)

"""Write answers as HTTP."""

from litestar import Response

from api.posts.answers.answer import Answer
from api.shared.waiting import Deadline

_REPLAYED = {"Idempotent-Replayed": "true"}


def respond(answer: Answer, deadline: Deadline | None = None) -> Response[bytes]:
    """Write an answer as HTTP; `deadline` is that of a request which may wait."""
    headers = dict(_REPLAYED if answer.replayed else {})
    if answer.waited and deadline is not None and deadline.applied_preference is not None:
        headers["Preference-Applied"] = f"wait={deadline.applied_preference}"
    return Response(answer.body, status_code=answer.status, media_type="application/json", headers=headers)

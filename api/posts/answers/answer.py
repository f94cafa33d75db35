"""The answer of an endpoint, and how it becomes HTTP."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from litestar import Response

from api.posts.answers.rendering import render_post
from api.posts.answers.views import PageView
from api.shared.waiting import Deadline
from api.views import write_json
from domain.errors import Problem
from store.models import Post

_REPLAYED = {"Idempotent-Replayed": "true"}


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and the bytes of a body. `waited`: the client's preferred wait was applied."""

    status: int
    body: bytes
    replayed: bool = False
    waited: bool = False
    to_keep: bool = True
    """Whether it is still to be kept for repeats of the request.

    It is not if the transaction of the change has done so, or if a repeat continues the work.
    """


def answer_post(post: Post, status: int = 200, *, waited: bool = False, warnings: Iterable[Problem] = ()) -> Answer:
    """Answer with a post as its rows are now, and with warnings of the request."""
    return Answer(status, write_json(render_post(post, warnings)), waited=waited)


def answer_posts(posts: Sequence[Post], cursor: str | None) -> Answer:
    """Answer 200 with a page of posts; `cursor` leads to the next one."""
    page = PageView(posts=[render_post(post) for post in posts], cursor=cursor, hasMore=cursor is not None)
    return answer_view(page)


def answer_view(view: Mapping[str, Any]) -> Answer:
    """Answer 200 with an object that a view describes."""
    return Answer(200, write_json(view))


def respond(answer: Answer, deadline: Deadline | None = None) -> Response[bytes]:
    """Write an answer as HTTP; `deadline` is that of a request which may wait."""
    headers = dict(_REPLAYED if answer.replayed else {})
    if answer.waited and deadline is not None and deadline.applied_preference is not None:
        headers["Preference-Applied"] = f"wait={deadline.applied_preference}"
    return Response(answer.body, status_code=answer.status, media_type="application/json", headers=headers)

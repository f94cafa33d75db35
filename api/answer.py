"""What an endpoint has to say, before it becomes HTTP."""

from dataclasses import dataclass

from api.views import View, view_of, write
from store.models import Post


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold a status and a body's bytes. `waited` says that the client's preferred wait was heeded."""

    status: int
    body: bytes
    replayed: bool = False
    waited: bool = False


def answer_post(post: Post, status: int = 200, *, waited: bool = False) -> Answer:
    """Answer with a post as its rows are now."""
    return Answer(status, write(view_of(post)), waited=waited)


def answer_view(view: View) -> Answer:
    """Answer 200 with a view."""
    return Answer(200, write(view))

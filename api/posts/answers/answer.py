"""The answer of an endpoint, before it becomes HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from api.errors import Refusal, as_json
from api.posts.answers.rendering import render_post, write_json
from api.posts.answers.views import ErrorView, ProblemView, View, write
from domain.errors import Problem
from store.models import Post
from store.posts.shown import ShownPost


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and the bytes of a body. `waited`: the client's preferred wait was applied."""

    status: int
    body: bytes
    replayed: bool = False
    waited: bool = False


def answer_post(post: Post | ShownPost, status: int = 200, *, waited: bool = False) -> Answer:
    """Answer with a post as its rows are now."""
    return Answer(status, write_json(render_post(post)), waited=waited)


def answer_posts(posts: Sequence[Post | ShownPost], cursor: str | None) -> Answer:
    """Answer 200 with a page of posts; `cursor` leads to the next one."""
    shown = [render_post(post) for post in posts]
    return Answer(200, write_json({"posts": shown, "cursor": cursor, "hasMore": cursor is not None}))


def answer_view(view: View) -> Answer:
    """Answer 200 with a view."""
    return Answer(200, write(view))


def problem_view(problem: Problem) -> ProblemView:
    """Return a problem as clients read it; without platform and account if it concerns no target."""
    found: dict[str, Any] = as_json(problem)
    return ProblemView.model_construct(
        **{name: found[field.alias] for name, field in ProblemView.model_fields.items() if field.alias in found}
    )


def refusal_view(refusal: Refusal, most: int) -> ErrorView:
    """Return an error as clients read it, with up to `most` of its problems."""
    problems = [problem_view(problem) for problem in refusal.problems[:most]]
    first = problems[0]
    said: dict[str, Any] = {"error": first.error, "type": refusal.kind, "code": first.code}
    if first.param is not None:
        said["param"] = first.param
    if "post_id" in first.model_fields_set:
        said["post_id"] = first.post_id
    return ErrorView.model_construct(**said, errors=problems)

"""What an endpoint has to say, before it becomes HTTP."""

from dataclasses import dataclass
from typing import Any

from api.errors import Refusal, as_json
from api.views import ErrorView, ProblemView, View, view_of, write
from domain.errors import Problem
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


def view_problem(problem: Problem) -> ProblemView:
    """Return a problem as clients read it; what concerns no target names none."""
    found: dict[str, Any] = as_json(problem)
    return ProblemView.model_construct(
        **{name: found[field.alias] for name, field in ProblemView.model_fields.items() if field.alias in found}
    )


def view_refusal(refusal: Refusal, most: int) -> ErrorView:
    """Return what an error is answered with, as clients read it, with up to `most` of its problems."""
    problems = [view_problem(problem) for problem in refusal.problems[:most]]
    param = {} if problems[0].param is None else {"param": problems[0].param}
    said: dict[str, Any] = {"error": problems[0].error, "type": refusal.kind, "code": problems[0].code, **param}
    return ErrorView.model_construct(**said, errors=problems)

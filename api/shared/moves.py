"""The errors of requests that would move posts to times at which they cannot be sent."""

from collections.abc import Mapping

from domain.codes import ProblemCode
from domain.errors import Conflict, InvalidRequest, PostsError, Problem
from domain.moves import MoveRefused, Obstacle

_MOST_NAMED = 100
_OF_CAMPAIGN: Mapping[Obstacle, ProblemCode] = {
    Obstacle.OUTSIDE_WINDOW: "outside_window",
    Obstacle.IN_BLACKOUT: "in_blackout",
}


def move_refusal(refused: MoveRefused, param: str) -> PostsError:
    """Return the error of a request whose field `param` would move posts so. It names the first 100 of them."""
    code = _OF_CAMPAIGN.get(refused.obstacle, "invalid_field_value")
    problems = [Problem(str(refused), code, param, post_id=post_id) for post_id in refused.post_ids[:_MOST_NAMED]]
    return (Conflict if refused.obstacle in _OF_CAMPAIGN else InvalidRequest)(problems)

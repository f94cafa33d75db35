"""The body of a post goes through its content without loss, because a PATCH begins with it."""

from api.posts.bodies.parse_post import to_body, to_content
from api.posts.bodies.schemas import PostBody
from domain.schedule import ScheduledTime
from tests.store.posts.test_contents import EVERYTHING


def test_content_becomes_a_body_and_content_again() -> None:
    assert EVERYTHING.scheduled_for
    body = to_body(EVERYTHING)
    of_time = {"scheduled_for", "publish_now", "queue", "is_draft"}
    assert [name for name in PostBody.model_fields.keys() - of_time if getattr(body, name, None) is None] == []
    time = ScheduledTime(EVERYTHING.scheduled_for, EVERYTHING.scheduled_wall, EVERYTHING.timezone)
    assert to_content(body, time).model_copy(update={"planned_for": EVERYTHING.planned_for}) == EVERYTHING

"""A post that resembles the one whose answer was lost may be that post: it is not called absent, and not sent again."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from platforms.base import Absent, PublishContext, Unknown
from tests.platforms.forms import FORMS, Form, quick
from tests.platforms.post_steps import lost, publish
from tests.platforms.rig import Connect, Rig

pytestmark = pytest.mark.usefixtures("quick")
__all__ = ["quick"]

COMPARED = [
    form
    for form in FORMS
    if form.platform in {"discord", "linkedin", "pinterest", "twitter", "youtube"}
    and form.confirmed == "by confirm"
    and not form.size
    # A page's post that shows other uploads than ours is another.
    and not (form.platform == "linkedin" and form.media)
]
TEXT = "The harbour opens at nine, see https://harbour.example/hours?from=post for the tides"
OTHER = "Yesterday's storm took three boats"


async def sent(rig: Rig, form: Form, text: str) -> PublishContext[Any]:
    """Send a post whose request is lost, as if the platform changed its text afterwards."""
    context = form.context(rig, text)
    context.started_at = datetime.now(UTC)
    await lost(rig, context, "drop")
    if "session" in context.handles:
        # YouTube may lose the session that names the video.
        context.handles["session"]["url"] = context.handles["session"]["url"].replace("upload_id=", "upload_id=gone")
    return context


@pytest.mark.parametrize("form", COMPARED, ids=str)
async def test_a_post_whose_text_the_platform_changed_is_not_absent(connect: Connect, form: Form) -> None:
    rig = await form.open(connect)
    context = await sent(rig, form, TEXT)
    similar = form.context(rig, f"{TEXT} and the weather".replace("https://harbour.example/hours?from=post", ""))
    other = form.context(rig, OTHER)
    await publish(rig, other)
    if not form.media or form.platform != "discord":
        assert await rig.platform.confirm(rig.connection(), context) == Absent()
    done = await publish(rig, similar)
    assert await rig.platform.confirm(rig.connection(), context) == Unknown()
    taken = replace(context, taken=frozenset(post["platformPostId"] for post in await rig.posts()))
    assert done.platform_post_id in taken.taken
    assert await rig.platform.confirm(rig.connection(), taken) == Absent()

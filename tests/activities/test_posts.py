"""Short steps that only change rows."""

import dataclasses
from datetime import timedelta

from temporalio.testing import ActivityEnvironment

from activities.commands import GiveUp, PostCommand
from activities.posts import Posts
from domain.post import TargetStatus
from tests.stack import Stack


async def test_a_deletion_knows_whether_it_was_the_one(stack: Stack) -> None:
    post = await stack.save("deleted", [stack.accounts["twitter"]], due_in=timedelta(days=1))
    delete, command = Posts(stack.worker_database).delete, PostCommand(post_id=post.id)
    assert await ActivityEnvironment().run(delete, command) is True
    assert await ActivityEnvironment().run(delete, command) is False
    again = ActivityEnvironment()
    again.info = dataclasses.replace(again.info, attempt=2)
    # Its first run may have deleted it, and lost the connection before it could say so.
    assert await again.run(delete, command) is True


async def test_what_could_not_follow_a_publication_is_told(stack: Stack) -> None:
    post = await stack.publish("nothing follows", [stack.accounts["plain"]])
    (target,) = post.targets
    command = GiveUp(post_id=post.id, target_id=target.id, platform=target.platform, code="incomplete")
    outcome = await ActivityEnvironment().run(Posts(stack.worker_database).give_up, command)
    (target,) = (await stack.read(post.id)).targets
    assert (outcome.status, target.status) == (TargetStatus.PUBLISHED, TargetStatus.PUBLISHED)
    assert "could not be added" in (target.warning or "")

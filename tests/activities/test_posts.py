"""Short steps that only change rows."""

import dataclasses
from datetime import timedelta

from temporalio.testing import ActivityEnvironment

from activities.commands import PostCommand
from activities.posts import Posts
from tests.stack import Stack


async def test_a_deletion_knows_whether_it_was_the_one(stack: Stack) -> None:
    post = await stack.save("deleted", [stack.accounts["twitter"]], due_in=timedelta(days=1))
    delete, command = Posts(stack.database).delete, PostCommand(post_id=post.id)
    assert await ActivityEnvironment().run(delete, command) is True
    assert await ActivityEnvironment().run(delete, command) is False
    again = ActivityEnvironment()
    again.info = dataclasses.replace(again.info, attempt=2)
    # Its first run may have deleted it, and lost the connection before it could say so.
    assert await again.run(delete, command) is True

"""Short steps that only change rows."""

from temporalio.testing import ActivityEnvironment

from activities.commands import GiveUpCommand, GiveUpReason
from activities.posts import PostActivities
from domain.post import TargetStatus
from tests.stack import Stack


async def test_incomplete_follow_up_is_reported(stack: Stack) -> None:
    post = await stack.publish("nothing follows", [stack.accounts["plain"]])
    (target,) = post.targets
    command = GiveUpCommand(
        post_id=post.id,
        version=1,
        target_id=target.id,
        platform=target.platform,
        code=GiveUpReason.INCOMPLETE,
    )
    outcome = await ActivityEnvironment().run(PostActivities(stack.worker_database).give_up, command)
    (target,) = (await stack.read(post.id)).targets
    assert (outcome.status, target.status) == (TargetStatus.PUBLISHED, TargetStatus.PUBLISHED)
    assert "could not be added" in (target.warning or "")

"""Discord's reads: the bot, its channel and the messages in it, and a webhook."""

from itertools import islice

from sandbox.accounts import Account
from sandbox.fake_platform import route
from sandbox.platforms.discord.base import GUILD, FakeGuild, invalid
from sandbox.posts import PublicPost
from sandbox.wire import Answer, Request


class ReadRoutes(FakeGuild):
    """The routes of every GET request."""

    @route("GET", "/users/@me", "confirm")
    async def me(self, request: Request) -> Answer:
        """Return the account that the token belongs to."""
        return Answer.json(self.bot(request))

    @route("GET", "/channels/{id}", "auth")
    async def one_channel(self, request: Request) -> Answer:
        """Describe a channel."""
        account, channel = self.channel(request)
        last = next((post.platform_post_id for post in self._newest(account, channel)), None)
        shown = {"id": channel, "type": 0, "guild_id": self.channel_guild(channel), "name": account.username}
        return Answer.json({**shown, "last_message_id": last})

    @route("GET", "/channels/{id}/messages", "confirm")
    async def messages(self, request: Request) -> Answer:
        """List the messages after an id, newest first."""
        account, channel = self.channel(request)
        limit, after = request.query.get("limit", "50"), request.query.get("after", "0")
        if not limit.isdecimal() or not 1 <= int(limit) <= 100:
            raise invalid("limit", "NUMBER_TYPE_MAX", "int value should be between 1 and 100.")
        if not after.isdecimal():
            raise invalid("after", "NUMBER_TYPE_COERCE", f'Value "{after}" is not snowflake.')
        if self.holds("history_hidden", account):
            return Answer.json([])
        newer = [post for post in self._newest(account, channel) if int(post.platform_post_id) > int(after)]
        # The messages nearest to the id, the newest of them first.
        page = list(islice(reversed(newer), int(limit)))
        return Answer.json([self.described(post) for post in reversed(page)])

    def _newest(self, account: Account, channel: str) -> list[PublicPost]:
        return [
            post
            for post in self.world.posts.by_account(account)
            if post.detail["channel"] == channel and not post.deleted
        ]

    @route("GET", "/webhooks/{id}/{token}", "auth")
    async def one_webhook(self, request: Request) -> Answer:
        """Describe a webhook; only its token is needed."""
        account = self.webhook(request)
        number, channel = request.params["id"], self.hook_channel(request.params["id"])
        return Answer.json(
            {
                "id": number,
                "type": 1,
                "name": account.username,
                "channel_id": channel,
                "guild_id": GUILD,
                "avatar": None,
            }
        )

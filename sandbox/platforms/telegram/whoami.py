"""The bot's identity, its chat and its rights there."""

from sandbox.accounts import Account
from sandbox.fake_platform import route
from sandbox.platforms.telegram.base import SHARED_BOT, SHARED_BOT_NAME, bad, done, parameters
from sandbox.platforms.telegram.updates import UpdateRoutes
from sandbox.wire import Answer, Request


def bot(account: Account) -> dict[str, object]:
    """Describe the account's bot; its number is made from the chat's number."""
    number = int(account.user_id) % 9_000_000_000 + 1_000_000_000
    return {"id": number, "is_bot": True, "first_name": account.username, "username": f"{account.username}_bot"}


class ChatRoutes(UpdateRoutes):
    """The routes of getMe, getChat and getChatMember, by GET and POST like every method."""

    @route("GET", "/bot{token}/getMe", "auth")
    @route("POST", "/bot{token}/getMe", "auth")
    async def me(self, request: Request) -> Answer:
        """Return the account that the token belongs to."""
        if self.token(request) == SHARED_BOT:
            number = int(SHARED_BOT.partition(":")[0])
            return done({"id": number, "is_bot": True, "first_name": "Sandbox", "username": SHARED_BOT_NAME})
        return done(bot(self.account(request)))

    @route("GET", "/bot{token}/getChat", "auth")
    @route("POST", "/bot{token}/getChat", "auth")
    async def one_chat(self, request: Request) -> Answer:
        """Describe a chat by number or name."""
        account = self.account(request)
        self.own_chat(account, parameters(request).get("chat_id"))
        return done({**self.chat(account), "accent_color_id": 0, "max_reaction_count": 11})

    @route("GET", "/bot{token}/getChatMember", "auth")
    @route("POST", "/bot{token}/getChatMember", "auth")
    async def member(self, request: Request) -> Answer:
        """Return the bot's rights in the chat."""
        account, values = self.account(request), parameters(request)
        self.own_chat(account, values.get("chat_id"))
        if self.token(request) == SHARED_BOT:
            member = self.rights(account, values.get("user_id"))
            if member is None:
                raise bad("member not found")
            return done({**member, "user": {"id": values.get("user_id")}})
        rights = {"can_post_messages": True, "can_edit_messages": True, "can_delete_messages": True}
        return done({"status": "administrator", "user": bot(account), "can_be_edited": False, **rights})

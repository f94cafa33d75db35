"""The rules of the operator's app at a platform: its options in SOCIALSYNCER_APPS, its bot, and who registers it."""

from dataclasses import dataclass
from enum import Enum, auto

BOT_TOKEN = "botToken"  # noqa: S105 - the name of an option
"""The option of SOCIALSYNCER_APPS that holds the token of the operator's bot."""


class Bot(Enum):
    """The part that a bot has in the operator's app."""

    NONE = auto()
    OPTIONAL = auto()
    """An app may have a bot, whose token is one of its options."""
    WHOLE_APP = auto()
    """An app consists of its bot only, so that the operator gives the bot's token alone."""


@dataclass(frozen=True, slots=True)
class AppRules:
    """The rules of the operator's app at one platform."""

    family: str = ""
    """The name under which platforms share the operator's app: Google's one app serves two platforms."""
    more_options: frozenset[str] = frozenset()
    """Options of this platform only, by their names in the environment."""
    registers_itself: bool = False
    """Whether this service registers its app at each server itself, so that the operator needs no client id."""
    bot: Bot = Bot.NONE

    @property
    def options(self) -> frozenset[str]:
        """Return the options besides client id and secret."""
        return self.more_options | ({BOT_TOKEN} if self.has_bot else frozenset())

    @property
    def has_bot(self) -> bool:
        """Return whether accounts may use the operator's bot: its token is added to each request."""
        return self.bot is not Bot.NONE

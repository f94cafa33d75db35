"""The operator's bots: their tokens are not stored with accounts, and people post codes where a bot is to publish."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from platforms.access.connector import Connect, Connector
from platforms.access.registered_apps import App
from platforms.app_rules import BOT_TOKEN
from platforms.base import C
from platforms.errors import ErrorKind, PlatformError

OF_APP = "-"
"""What an account's credentials hold instead of a token if it uses the operator's bot."""


def bot_token(app: App | None) -> SecretStr | None:
    """Return the token of an app's bot, None if it has none."""
    token = app.options.get(BOT_TOKEN) if app else None
    return SecretStr(token) if isinstance(token, str) and token else None


def require_bot_token(app: App, label: str) -> SecretStr:
    """Return the token of an app's bot. Raises PlatformError if it has none."""
    token = bot_token(app)
    if token is None:
        message = f"This service has no bot at {label}. Its operator must set {BOT_TOKEN} in SOCIALSYNCER_APPS."
        raise PlatformError(ErrorKind.OPERATOR, message, code="no_bot")
    return token


@dataclass(frozen=True, slots=True)
class CodePost:
    """A post that consists of a code, and the place where it is."""

    code: str
    place: str
    author: str | None
    """The user whose rights must still be checked; None if only those who decide for the place can post there so."""
    message: int


async def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True)
class Inbox:
    """New posts with codes. `forget` tells the platform that they were read."""

    posts: Sequence[CodePost]
    forget: Callable[[], Awaitable[None]] = _nothing


class CodeConnector(Connector[C], ABC):
    """A platform where a person posts a code in the place that is to be connected, instead of consenting on a page."""

    @abstractmethod
    async def invite(self, connect: Connect, app: App) -> str:
        """Return where a person adds the operator's bot, before the code is posted there. Raises PlatformError."""

    @abstractmethod
    async def inbox(self, connect: Connect, app: App) -> Inbox:
        """Return the codes that were posted. Raises PlatformError."""

    @abstractmethod
    async def may_connect(self, connect: Connect, app: App, post: CodePost) -> bool:
        """Return whether the person who posted a code may decide for that place. Raises PlatformError."""

    @abstractmethod
    async def remove_code_post(self, connect: Connect, app: App, post: CodePost) -> None:
        """Remove the post with the code. Raises PlatformError."""

    @abstractmethod
    def credentials_at(self, app: App, place: str) -> C:
        """Return the credentials of a place that the operator's bot was added to."""

"""The operator's bots: accounts of a platform may share one bot, whose token is not stored with the accounts."""

from pydantic import SecretStr

from platforms.access.registered_apps import App
from platforms.app_rules import BOT_TOKEN
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

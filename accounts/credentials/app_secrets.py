"""The secrets in credentials: of the operator's apps, added for each request and never stored with an account."""

from typing import Any, TypeVar

from pydantic import BaseModel

from platforms.access.bots import bot_token
from platforms.access.registered_apps import RegisteredApps
from platforms.base import AnyPlatform
from platforms.errors import ErrorKind, PlatformError


def plain(credentials: BaseModel) -> dict[str, Any]:
    """Return credentials as JSON with their secrets in clear text; only the vault may get this."""
    dumped: dict[str, Any] = {}
    for name, value in credentials:
        if value is not None:
            dumped[name] = value.get_secret_value() if hasattr(value, "get_secret_value") else value
    return dumped


C = TypeVar("C", bound=BaseModel)


def require_own_app(apps: RegisteredApps, platform: AnyPlatform, credentials: BaseModel, workspace_id: str) -> None:
    """Raise PlatformError if stored credentials name an app that is for other workspaces."""
    if apps.is_of_others(platform, platform.app_id(credentials), workspace_id):
        message = (
            f"This {platform.label} account was connected by an app that its workspace may not use. "
            "Connect it again by an app of the workspace."
        )
        raise PlatformError(ErrorKind.AUTH, message, code="account_not_connected")


def with_app_secret(apps: RegisteredApps, platform: AnyPlatform, credentials: C, workspace_id: str) -> C:
    """Return credentials with the secret of the app that they name; an account's own secret stays.

    The secret of an app that the workspace may not use is not added. The credentials are for requests only: before they
    are stored, `with_stored_secret` removes the app's secret.
    """
    client_id = getattr(credentials, "client_id", None)
    if client_id is not None and platform.app.has_bot:
        token = bot_token(apps.by_client(platform, client_id, workspace_id))
        return credentials if token is None else credentials.model_copy(update={"access_token": token})
    if client_id is None or getattr(credentials, "client_secret", None) is not None:
        return credentials
    app = apps.by_client(platform, client_id, workspace_id)
    if app is None or app.client_secret is None:
        return credentials
    return credentials.model_copy(update={"client_secret": app.client_secret})


def with_stored_secret(credentials: C, stored: C) -> C:
    """Return credentials with the app secret of the stored ones, which may have none."""
    if not hasattr(stored, "client_secret"):
        return credentials
    return credentials.model_copy(update={"client_secret": stored.client_secret})

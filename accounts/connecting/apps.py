"""The app and the server of an authorization: found, registered and reached for one connection."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from accounts.connecting.context import ConnectContext
from accounts.connecting.refusals import ConnectRefused
from platforms.access.connect import Connector, connectors
from platforms.access.registered_apps import App
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import Wire
from platforms.servers.reach import FORBIDDEN


def app_for(step: ConnectContext) -> App:
    """Return the app with which a connection is to begin. Raises ConnectRefused if there is none."""
    platform, row = step.platform, step.row
    app = step.accounts.registered_apps.of_workspace(platform, row.workspace_id)
    if app is None and platform.registers_itself:
        return App("")
    app = app or connectors()[row.platform].own_app(row.redirect_url or "")
    if app is None:
        message = f"This service has no app at {platform.label}. Its operator must set SOCIALSYNCER_APPS."
        raise ConnectRefused("platform_not_configured", message)
    return app


def app_of(step: ConnectContext, kept: Mapping[str, Any]) -> App:
    """Return the app with which a connection was begun."""
    if step.platform.registers_itself:
        return App(kept["client_id"], SecretStr(kept["client_secret"]), kept["app_options"])
    return step.accounts.registered_apps.by_client(step.platform, kept["client_id"], step.row.workspace_id) or app_for(
        step
    )


async def find_server(step: ConnectContext) -> dict[str, str]:
    """Return the facts about the account's server. Raises ConnectRefused, PlatformError."""
    connector = connectors()[step.row.platform]
    try:
        return await connector.find(lambda credentials: _wire(step, credentials, connector), step.row.options)
    except ValueError as error:
        raise _no_server(step) from error
    except PlatformError as error:
        if error.kind is not ErrorKind.REJECTED or error.code == FORBIDDEN:
            raise
        raise ConnectRefused("invalid_field_value", error.message, param=connector.asked_for_by) from error


def wire_to(step: ConnectContext, connector: Connector[Any]) -> Wire:
    """Return a wire to the server that gives the authorization. Raises ConnectRefused."""
    try:
        target = connector.target(step.row.options)
    except ValueError:
        raise _no_server(step) from None
    return _wire(step, target, connector)


async def register(step: ConnectContext, connector: Connector[Any], wire: Wire, app: App) -> App:
    """Return the app to use. Raises ConnectRefused, PlatformError."""
    try:
        return await connector.register(wire, step.row.redirect_url or "", app)
    except PlatformError as error:
        if error.code == FORBIDDEN or not connector.platform.registers_itself:
            raise
        message = f"{wire.base_url} does not answer as a server of {connector.platform.label} does. Check its name."
        raise ConnectRefused("invalid_field_value", message, param=step.server_param) from error


def _wire(step: ConnectContext, credentials: BaseModel, connector: Connector[Any]) -> Wire:
    return step.accounts.wire_for(step.platform, credentials, step.row.workspace_id, connector.error_of)


def _no_server(step: ConnectContext) -> ConnectRefused:
    message = f"{step.server_param} must be the address of a server, such as https://mastodon.social"
    return ConnectRefused("invalid_field_value", message, param=step.server_param)

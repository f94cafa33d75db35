"""The app and the server of an authorization: found, registered and reached for one connection."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from activities.accounts.connect_refusals import ConnectRefused
from activities.step_context import StepContextFactory
from platforms.access.connect import Connector, connectors
from platforms.access.registered_apps import App
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import Wire
from platforms.registry import platforms
from platforms.servers.reach import FORBIDDEN
from store.models import PendingConnection


def app_for(factory: StepContextFactory, row: PendingConnection) -> App:
    """Return the app with which a connection is to begin. Raises Refused if there is none."""
    platform = platforms()[row.platform]
    app = factory.accounts.registered_apps.of_workspace(platform, row.workspace_id)
    if app is None and platform.registers_itself:
        return App("")
    app = app or connectors()[row.platform].own_app(row.redirect_url or "")
    if app is None:
        message = f"This service has no app at {platform.label}. Its operator must set SOCIALSYNCER_APPS."
        raise ConnectRefused("platform_not_configured", message)
    return app


def app_of(factory: StepContextFactory, row: PendingConnection, kept: Mapping[str, Any]) -> App:
    """Return the app with which a connection was begun."""
    platform = platforms()[row.platform]
    if platform.registers_itself:
        return App(kept["client_id"], SecretStr(kept["client_secret"]), kept["app_options"])
    return factory.accounts.registered_apps.by_client(platform, kept["client_id"]) or app_for(factory, row)


async def find_server(factory: StepContextFactory, row: PendingConnection) -> dict[str, str]:
    """Return the facts about the account's server. Raises Refused, PlatformError."""
    connector = connectors()[row.platform]

    def open_wire(credentials: BaseModel) -> Wire:
        return factory.accounts.wire_for(platforms()[row.platform], credentials, row.workspace_id, connector.error_of)

    try:
        return await connector.find(open_wire, row.options)
    except ValueError as error:
        raise _no_server() from error
    except PlatformError as error:
        if error.kind is not ErrorKind.REJECTED or error.code == FORBIDDEN:
            raise
        raise ConnectRefused("invalid_field_value", error.message, param=connector.asked_for_by) from error


def wire_to(factory: StepContextFactory, row: PendingConnection, connector: Connector[Any]) -> Wire:
    """Return a wire to the server that gives the authorization. Raises Refused."""
    try:
        target = connector.target(row.options)
    except ValueError:
        raise _no_server() from None
    return factory.accounts.wire_for(platforms()[row.platform], target, row.workspace_id, connector.error_of)


async def register(connector: Connector[Any], wire: Wire, app: App, row: PendingConnection) -> App:
    """Return the app to use. Raises Refused, PlatformError."""
    try:
        return await connector.register(wire, row.redirect_url or "", app)
    except PlatformError as error:
        if error.code == FORBIDDEN or not connector.platform.registers_itself:
            raise
        message = f"{wire.base_url} does not answer as a server of {connector.platform.label} does. Check its name."
        raise ConnectRefused("invalid_field_value", message, param="instance") from error


def _no_server() -> ConnectRefused:
    message = "instance must be the address of a server, such as https://mastodon.social"
    return ConnectRefused("invalid_field_value", message, param="instance")

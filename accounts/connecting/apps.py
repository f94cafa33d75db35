"""The app and the server of an authorization: found, registered and reached for one connection."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from accounts.connecting.context import ConnectContext, ConnectRefused, Secrets
from platforms.access.connector import connectors
from platforms.access.consent import FindsServer, OAuthConnector, PublishesApp, oauth_connector
from platforms.access.registered_apps import App
from platforms.access.token_endpoint import UNREADABLE
from platforms.errors import PASSING, ErrorKind, PlatformError
from platforms.http.wire import UNREACHABLE, Wire
from platforms.servers.reach import FORBIDDEN


def app_for(context: ConnectContext) -> App:
    """Return the app with which a connection is to begin. Raises ConnectRefused if there is none."""
    platform, row = context.platform, context.row
    app = context.accounts.registered_apps.workspace_app(platform, row.workspace_id)
    if app is None and platform.app.registers_itself:
        return App("")
    connector = connectors()[row.platform]
    if app is None and isinstance(connector, PublishesApp):
        app = connector.own_app(row.redirect_url or "")
    if app is None:
        message = f"This service has no app at {platform.label}. Its operator must set SOCIALSYNCER_APPS."
        raise ConnectRefused("platform_not_configured", message)
    return app


def app_begun_with(context: ConnectContext, secrets: Secrets) -> App:
    """Return the app with which a connection was begun."""
    if context.platform.app.registers_itself:
        return App(secrets["client_id"], SecretStr(secrets["client_secret"]), secrets["app_options"])
    return context.accounts.registered_apps.by_client(
        context.platform, secrets["client_id"], context.row.workspace_id
    ) or app_for(context)


async def find_server(context: ConnectContext) -> dict[str, str]:
    """Return the facts about the account's server. Raises ConnectRefused, PlatformError."""
    connector = oauth_connector(context.row.platform)
    if not isinstance(connector, FindsServer):
        return {}
    _target(context, connector)
    try:
        return await connector.find_server(
            lambda credentials: _wire(context, credentials, connector), context.row.options
        )
    except PlatformError as error:
        if error.kind is not ErrorKind.REJECTED or error.code == FORBIDDEN:
            raise
        raise ConnectRefused("invalid_field_value", error.message, param=connector.server_option) from error


def connector_at(context: ConnectContext, server: Mapping[str, str]) -> OAuthConnector[Any]:
    """Return the connector of an authorization; `server` are the facts that `find_server` returned."""
    connector = oauth_connector(context.row.platform)
    return connector.at_server(server) if isinstance(connector, FindsServer) else connector


def wire_to(context: ConnectContext, connector: OAuthConnector[Any]) -> Wire:
    """Return a wire to the server that gives the authorization. Raises ConnectRefused."""
    return _wire(context, _target(context, connector), connector)


async def register(context: ConnectContext, connector: OAuthConnector[Any], wire: Wire, app: App) -> App:
    """Return the app to use. Raises ConnectRefused, PlatformError."""
    if not isinstance(connector, FindsServer):
        return app
    try:
        return await connector.register(wire, context.row.redirect_url or "", app)
    except PlatformError as error:
        # Of a server that cannot be reached, or answers something else, the name is more likely to be wrong.
        is_passing = error.kind in PASSING and error.code not in {UNREACHABLE, UNREADABLE}
        if error.code == FORBIDDEN or is_passing or not connector.platform.app.registers_itself:
            raise
        message = f"{wire.base_url} does not answer as a server of {connector.platform.label} does. Check its name."
        raise ConnectRefused("invalid_field_value", message, param=context.server_param) from error


def _target(context: ConnectContext, connector: OAuthConnector[Any]) -> BaseModel:
    """Return credentials that name the server to ask, and nothing else. Raises ConnectRefused."""
    target: BaseModel = context.platform.credentials.model_construct()
    try:
        return connector.target(context.row.options) if isinstance(connector, FindsServer) else target
    except ValueError:
        message = f"{context.server_param} must be the address of a server, such as https://mastodon.social"
        raise ConnectRefused("invalid_field_value", message, param=context.server_param) from None


def _wire(context: ConnectContext, credentials: BaseModel, connector: OAuthConnector[Any]) -> Wire:
    return context.accounts.wire_for(context.platform, credentials, context.row.workspace_id, connector.read_error)

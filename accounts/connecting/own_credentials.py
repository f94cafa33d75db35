"""Connecting of an account by credentials that the client already has."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from accounts.connecting.context import ConnectContext, Obtained
from accounts.connecting.refusals import ConnectRefused
from accounts.connecting.saving import save_accounts
from platforms.access.connector import Candidate, connectors
from platforms.access.consent import OAuthConnector
from platforms.errors import ErrorKind, PlatformError


async def connect_with_credentials(context: ConnectContext, fields: Mapping[str, Any]) -> None:
    """Connect the account of credentials that the client has. Raises ConnectRefused, PlatformError."""
    credentials = _parsed(context, fields)
    new_account = context.accounts.new_account(context.platform, credentials, context.row.workspace_id)
    try:
        identity = await new_account.whoami()
    except PlatformError as error:
        if error.kind is ErrorKind.AUTH and "no longer accepts this" in error.message:
            message = f"{context.platform.label} does not accept these credentials. Check them and try again."
            raise ConnectRefused("credentials_rejected", message, param="credentials") from error
        if error.kind in {ErrorKind.AUTH, ErrorKind.REJECTED}:
            raise ConnectRefused("credentials_rejected", error.message, param="credentials") from error
        raise
    connector, now = connectors().get(context.row.platform), new_account.credentials
    renewed = isinstance(connector, OAuthConnector) and (
        connector.revocable_tokens(now) != connector.revocable_tokens(credentials)
    )
    if renewed:
        context.obtained.append(Obtained(new_account.credentials, [identity.user_id]))
    candidate = Candidate(identity.user_id, identity.username, "profile", new_account.credentials, identity=identity)
    await save_accounts(context, [candidate], "outcome", lifetimes=new_account.lifetimes)


def _parsed(context: ConnectContext, fields: Mapping[str, Any]) -> BaseModel:
    platform = context.platform
    try:
        credentials: BaseModel = platform.credentials.model_validate(dict(fields))
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        message = f"{platform.label} does not take these credentials: {where or 'a field'} is missing or wrong."
        raise ConnectRefused("invalid_field_value", message, param="credentials") from None
    if any(getattr(credentials, name) is not None for name in platform.service_fields):
        message = f"{platform.label} does not take these credentials: this service alone writes some of them."
        raise ConnectRefused("invalid_field_value", message, param="credentials")
    apps, client_id = context.accounts.registered_apps, platform.app_id(credentials)
    if apps.is_of_others(platform, client_id, context.row.workspace_id):
        message = "clientId names an app that this workspace may not use. Leave it out, or name an app of your own."
        raise ConnectRefused("invalid_field_value", message, param="credentials")
    return credentials

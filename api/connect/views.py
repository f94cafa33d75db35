"""The answers of connecting accounts, made of what a worker has written."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, get_origin

from pydantic import AliasChoices, BaseModel, SecretStr
from pydantic.fields import FieldInfo

from api.connect.schemas import (
    ConnectedView,
    CredentialFieldView,
    OptionView,
    ProgressView,
    RefusalView,
    SelectionView,
)
from api.connect.steps import connected_accounts, connection_error, error_code, is_final, selection_options
from domain.schedule import rfc3339
from platforms.base import AnyPlatform
from store.models import ConnectedAccount, PendingConnection

EXPIRED = {"code": "connection_expired", "message": "It was not finished in time. Start again."}
"""The error of a connection that was not finished in time."""


def connected_view(platform: str, account: Mapping[str, Any]) -> ConnectedView:
    """Return a connected account as clients read it."""
    expires_at = account["expires_at"]
    return ConnectedView(
        platform=platform,
        accountId=account["account_id"],
        username=account["username"],
        connectedAt=rfc3339(datetime.fromisoformat(account["connected_at"])),
        permissions=account["permissions"],
        missingPermissions=account["missing"],
        expiresAt=rfc3339(datetime.fromisoformat(expires_at)) if expires_at else None,
    )


def selection_view(row: PendingConnection, known: Mapping[str, ConnectedAccount]) -> ConnectedView:
    """Return a selection that has to be made."""
    return ConnectedView(
        platform=row.platform,
        accountId=None,
        username=None,
        connectedAt=None,
        permissions=[],
        missingPermissions=[],
        expiresAt=None,
        selection=_options_view(row, known),
    )


def _options_view(row: PendingConnection, known: Mapping[str, ConnectedAccount]) -> SelectionView:
    options = [
        OptionView(
            id=option["id"],
            name=option["name"],
            username=option["username"],
            type=option["type"],
            connected=option["account_id"] in known,
            selectable=option["reason"] is None,
            reason=option["reason"],
        )
        for option in selection_options(row) or ()
    ]
    return SelectionView(id=row.id, expiresAt=rfc3339(row.expires_at), options=options)


def progress_view(row: PendingConnection, known: Mapping[str, ConnectedAccount], now: datetime) -> ProgressView:
    """Return the state of a connection; `known` are the accounts of its options that the workspace has."""
    accounts, error = connected_accounts(row), connection_error(row)
    chooses = selection_options(row) is not None and not accounts and not (row.selection_result or {}).get("error")
    status: Literal["pending", "selection", "connected", "failed"] = "selection" if chooses else "pending"
    if accounts:
        status = "connected"
    elif error and is_final(row.selection_result or row.outcome):
        status = "failed"
    elif row.expires_at <= now:
        status, chooses, error = "failed", False, EXPIRED
    return ProgressView(
        platform=row.platform,
        connectionId=row.id,
        status=status,
        expiresAt=rfc3339(row.expires_at),
        accounts=[connected_view(row.platform, account) for account in accounts],
        selection=_options_view(row, known) if chooses else None,
        refusal=RefusalView(error=error["message"], code=error_code(error)) if error and not accounts else None,
    )


def credential_fields(platform: AnyPlatform) -> list[CredentialFieldView]:
    """Return the fields of a platform's credentials by the names that clients write."""
    model: type[BaseModel] = platform.credentials
    return [
        CredentialFieldView(
            name=_name(name, field),
            secret=_is_secret(field),
            required=field.is_required(),
            description=field.description,
        )
        for name, field in model.model_fields.items()
        if name not in platform.service_fields
    ]


def _name(name: str, field: FieldInfo) -> str:
    alias = field.validation_alias
    return str(alias.choices[0]) if isinstance(alias, AliasChoices) else str(alias or field.alias or name)


def _is_secret(field: FieldInfo) -> bool:
    kind = field.annotation
    return kind is SecretStr or (get_origin(kind) is not None and SecretStr in kind.__args__)  # type: ignore[union-attr]

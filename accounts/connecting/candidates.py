"""The results of an authorization: the permissions, and the pages, channels or locations, as rows keep them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from accounts.connecting.refusals import ConnectRefused
from accounts.credentials.plain import plain
from platforms.access.connector import Candidate
from platforms.access.consent import OAuthConnector
from platforms.access.grants import Grant
from platforms.access.registered_apps import App
from platforms.base import AnyPlatform, Identity


def declined_of(connector: OAuthConnector[Any], app: App, grant: Grant, options: Mapping[str, str]) -> list[str]:
    """Return the declined permissions that are not needed. Raises ConnectRefused if a needed one was declined."""
    missing = connector.missing_scopes(app, grant, options)
    if needed := [each for each in missing if each not in connector.optional_scopes]:
        label = connector.platform.label
        message = (
            f"These permissions were declined, and {label} accounts cannot publish without them: {', '.join(needed)}. "
            "Connect again and leave them ticked."
        )
        raise ConnectRefused("permission_missing", message)
    return missing


def number_of(candidate: Candidate[Any]) -> str:
    """Return the account's future user id: the last part of a URN."""
    return candidate.identity.user_id if candidate.identity else candidate.id


def identified(found: Iterable[Candidate[Any]]) -> list[Candidate[Any]]:
    """Return the candidates that can be selected, each with the identity that the platform has just reported."""
    return [
        replace(each, identity=each.identity or Identity(each.id, each.username or each.name))
        for each in found
        if each.reason is None
    ]


def options_of(platform: AnyPlatform, found: Sequence[Candidate[Any]]) -> list[dict[str, Any]]:
    """Return the options from which a person may choose, without secrets."""
    return [
        {
            "id": each.id,
            "name": each.name,
            "username": each.username,
            "type": each.kind,
            "account_id": platform.account_id(number_of(each)),
            "reason": each.reason,
        }
        for each in found
    ]


def stored_of(found: Sequence[Candidate[Any]]) -> dict[str, dict[str, Any]]:
    """Return the candidates by their ids, with their credentials in clear text; only the vault may get this."""
    return {each.id: {**_dumped(each), "credentials": plain(each.credentials)} for each in found}


def _dumped(candidate: Candidate[Any]) -> dict[str, Any]:
    identity = candidate.identity
    return {
        "name": candidate.name,
        "kind": candidate.kind,
        "username": candidate.username,
        "reason": candidate.reason,
        "identity": identity
        and {
            "user_id": identity.user_id,
            "username": identity.username,
            "premium": identity.premium,
            "limits": dict(identity.limits),
        },
    }

"""The results of an authorization: the permissions, and the pages, channels or locations, as rows keep them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from accounts.connecting.refusals import ConnectRefused
from accounts.credentials.plain import plain
from platforms.access.connector import Candidate
from platforms.access.consent import OAuthConnector
from platforms.access.registered_apps import App
from platforms.access.renewal import Grant
from platforms.base import AnyPlatform, Identity


def declined_permissions(
    connector: OAuthConnector[Any], app: App, grant: Grant, options: Mapping[str, str]
) -> list[str]:
    """Return the declined permissions that are not needed. Raises ConnectRefused if a needed one was declined."""
    missing = connector.missing_scopes(app, grant, options)
    if needed := [permission for permission in missing if permission not in connector.optional_scopes]:
        label = connector.platform.label
        message = (
            f"These permissions were declined, and {label} accounts cannot publish without them: {', '.join(needed)}. "
            "Connect again and leave them ticked."
        )
        raise ConnectRefused("permission_missing", message)
    return missing


def user_id(candidate: Candidate[Any]) -> str:
    """Return the id that the account will have at its platform: of a URN, the last part."""
    return candidate.identity.user_id if candidate.identity else candidate.id


def identified(candidates: Iterable[Candidate[Any]]) -> list[Candidate[Any]]:
    """Return the candidates that can be selected, each with the identity that the platform has just reported."""
    return [
        replace(candidate, identity=candidate.identity or Identity(candidate.id, candidate.username or candidate.name))
        for candidate in candidates
        if candidate.reason is None
    ]


def options_to_choose(platform: AnyPlatform, candidates: Sequence[Candidate[Any]]) -> list[dict[str, Any]]:
    """Return the options from which a person may choose, without secrets."""
    return [
        {
            "id": candidate.id,
            "name": candidate.name,
            "username": candidate.username,
            "type": candidate.kind,
            "account_id": platform.account_id(user_id(candidate)),
            "reason": candidate.reason,
        }
        for candidate in candidates
    ]


def sealed_candidates(candidates: Sequence[Candidate[Any]]) -> dict[str, dict[str, Any]]:
    """Return the candidates by their ids, with their credentials in clear text; only the vault may get this."""
    return {
        candidate.id: {**_without_credentials(candidate), "credentials": plain(candidate.credentials)}
        for candidate in candidates
    }


def _without_credentials(candidate: Candidate[Any]) -> dict[str, Any]:
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


def sealed_candidate(platform: AnyPlatform, candidate_id: str, sealed: Mapping[str, Any]) -> Candidate[Any]:
    """Return a candidate as it was when its authorization was exchanged."""
    model = platform.credentials
    credentials = model.model_validate(plain(model.model_construct(**sealed["credentials"])))
    identity = Identity(**sealed["identity"]) if sealed["identity"] else None
    return Candidate(candidate_id, sealed["name"], sealed["kind"], credentials, sealed["username"], identity=identity)

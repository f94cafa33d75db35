"""Grants: what a platform gives for an authorization."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from platforms.access.renewal import Lifetimes


@dataclass(frozen=True, slots=True)
class Grant:
    """The result of an authorization. `scopes` is None if the platform does not report what was granted."""

    access_token: SecretStr
    refresh_token: SecretStr | None = None
    scopes: frozenset[str] | None = None
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    more: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What the platform sent besides the tokens, if its candidates need it; JSON."""

    def dump(self) -> dict[str, Any]:
        """Return it as JSON with its secrets in clear; only the vault may be given this."""
        return {
            "access_token": self.access_token.get_secret_value(),
            "refresh_token": self.refresh_token.get_secret_value() if self.refresh_token else None,
            "scopes": None if self.scopes is None else sorted(self.scopes),
            "expires_at": _text(self.lifetimes.expires_at),
            "refresh_expires_at": _text(self.lifetimes.refresh_expires_at),
            "more": dict(self.more),
        }

    @classmethod
    def load(cls, dumped: Mapping[str, Any]) -> "Grant":
        """Return the grant that `dump` has written."""
        scopes, refresh = dumped["scopes"], dumped["refresh_token"]
        return cls(
            SecretStr(dumped["access_token"]),
            SecretStr(refresh) if refresh else None,
            None if scopes is None else frozenset(scopes),
            Lifetimes(
                _moment(dumped["expires_at"]),
                _moment(dumped["refresh_expires_at"]),
                None if scopes is None else tuple(scopes),
            ),
            dumped["more"],
        )


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None

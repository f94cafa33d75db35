"""States of a platform that last until they are switched off: an app that is not approved, a list that lags behind."""

import msgspec

APP_REFUSED = "app_refused"
"""The platform refuses the operator's app: not approved, a product not enabled, no credits. Every platform has it."""

CLIENT_UNKNOWN = "client_unknown"
"""The token endpoint does not know the app's id and secret. Platforms with renewable tokens have it."""


class Condition(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One condition of a platform; for one account only, if `accountId` names it."""

    platform: str
    condition: str
    account_id: str | None = msgspec.field(default=None, name="accountId")


class Conditions:
    """The conditions that are switched on."""

    def __init__(self) -> None:
        self._on: set[Condition] = set()

    def switch_on(self, condition: Condition) -> None:
        """Switch a condition on."""
        self._on.add(condition)

    def clear(self, platform: str | None = None, account_id: str | None = None) -> None:
        """Switch off the conditions of this platform and account; an argument that is left out means any."""
        self._on = {
            condition
            for condition in self._on
            if platform not in (None, condition.platform) or account_id not in (None, condition.account_id)
        }

    def all(self) -> list[Condition]:
        """Return what is switched on."""
        return sorted(self._on, key=lambda held: (held.platform, held.condition, held.account_id or ""))

    def holds(self, platform: str, condition: str, account_id: str | None = None) -> bool:
        """Return whether a condition holds for an account of a platform."""
        return not self._on.isdisjoint({Condition(platform, condition), Condition(platform, condition, account_id)})

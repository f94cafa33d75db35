"""Settings that name another place than the account's own, and which of them an account may publish to.

One bot, Google user or LinkedIn member can reach more than the account that was connected, such as the places of other
customers. So a post may name such a place only if the operator has allowed it for the account.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from platforms.rules import Violation

ANY = "*"
"""Allows every place that a setting may name."""
CODE: Final = "place_not_allowed"

Allowed = Mapping[str, Collection[str]]
"""The values that an account may give its settings, by their names as clients write them."""


@dataclass(frozen=True, slots=True)
class PlaceSetting:
    """A setting that names a place. `own` returns the account's own place by the account's id on the platform.

    `looked_up`: a place that is not allowed may still be the account's own, and publishing asks the platform.
    """

    name: str
    field: str
    own: Callable[[str], str]
    looked_up: bool = False


def is_allowed(allowed: Allowed, name: str, value: str) -> bool:
    """Return whether an account may publish to the place that a setting names."""
    return not {ANY, value}.isdisjoint(allowed.get(name, ()))


def not_allowed(account_id: str, name: str, value: str) -> str:
    """Return the message that an account may not publish to a place, and what allows it."""
    return (
        f"This account may not publish to {value}. The operator of this service can allow it: "
        f"socialsyncer accounts allow {account_id} {name}={value}"
    )


def refused_places(
    places: Collection[PlaceSetting], settings: Any, account_id: str, user_id: str, allowed: Allowed
) -> Iterator[Violation]:
    """Yield a violation for every place that is neither the account's own nor allowed. Sends no request."""
    for place in places:
        value = getattr(settings, place.field)
        if value is None or place.looked_up or value == place.own(user_id) or is_allowed(allowed, place.name, value):
            continue
        error = not_allowed(account_id, place.name, value)
        yield Violation("platformSpecificData", error, CODE, (place.name,))

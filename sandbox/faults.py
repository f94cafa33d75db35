"""Failures that a developer or a test programs, and conditions that last until they are switched off."""

from typing import Annotated, Any, Literal

import msgspec

Operation = Literal["prepare", "publish", "confirm", "edit", "delete", "auth"]
"""prepare: uploads and containers, nothing public yet. publish: the one request that makes a post public.
confirm: reads. edit: changes to something public, comments below it among them. auth: tokens and "who am I"."""


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


FaultName = Literal[
    "reject",
    "drop",
    "accept_late",
    "accept_then_drop",
    "accept_then_500",
    "accept_then_answer",
    "accept_then_delay",
    "accept_then_outlast",
    "rate_limited",
    "token_expired",
]

DEFAULT_SECONDS: dict[FaultName, float] = {
    "rate_limited": 2,
    "accept_late": 35,
    "accept_then_delay": 5,
    "accept_then_outlast": 120,
}


REFUSED = 400
"""The status of a refusal that names none: the platform does not accept the request."""


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """One programmed failure, for the next `times` requests that match.

    If `operation` is left out, any matches; for token_expired it is then the send. If `accountId` is left out, any
    matches. Requests without an account's token match no `accountId`. `status` and `body` apply to reject (400 by
    default, a permanent refusal), accept_then_500 and accept_then_answer. Without `body`, the last one has the
    platform's own answer; `beside` adds the members of `body` to that. `hold` applies to every fault: the seconds
    between the platform's action and its answer, so that the sender can be killed in between. `seconds` means for

    - accept_late: how long the platform takes to carry the request out, even if its sender stops waiting;
    - accept_then_delay: how long the answer is held back;
    - accept_then_outlast: how long the platform waits at most for its sender to disconnect, before it answers;
    - rate_limited: the time until the limit resets, as the answer says it.
    """

    platform: str
    fault: FaultName
    operation: Operation | None = None
    times: Annotated[int, msgspec.Meta(ge=1)] = 1
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] | None = None
    body: Any = None
    beside: bool = False
    seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)] | None = None
    account_id: str | None = msgspec.field(default=None, name="accountId")
    hold: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 0

    def __post_init__(self) -> None:
        """Default token_expired to the send: otherwise a confirm before it would use the failure up."""
        if self.fault == "token_expired" and self.operation is None:
            self.operation = "publish"

    @property
    def wait(self) -> float:
        """Return the seconds that apply."""
        return DEFAULT_SECONDS.get(self.fault, 0) if self.seconds is None else self.seconds


class FaultBoard:
    """The failures that no request has met yet, oldest first."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def program(self, fault: Fault) -> None:
        """Add a failure."""
        self._faults.append(fault)

    def clear(self, platform: str | None = None, account_id: str | None = None) -> None:
        """Remove the failures of this platform and account; an argument that is left out means any."""
        self._faults = [
            fault
            for fault in self._faults
            if platform not in (None, fault.platform) or account_id not in (None, fault.account_id)
        ]

    def waiting(self) -> list[Fault]:
        """Return the failures still to come; `times` is what is left of them."""
        return list(self._faults)

    def take(self, platform: str, operation: Operation, account_id: str | None = None) -> Fault | None:
        """Return the first failure meant for such a request and use it up once."""
        for fault in self._faults:
            if (
                fault.platform == platform
                and fault.operation in (None, operation)
                and fault.account_id in (None, account_id)
            ):
                fault.times -= 1
                if fault.times == 0:
                    self._faults.remove(fault)
                return fault
        return None

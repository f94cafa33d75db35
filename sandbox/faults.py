"""Failures that a developer or a test programs, and the board they wait on."""

from typing import Annotated, Any, Literal

import msgspec

from sandbox.operations import Operation

FaultName = Literal[
    "reject",
    "drop",
    "accept_late",
    "accept_then_drop",
    "accept_then_500",
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
"""The status of a refusal that names none: the network does not take what it was given."""


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """One programmed failure. It strikes the next `times` requests that match.

    `operation` left out means any, and of a token_expired the send; `accountId` left out means any. Requests that name
    no account by a token match no `accountId`. `status` and `body` count for reject (400 by default, a refusal for
    good) and accept_then_500. `hold` is how many seconds pass between what the network
    did with the request and what its sender gets to see, whatever the fault: time for the sender to die in. `seconds`
    means for

    - accept_late: how long it takes to do what it is asked, also if its sender stops waiting before that;
    - accept_then_delay: how long the answer is held back;
    - accept_then_outlast: how long it waits at most until its sender is gone, before it answers;
    - rate_limited: when it says that the limit resets.
    """

    platform: str
    fault: FaultName
    operation: Operation | None = None
    times: Annotated[int, msgspec.Meta(ge=1)] = 1
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] | None = None
    body: Any = None
    seconds: Annotated[float, msgspec.Meta(ge=0, le=86_400)] | None = None
    account_id: str | None = msgspec.field(default=None, name="accountId")
    hold: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 0

    def __post_init__(self) -> None:
        """Let an expired token meet the send: a confirmation before it would use the failure up."""
        if self.fault == "token_expired" and self.operation is None:
            self.operation = "publish"

    @property
    def wait(self) -> float:
        """Return the seconds to use."""
        return DEFAULT_SECONDS.get(self.fault, 0) if self.seconds is None else self.seconds


class FaultBoard:
    """Hold the failures that have not struck yet, oldest first."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def program(self, fault: Fault) -> None:
        """Add a failure."""
        self._faults.append(fault)

    def clear(self, platform: str | None = None, account_id: str | None = None) -> None:
        """Forget the failures meant for this platform and account; left out, for any."""
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

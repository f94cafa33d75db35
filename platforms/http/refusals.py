"""Answers to a public request that prove that nothing was published.

Once a public request was sent, it may have had its effect, whatever the answer says. Gateways answer in a platform's
place, answers arrive cut off, and platforms have reported errors for posts that they had made. So an answer counts as a
refusal only if its module lists it. Every other error leaves the outcome unknown, and the post is confirmed first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from platforms.errors import PASSING, PlatformError
from platforms.http import answers

_NOT_APPLIED = frozenset({httpx.codes.UNAUTHORIZED, httpx.codes.TOO_MANY_REQUESTS})
"""Statuses that say themselves that a request was not applied; source: RFC 9110, 15.5.2, and RFC 6585, 4."""

Body = Mapping[str, Any]
"""The JSON object of an answer."""
Envelope = Callable[[Body], bool]
"""Returns whether a JSON object has the form of a platform's own error, and contains nothing else."""
Trust = Callable[[Body, PlatformError], bool]
"""Returns whether an error in the platform's own form proves that nothing was published."""


def fields(*required: str, optional: tuple[str, ...] = ()) -> Envelope:
    """Return the envelope whose members are all `required` ones, any `optional` ones and no other."""
    needed, known = frozenset(required), frozenset(required) | frozenset(optional)
    return lambda body: needed <= body.keys() <= known


def within(name: str, inner: Envelope) -> Envelope:
    """Return the envelope whose only member, of this name, is an object of the form `inner`."""
    return lambda body: body.keys() == {name} and isinstance(body[name], dict) and inner(body[name])


def codes(*names: str) -> Trust:
    """Return the trust in errors with these codes, as the module's PlatformErrors have them."""
    known = frozenset(names)
    return lambda _, error: error.code in known


@dataclass(frozen=True, slots=True)
class Refusals:
    """The refusals that a platform's module trusts.

    An error in the platform's own form is always trusted if its status is 401 or 429, and never if it is the platform's
    own fault (5xx).
    """

    envelope: Envelope
    """The form of the platform's own errors. A body with anything else, such as a post's id, has not this form."""
    trusts: Trust
    """Whether the platform reports an error before it makes anything. The module names the source."""
    in_success: bool = False
    """Whether the platform reports such errors with a status that means success."""

    def outcome(self, response: httpx.Response, error: PlatformError) -> PlatformError:
        """Return the error of an answer to a public request: the refusal itself, or an unconfirmed error.

        An unconfirmed error carries what the platform itself said, if that would be final. It counts once the platform
        shows that nothing was published.
        """
        if not (response.is_client_error or (self.in_success and response.is_success)):
            return error.as_unconfirmed()
        body = answers.parse(response)
        if not isinstance(body, dict) or not self.envelope(body):
            return error.as_unconfirmed()
        if response.status_code in _NOT_APPLIED or self.trusts(body, error):
            return error
        return error.as_unconfirmed(claims=error.kind not in PASSING)


NO_REFUSALS = Refusals(lambda _: False, codes())
"""The refusals of a platform that has none which can be trusted."""

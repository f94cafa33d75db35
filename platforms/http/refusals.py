"""Answers to a public request that prove that nothing was published.

Once a public request was sent, it may have had its effect, whatever the answer says. Gateways answer in a platform's
place, answers arrive cut off, and platforms have reported errors for posts that they had made. So an answer counts as a
refusal only if its module lists it. Every other error leaves the outcome unknown, and the post is confirmed first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from platforms.errors import PASSING, PlatformError
from platforms.http import answers

Envelope = Callable[[dict[str, Any]], bool]
"""Returns whether a JSON object has the form of a platform's own error, and contains nothing else."""


def fields(*required: str, optional: tuple[str, ...] = ()) -> Envelope:
    """Return the envelope whose members are all `required` ones, any `optional` ones and no other."""
    needed, known = frozenset(required), frozenset(required) | frozenset(optional)
    return lambda body: needed <= body.keys() <= known


@dataclass(frozen=True, slots=True)
class Refusals:
    """The refusals that a platform's module trusts.

    An error with a status of the platform's own fault (5xx) is never trusted.
    """

    envelope: Envelope
    """The form of the platform's own errors. A body with anything else, such as a post's id, has not this form."""
    codes: frozenset[str] | None
    """The codes of errors, as the module's PlatformErrors have them, that the platform reports before it makes
    anything."""
    in_success: bool = False
    """Whether the platform reports such errors with a status that means success."""

    def outcome(self, response: httpx.Response, error: PlatformError) -> PlatformError:
        """Return the error of an answer to a public request: the refusal itself, or an unconfirmed error.

        An unconfirmed error carries what the platform itself said, if that would be final. It counts once the platform
        shows that nothing was published.
        """
        if not self._is_own(response):
            return error.as_unconfirmed()
        if self.codes is None or error.code in self.codes:
            return error
        return error.as_unconfirmed(claims=error.kind not in PASSING)

    def _is_own(self, response: httpx.Response) -> bool:
        if not (response.is_client_error or (self.in_success and response.is_success)):
            return False
        body = answers.parse(response)
        return isinstance(body, dict) and self.envelope(body)


NO_REFUSALS = Refusals(lambda _: False, frozenset())
"""The refusals of a platform that has none which can be trusted."""

"""Idempotency keys, and the outcome of the requests that used them."""

from collections.abc import Callable

import msgspec

from sandbox.accounts import Account
from sandbox.platforms.mastodon.base import FakeMastodon
from sandbox.wire import Answer, RefusedError, Request

KEY_SECONDS = 3600
"""How long an Idempotency-Key is valid."""


class Key(msgspec.Struct, rename="camel"):
    """One Idempotency-Key with the status that it made, or with the refusal. Times are seconds since 1970."""

    status_id: str
    used_at: float
    refused: int = 0
    refusal_body: str = msgspec.field(default="", name="said")


class Keys:
    """The keys of all accounts."""

    def __init__(self, fake: FakeMastodon) -> None:
        self._fake = fake
        self._keys = fake.world.collection("mastodon", "key", Key)

    def publish(self, account: Account, request: Request, make: Callable[[], str]) -> str:
        """Return the id of the status that the request makes or that its key has made already. Raises RefusedError."""
        key = request.header("idempotency-key")
        if not key or self._fake.holds("keys_ignored", account):
            return make()
        name, now = f"{account.account_id}/{key}", self._fake.world.now()
        known = self._keys.get(name)
        if known is not None and now - known.used_at < KEY_SECONDS:
            return self._repeated(account, known)
        if self._fake.holds("known_key_400", account):
            # Stored before the request is checked, so that a refused request uses the key up as well.
            self._keys.put(name, Key("", now))
        try:
            status_id = make()
        except RefusedError as error:
            if self._fake.holds("keys_of_refusals", account):
                self._keys.put(name, Key("", now, error.answer.status, error.answer.body.decode()))
            raise
        self._keys.put(name, Key(status_id, now))
        return status_id

    def _repeated(self, account: Account, known: Key) -> str:
        if self._fake.holds("known_key_400", account):
            raise RefusedError(self._fake.failure(400, "Duplicate idempotency key."))
        if self._fake.holds("known_key_500", account):
            raise RefusedError(self._fake.failure(500))
        if known.refused:
            raise RefusedError(
                Answer(known.refused, known.refusal_body.encode(), [(b"content-type", b"application/json")])
            )
        return known.status_id

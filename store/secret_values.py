"""The secrets that this process holds, remembered so that no log line shows them."""

import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

MASK = "***"
SECRET_FIELD = re.compile(r"token|secret|passw|jwt|webhook|dpop", re.IGNORECASE)
"""Names of the fields of credentials that are secret; the others are ids and addresses that operators look for."""

_SHORTEST = 8
"""Characters. Anything shorter occurs in other words."""
_SHORTEST_CUT = 12
"""Characters of a secret's beginning that are masked at the end of a text which was cut off."""
_MOST = 100_000
_SAMPLE = 5
_STEP = _SHORTEST - _SAMPLE + 1
"""Five characters of a text are looked at in every fourth place. Wherever a secret stands in it, one of these samples
lies within the secret's first eight characters, which have only four. So a text without any of them shows no secret."""
_RUN = re.compile(rf"[^\s\"'<>(){{}}\[\],;|\\`]{{{_SHORTEST},}}")
"""Where a secret may stand in a text. Secrets are kept in such pieces, so that only these are looked into."""


class SecretValues:
    """Secret texts, in every form in which they are sent, and the means to find them in a text in one pass."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._newest: OrderedDict[str, None] = OrderedDict()
        self._by_start: dict[str, list[str]] = {}
        self._samples = Counter[str]()
        self.version = 0
        """Grows with each new secret: a text that showed none before may show this one."""
        # Credentials are opened in threads, too.
        self._lock = threading.Lock()

    def remember(self, secret: str) -> None:
        """Have a secret masked from now on. The oldest are forgotten beyond 100,000; too short ones are ignored."""
        if self._knows(secret):
            # Nearly every time: an account's credentials are opened for each of its steps.
            return
        for form in (secret, quote(secret, safe=""), quote(secret), quote_plus(secret), *_address_parts(secret)):
            for piece in _RUN.findall(form):
                self._keep(piece)

    def remember_fields(self, credentials: Mapping[str, Any]) -> None:
        """Have the secret fields of an account's credentials masked."""
        for name, value in credentials.items():
            if isinstance(value, str) and SECRET_FIELD.search(name):
                self.remember(value)

    def mask(self, text: str) -> str:
        """Return the text with every secret replaced by stars, also one that is cut off at its end."""
        samples = [text[at : at + _SAMPLE] for at in range(0, len(text) - _SAMPLE + 1, _STEP)]
        if self._samples.keys().isdisjoint(samples):
            # Nearly every text.
            return text
        return _RUN.sub(lambda run: self._masked(run[0]), text)

    def _knows(self, piece: str) -> bool:
        with self._lock:
            if known := piece in self._newest:
                self._newest.move_to_end(piece)
            return known

    def _keep(self, piece: str) -> None:
        if self._knows(piece):
            return
        with self._lock:
            self._newest[piece] = None
            self._samples.update(_samples_of(piece))
            # A new list each time, longest first: another thread may be reading the old one.
            same_start = [*self._by_start.get(piece[:_SHORTEST], ()), piece]
            self._by_start[piece[:_SHORTEST]] = sorted(same_start, key=len, reverse=True)
            self.version += 1
            if len(self._newest) > self._most:
                self._forget(self._newest.popitem(last=False)[0])

    def _forget(self, piece: str) -> None:
        start = piece[:_SHORTEST]
        if left := [other for other in self._by_start[start] if other != piece]:
            self._by_start[start] = left
        else:
            del self._by_start[start]
        for sample in _samples_of(piece):
            self._samples[sample] -= 1
            if not self._samples[sample]:
                del self._samples[sample]

    def _masked(self, run: str) -> str:
        starts, at, kept, parts = self._by_start, 0, 0, list[str]()
        while at <= len(run) - _SHORTEST:
            secrets = starts.get(run[at : at + _SHORTEST])
            length = _length_at(run, at, secrets) if secrets else 0
            if length:
                parts += [run[kept:at], MASK]
                at = kept = at + length
            else:
                at += 1
        return "".join([*parts, run[kept:]]) if parts else run


def _samples_of(secret: str) -> list[str]:
    return [secret[at : at + _SAMPLE] for at in range(_STEP)]


def _length_at(run: str, at: int, secrets: list[str]) -> int:
    """Return how many characters from `at` on belong to one of the secrets."""
    for secret in secrets:
        if run.startswith(secret, at):
            return len(secret)
    rest = run[at:]
    return len(rest) if len(rest) >= _SHORTEST_CUT and any(secret.startswith(rest) for secret in secrets) else 0


def _address_parts(secret: str) -> list[str]:
    """Return what is secret in an address: its password, and the long parts of its path, as a webhook has them."""
    if "://" not in secret:
        return []
    try:
        address = urlsplit(secret)
        password = address.password
    except ValueError:
        return []
    parts = [part for part in address.path.split("/") if len(part) >= 20]
    return [*parts, *([password, quote(password, safe="")] if password else [])]


SECRETS = SecretValues()
"""Those of this process. The vault and the settings add theirs, and the log asks for them."""

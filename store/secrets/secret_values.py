"""The secrets that this process holds, kept so that no log line shows them."""

import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, quote_plus, urlsplit

MASK = "***"
SECRET_FIELD = re.compile(r"token|secret|passw|jwt|webhook|dpop", re.IGNORECASE)
"""Names of the fields of credentials that are secret; the others are ids and addresses that operators search for."""

_SHORTEST = 8
"""Characters. A shorter text occurs in ordinary words."""
_SHORTEST_CUT = 12
"""The shortest beginning of a secret, in characters, that is masked at the end of a truncated text."""
_MOST = 100_000
_SAMPLE = 5
_STEP = _SHORTEST - _SAMPLE + 1
"""Samples of five characters are taken from a text at every fourth position.

If a text contains a secret, one of the samples lies within the secret's first eight characters, which contain only four
samples. So a text without any of these contains no secret.
"""
_RUN = re.compile(rf"[^\s\"'<>(){{}}\[\],;|\\`]{{{_SHORTEST},}}")
"""The pieces of a text that can contain a secret. Secrets are stored in such pieces, so only these are searched."""


class SecretValues:
    """Secret texts, in every encoding in which they are sent, and the means to find them in a text in one pass."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._newest: OrderedDict[str, None] = OrderedDict()
        self._by_start: dict[str, list[str]] = {}
        self._samples = Counter[str]()
        self.version = 0
        """Increases with each new secret: a text in which none was found before may contain the new one."""
        # Credentials are opened in threads, too.
        self._lock = threading.Lock()

    def remember(self, secret: str) -> None:
        """Mask a secret from now on. Beyond 100,000, the oldest are dropped; secrets that are too short are ignored."""
        if self._knows(secret):
            # The usual case: an account's credentials are opened for each of its steps.
            return
        for form in (secret, quote(secret, safe=""), quote(secret), quote_plus(secret), *_address_parts(secret)):
            for piece in _RUN.findall(form):
                self._keep(piece)

    def remember_fields(self, credentials: Mapping[str, Any]) -> None:
        """Mask the secret fields of an account's credentials from now on."""
        for name, value in credentials.items():
            if isinstance(value, str) and SECRET_FIELD.search(name):
                self.remember(value)

    def mask(self, text: str) -> str:
        """Return the text with every secret replaced by stars, including one that is truncated at the text's end."""
        samples = [text[at : at + _SAMPLE] for at in range(0, len(text) - _SAMPLE + 1, _STEP)]
        if self._samples.keys().isdisjoint(samples):
            # The usual case.
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
            self._samples.update(_samples(piece))
            # A new list each time, longest first: another thread may be reading the old one.
            same_start = [*self._by_start.get(piece[:_SHORTEST], ()), piece]
            self._by_start[piece[:_SHORTEST]] = sorted(same_start, key=len, reverse=True)
            self.version += 1
            if len(self._newest) > self._most:
                self._forget(self._newest.popitem(last=False)[0])

    def _forget(self, piece: str) -> None:
        start = piece[:_SHORTEST]
        if others := [other for other in self._by_start[start] if other != piece]:
            self._by_start[start] = others
        else:
            del self._by_start[start]
        for sample in _samples(piece):
            self._samples[sample] -= 1
            if not self._samples[sample]:
                del self._samples[sample]

    def _masked(self, run: str) -> str:
        starts, at, copied, parts = self._by_start, 0, 0, list[str]()
        while at <= len(run) - _SHORTEST:
            secrets = starts.get(run[at : at + _SHORTEST])
            length = _length_at(run, at, secrets) if secrets else 0
            if length:
                parts += [run[copied:at], MASK]
                at = copied = at + length
            else:
                at += 1
        return "".join([*parts, run[copied:]]) if parts else run


def _samples(secret: str) -> list[str]:
    return [secret[at : at + _SAMPLE] for at in range(_STEP)]


def _length_at(run: str, at: int, secrets: list[str]) -> int:
    """Return how many characters from `at` on belong to one of the secrets."""
    for secret in secrets:
        if run.startswith(secret, at):
            return len(secret)
    rest = run[at:]
    return len(rest) if len(rest) >= _SHORTEST_CUT and any(secret.startswith(rest) for secret in secrets) else 0


def _address_parts(secret: str) -> list[str]:
    """Return the secret parts of an address: its password, and the long parts of its path, as in a webhook."""
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
"""The secrets of this process. The vault and the settings add theirs, and the log masks them."""

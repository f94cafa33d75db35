"""Words from outside that are safe to show: of names, without control characters, and of failed system calls."""

import json
import os
from collections.abc import Iterator

_JOINERS = "\u200c\u200d"
"""Zero-width joiners: invisible, harmless, and part of emoji and of several scripts."""


def make_printable(text: str, keep: str = "") -> str:
    r"""Return the text with every character that cannot be printed written as JSON writes it, such as `\u001b`.

    A terminal obeys escape sequences, and bidirectional overrides let a name look like another. JSON stays valid JSON,
    because inside its strings the escape means the same character. Characters in `keep` stay as they are.
    """
    if text.isprintable():
        return text
    allowed = keep + _JOINERS
    return "".join(char if char.isprintable() or char in allowed else json.dumps(char)[1:-1] for char in text)


def system_words(error: BaseException) -> str | None:
    """Return the number and the words of the failed system call in an error or in what caused it; None without one."""
    for cause in _with_causes(error):
        # Subclasses of other modules, such as those of TLS and of name resolution, have numbers of their own.
        if isinstance(cause, OSError) and cause.errno and type(cause).__module__ == OSError.__module__:
            return f"errno {cause.errno}: {os.strerror(cause.errno)}"
    return None


def error_words(error: BaseException) -> str:
    """Return the text of an error, or the name of its type if the text is empty, as that of a TimeoutError is."""
    return str(error).strip() or type(error).__name__


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    seen, cause = set[int](), error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = cause.__cause__ or cause.__context__  # type: ignore[assignment]  # ends the loop

"""The operating system's words for a failed call, which contain no content and no secret."""

import os
from collections.abc import Iterator


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

"""Captions of a video: files beside it, one for each language."""

from collections.abc import Iterable

from platforms.errors import ErrorKind, PlatformError
from platforms.rules import Violation, setting


def check_languages(label: str, languages: Iterable[str]) -> list[Violation]:
    """Return a violation if two files of captions are of one language."""
    names = [language.lower() for language in languages]
    if len(set(names)) == len(names):
        return []
    return [setting("captions", f"{label} takes captions once for each language here")]


def video_unknown(label: str) -> PlatformError:
    """Return the error that captions cannot be added, because a person has said that the post is public."""
    message = f"It is not known which video of {label} they belong to. Add them at {label}."
    return PlatformError(ErrorKind.REJECTED, message, code="no_video")

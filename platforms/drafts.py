"""A target's post as its platform gets it: read from the content of a client, with a fingerprint."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from domain.post import Media
from platforms.base import AnyPlatform, Draft
from platforms.errors import ErrorKind, PlatformError


def read_draft(platform: AnyPlatform, text: str, media: Sequence[Media], settings: dict[str, Any]) -> Draft[Any]:
    """Return the draft of content. Raises PlatformError(rejected) for settings that the platform does not take."""
    try:
        return Draft(text, tuple(media), platform.settings.model_validate(settings))
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise PlatformError(
            ErrorKind.REJECTED, f"{platform.label} does not take the setting {where}.", code="invalid_settings"
        ) from error


def fingerprint(draft: Draft[Any]) -> str:
    """Return 16 hexadecimal digits that differ for drafts that differ."""
    parts = [draft.text, [item.model_dump() for item in draft.media], draft.settings.model_dump(mode="json")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]

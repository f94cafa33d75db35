"""A parser of the places that the command line allows accounts to publish to."""

from collections import defaultdict
from collections.abc import Sequence

from pydantic import ValidationError

from cli.errors import UserError
from platforms.base import AnyPlatform
from platforms.places import ANY


def parse_places(platform: AnyPlatform, pairs: Sequence[str]) -> dict[str, set[str]]:
    """Return the places that pairs such as `channelId=123` name, in the form of settings. Raises UserError."""
    known = {place.name: place for place in platform.places}
    places: defaultdict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        name, _, value = pair.partition("=")
        if name not in known:
            there_are = f"it has {', '.join(known)}" if known else "it has none"
            raise UserError(f"{platform.label} has no setting {name!r} that names another place; {there_are}.")
        if value == ANY:
            places[name].add(ANY)
            continue
        try:
            settings = platform.settings.model_validate({name: value})
        except ValidationError as error:
            reason = error.errors(include_input=False, include_url=False)[0]["msg"].removeprefix("Value error, ")
            raise UserError(f"{name} {reason}; or {ANY} for all.") from None
        places[name].add(getattr(settings, known[name].field))
    return dict(places)

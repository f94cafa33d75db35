"""Properties that all platforms' settings share."""

from typing import Any

import pytest
from pydantic import ValidationError

from platforms.registry import platforms


def read(platform: str, given: dict[str, Any]) -> object:
    """Return the parsed settings of a platform, or their errors."""
    try:
        return platforms()[platform].settings.model_validate(given)
    except ValidationError as error:
        return [(each["loc"], each["type"]) for each in error.errors(include_url=False)]


@pytest.mark.parametrize("platform", list(platforms()))
def test_null_is_a_setting_that_was_left_out(platform: str) -> None:
    """Generated clients write an unset value as null."""
    fields = platforms()[platform].settings.model_fields.items()
    nulls = {field.alias or name: None for name, field in fields if not field.is_required()}
    assert nulls
    assert read(platform, nulls) == read(platform, {})

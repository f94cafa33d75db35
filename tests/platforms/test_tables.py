"""The tables of test cases, each of which has rows of every platform."""

from collections.abc import Collection

import pytest

from platforms.registry import platforms
from tests.platforms import (
    drafts,
    drafts_refused,
    error_shapes,
    error_tables,
    forms,
    test_hostile_answers,
    test_limits,
    test_publishing,
    test_settings,
)

TABLES: dict[str, Collection[str]] = {
    "FORMS of forms.py": {form.platform for form in forms.FORMS},
    "TAKEN of drafts.py": drafts.TAKEN,
    "REFUSED of drafts_refused.py": drafts_refused.REFUSED,
    "CASES of error_tables.py": error_tables.CASES,
    # Threads never says how long to wait.
    "WAITS of error_shapes.py": {*error_shapes.WAITS, "threads"},
    "FORMS of test_hostile_answers.py": test_hostile_answers.FORMS,
    "LIMITS of test_limits.py": test_limits.LIMITS,
    "ADDRESSES of test_publishing.py": test_publishing.ADDRESSES,
    "REQUESTS of test_publishing.py": test_publishing.REQUESTS,
    "REFUSED of test_settings.py": test_settings.REFUSED,
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("platform", platforms())
def test_every_platform_is_in_each_table(platform: str, table: str) -> None:
    assert platform in TABLES[table], f"{platform} is missing in {table}, in tests/platforms (docs/add-a-platform.md)"

"""Settings that name another place than the account's own: only places that are allowed for the account."""

from typing import Any

import pytest

from platforms.base import AccountFacts, Draft
from platforms.places import ANY, CODE
from platforms.registry import platforms

OTHERS = [
    ("googlebusiness", "locationId", "locations/222", "222"),
    ("linkedin", "organizationUrn", "urn:li:organization:222", "urn:li:organization:222"),
]


def broken(name: str, settings: dict[str, Any], account: AccountFacts) -> list[tuple[str, tuple[str | int, ...]]]:
    platform = platforms()[name]
    draft = Draft("Hi", (), platform.settings.model_validate(settings))
    return [(violation.code, violation.path) for violation in platform.violations(draft, account)]


@pytest.mark.parametrize(("platform", "name", "written", "entry"), OTHERS)
def test_a_place_that_is_not_allowed_is_refused(platform: str, name: str, written: str, entry: str) -> None:
    user_id = "organization-111" if platform == "linkedin" else "111"
    account = AccountFacts("xy_111", user_id, "one")
    assert broken(platform, {name: written}, account) == [(CODE, (name,))]
    assert broken(platform, {name: written.replace("222", "111")}, account) == [], "its own"
    assert broken(platform, {}, account) == []
    for allowed in ({name: [entry]}, {name: ["1", entry]}, {name: [ANY]}):
        assert broken(platform, {name: written}, AccountFacts("xy_111", user_id, "one", allowed=allowed)) == []
    for others in ({name: ["1"]}, {"otherId": [entry]}):
        assert broken(platform, {name: written}, AccountFacts("xy_111", user_id, "one", allowed=others)) != []


def test_a_member_does_not_own_the_page_of_the_same_number() -> None:
    settings, member = {"organizationUrn": "urn:li:organization:111"}, AccountFacts("li_111", "111", "one")
    assert broken("linkedin", settings, member) == [(CODE, ("organizationUrn",))]


def test_a_draft_without_an_account_breaks_no_rule_of_places() -> None:
    assert broken("googlebusiness", {"locationId": "222"}, AccountFacts("gb_1", "", "")) == []


def test_the_error_says_how_to_allow_the_place() -> None:
    platform = platforms()["linkedin"]
    settings = platform.settings.model_validate({"organizationUrn": "urn:li:organization:222"})
    [violation] = platform.violations(Draft("Hi", (), settings), AccountFacts("li_1", "1", "one"))
    assert "socialsyncer accounts allow li_1 organizationUrn=urn:li:organization:222" in violation.error


@pytest.mark.parametrize("name", platforms())
def test_every_place_is_a_setting(name: str) -> None:
    platform = platforms()[name]
    for place in platform.places:
        field = platform.settings.model_fields[place.field]
        assert field.alias == place.name
